"""The version of what the analysis makes of a file, where nothing else has to be imported for it."""

from __future__ import annotations

from typing import Final

ANALYSIS_VERSION: Final = 2
"""Counts up whenever the same files would give other facts, verdicts or findings, so that none are taken from before."""
RULES_VERSION: Final = 2
"""Counts up whenever rules of the lint are added, dropped or say something else."""
