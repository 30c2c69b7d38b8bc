"""Everything about the table of django-scripts-tracker: reading it, judging its rows, taking them over.

Hands out ``survey`` to the commands and the migrate hook. The only room that knows the predecessor.
"""
