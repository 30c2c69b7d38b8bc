"""The tables: every statement that reads or writes them.

Offers ``queries`` for reading, ``writing`` for marks, ``leases`` for attempts, ``pruning``, ``rows`` for the admin, and
``database`` for connection, errors and clock. Does not know the project's files.
"""
