"""Everything about the table of django-scripts-tracker: its rows, the files they are about, what the ledger takes over.

Offers ``survey`` to the commands and the migrate hook. No other room knows django-scripts-tracker's table.
"""
