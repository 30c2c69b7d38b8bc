"""From the facts of all files to the ``ProjectIndex``: requirements, inherited handle(), cycles.

Hands out ``scanning`` and ``linker``. Never parses a file itself.
"""
