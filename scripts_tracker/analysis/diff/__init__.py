"""Two sources compared: what changed in the code, with formatting left out.

Hands out ``unified``. Does not know the ledger.
"""
