"""How hypothesis tries a property on a machine of which nobody knows how busy it is."""

from __future__ import annotations

from typing import Final

from hypothesis import HealthCheck, settings

AT_ANY_SPEED: Final = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""For tests with ``@given``: slow examples are no failure."""
