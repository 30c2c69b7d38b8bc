"""The public API as users write it; nothing runs, mypy reads it."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from scripts_tracker import required_preceding_script, tracked_script
from tests import builders


class Bare(BaseCommand):
    @tracked_script
    def handle(self, *args: Any, **options: Any) -> str | None:
        return None


class WithOptions(BaseCommand):
    @tracked_script(
        rerun="once",
        atomic=True,
        tags=("slow",),
        unless=("dry_run", "preview"),
        watch=("shop.pricing",),
        arguments=("--all",),
    )
    @required_preceding_script("shop.first", "second", builders)
    def handle(self, *args: Any, **options: Any) -> str | None:
        return None


class Wrong(BaseCommand):
    @tracked_script(rerun="never")  # type: ignore[call-overload,untyped-decorator]
    @required_preceding_script(42)  # type: ignore[arg-type]
    def handle(self, *args: Any, **options: Any) -> str | None:
        return None


class WatchesAModule(BaseCommand):
    @tracked_script(watch=(builders,))  # type: ignore[arg-type]
    def handle(self, *args: Any, **options: Any) -> str | None:
        return None


answer: str | None = WithOptions().handle(dry_run=True)
