"""One picture of many environments, from what ``check_scripts --all --format json`` printed in each of them.

``scripts-tracker-fleet`` (``cli.process``) reads files and prints; it needs no Django and no database.
"""
