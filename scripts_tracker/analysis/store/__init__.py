"""What was computed before: one cache by content digest, one remembered index.

Hands out ``cache``, ``index_cache`` and ``compiling``. Does not know how files are linked.
"""
