"""Values, states, plans and texts: pure functions over NamedTuples that every other room talks in.

Hands out ``values``, ``states``, ``planning``, ``names``, ``events`` and ``redaction``. Knows neither Django nor libcst,
reads no file and no table.
"""
