"""Adapters: options, one call, a format, an exit code."""
