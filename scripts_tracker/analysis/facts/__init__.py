"""From one tree to ``FileFacts``: pure, one file at a time.

Hands out ``values`` and ``extraction``. Does not know other files, the store or the lint.
"""
