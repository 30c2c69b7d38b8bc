"""Values, states, plans and words: pure functions over named tuples that every other room talks in.

Hands out ``values``, ``history``, ``states``, ``planning``, ``events``, ``watches``, ``names``, ``text`` and ``redaction``,
and ``git``, which alone starts a process. Knows neither Django nor libcst, no setting and no table.
"""
