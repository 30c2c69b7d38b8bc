"""The tables: every statement that reads or writes them stands here.

Hands out ``queries`` for what was, ``writing`` for decisions, ``leases`` for who runs what, ``database`` for connections,
errors and time. Does not know the files of the project.
"""
