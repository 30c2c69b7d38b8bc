"""The static half: reads command files and says what they are, without importing them.

Hands out the fingerprint, the facts of files and the index of a project. Knows no Django, and is the only room with libcst
beside the lint.
"""

from typing import Final

ANALYSIS_VERSION: Final = 16
"""Counts up whenever the same files would give other facts or findings, or other texts of them."""
