"""The rules of ``scripts-tracker-lint`` over the facts of a project: config, engine, rules, fixes and formats.

Hands out ``engine`` and ``cli``. Knows neither Django nor the ledger, and imports nothing from the project that it checks.
"""

from typing import Final

RULES_VERSION: Final = 13
"""Counts up whenever rules are added, dropped or find something else."""
