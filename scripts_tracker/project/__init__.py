"""The files of the project joined with the ledger: which script is in which state here.

Hands out ``scan`` (the one door to the analysis), ``status``, ``detail``, ``versions``, ``marks``, ``git`` and ``scaffold``.
Runs no script and prints nothing.
"""
