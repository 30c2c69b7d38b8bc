"""The management commands: options, one call into the rooms below, a format, an exit code.

Hands out commands to Django. Decides nothing that another entry point would have to decide again.
"""
