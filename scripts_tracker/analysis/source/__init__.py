"""From bytes to a libcst tree, and what is refused before the parse.

Hands out ``reading``, ``limits``, ``parsing`` and ``trees``. Does not know what a script is.
"""
