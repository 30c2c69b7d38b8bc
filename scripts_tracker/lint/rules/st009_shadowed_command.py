"""ST009."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts_tracker.analysis import codes
from scripts_tracker.core.values import Finding
from scripts_tracker.lint.base import ProjectRule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scripts_tracker.analysis.findings import Findings
    from scripts_tracker.analysis.source.reading import CommandFile
    from scripts_tracker.core.values import ScriptDefinition
    from scripts_tracker.lint.base import Project

# Commands of django.core and django.contrib, and the two that manage.py handles itself.
_DJANGOS = (
    *("check", "compilemessages", "createcachetable", "dbshell", "diffsettings", "dumpdata", "flush"),
    *("inspectdb", "loaddata", "makemessages", "makemigrations", "migrate", "optimizemigration", "runserver"),
    *("sendtestemail", "shell", "showmigrations", "sqlflush", "sqlmigrate", "sqlsequencereset"),
    *("squashmigrations", "startapp", "startproject", "test", "testserver"),
    *("changepassword", "clearsessions", "collectstatic", "createsuperuser", "findstatic", "ogrinspect"),
    *("remove_stale_contenttypes", "help", "version"),
)


class ShadowedCommand(ProjectRule):
    """Another command has the name of a tracked script, so one of them cannot be run.

    ## What it does
    Reports tracked scripts that share their name with a command of another app, or with one of Django's own, such
    as `check`. If two files define the same script, the one that is not used is reported.

    ## Why is this bad?
    Django offers one command per name: the one of the app that comes first in `INSTALLED_APPS`. `manage.py NAME`
    may run another script than expected, and one of the two never runs.

    ## Example
    ```python
    # catalog/management/commands/fix_prices.py
    # shop/management/commands/fix_prices.py
    ```

    ## Use instead
    ```python
    # catalog/management/commands/fix_prices.py
    # shop/management/commands/fix_order_prices.py
    ```
    """

    code = codes.SHADOWED_COMMAND
    # Two files of one script are found when the scripts are listed.
    decided_by = ("scripts_tracker.analysis.linking.linker.Linker._definitions",)

    def check(self, project: Project) -> Iterator[Finding]:
        """Yield the scripts that share their name with another command."""
        by_name: dict[str, list[CommandFile]] = {}
        for file in project.files:
            by_name.setdefault(file.name, []).append(file)
        for script in project.definitions.values():
            name = script.id.name
            rivals = ["Django"] if name in _DJANGOS else []
            rivals += _other_files(script, by_name.get(name, ()), project.findings)
            if rivals:
                yield Finding(
                    script.location,
                    self.code,
                    f"another command is named {name} ({', '.join(rivals)}): `manage.py {name}` runs only one of them",
                    "Rename the file, so that every command has a name of its own.",
                )


def _other_files(script: ScriptDefinition, files: Iterable[CommandFile], findings: Findings) -> list[str]:
    """The files of other apps; if apps share a folder, the file of the script belongs to several."""
    others = {findings.shown(one.path) for one in files if one.folder.app_label != script.id.app_label}
    return sorted(others - {script.location.path})
