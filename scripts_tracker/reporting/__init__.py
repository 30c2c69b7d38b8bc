"""Values turned into text, JSON and graphs.

Hands out the formats of the commands and the progress line. Reads no table and no file, and never prints.
"""
