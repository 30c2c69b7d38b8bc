"""What a check costs, in ratios to other things measured side by side: ``python -m benchmarks``.

The projects are generated, the same for the same seed, and both trackers read the same bytes: commands import
``tracked_script`` from django-scripts-tracker, whose name scripts_tracker answers to. Two decisions favour the
predecessor: commands import nothing beyond Django and the standard library (it imports every command, at every check),
and its bytecode is warm. None of the apps of a real site is installed
but contenttypes and auth, so the system checks, which both run, are short.
"""
