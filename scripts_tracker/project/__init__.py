"""The files of the project joined with the ledger: which script is in which state here.

Hands out ``status``, the scan of the files (the one door to the analysis), marks, git and the scaffold. Does not run
scripts and does not print.
"""
