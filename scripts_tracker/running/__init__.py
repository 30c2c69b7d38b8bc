"""One run of a script, from the lease to the recorded outcome, and the runner over many.

Hands out ``attempt`` to the decorators and ``runner`` to the commands. Does not parse files, and never prints.
"""
