"""The two tools under comparison, each with its own interpreter: this one, and django-scripts-tracker's."""

from __future__ import annotations

import functools
import glob
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from benchmarks.measuring import BenchmarkError, Subject, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PREDECESSOR: Final = "django-scripts-tracker==0.2"
# It imports ``imp``, which Python 3.12 no longer has; the generated commands use ``match``, which 3.9 has not.
_OLD_ENOUGH: Final = (10, 11)
_LAST_DJANGO: Final = "django>=5.2,<5.3"


class UnavailableError(Exception):
    """The predecessor cannot be run here; the message says why."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tracker in its environment.

    Attributes:
        package: the Django app, and the end of the name of its settings.
        python: the interpreter that has it.
        path: the PYTHONPATH to run it with.
    """

    package: str
    python: str
    path: str = ""

    def env(self, **more: str) -> dict[str, str]:
        """The environment of its processes: bytecode is written, as on any machine that runs a project twice."""
        dropped = {"PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHONDEVMODE", "PYTHONWARNINGS"}
        kept = {name: value for name, value in os.environ.items() if name not in dropped}
        kept |= {"DJANGO_SETTINGS_MODULE": f"project.with_{self.package}", "PYTHONHASHSEED": "0"}
        return kept | ({"PYTHONPATH": self.path} if self.path else {}) | more

    def manage(
        self, root: str, *arguments: str, expects: str = "", before: Callable[[], None] | None = None
    ) -> Subject:
        """``manage.py`` of the project in ``root``."""
        return Subject([self.python, "manage.py", *arguments], root, self.env(), expects, before)

    def floor(self, root: str) -> Subject:
        """``manage.py diffsettings`` of the project in ``root``, without the collector's walks, which a check may spare itself."""
        return Subject([self.python, "-c", _FLOOR], root, self.env())

    @property
    def version(self) -> str:
        """The Python of the tool's environment."""
        code = "import platform; print(platform.python_version())"
        return run(Subject([self.python, "-c", code], os.getcwd(), self.env()))[1].strip()

    def version_of(self, package: str) -> str:
        """The release of a package in the tool's environment."""
        code = f"from importlib.metadata import version; print(version({package!r}))"
        try:
            return run(Subject([self.python, "-c", code], os.getcwd(), self.env()))[1].strip()
        except BenchmarkError:
            return "not installed"


_FLOOR: Final = """
import gc
from django.core.management import execute_from_command_line
gc.freeze()
execute_from_command_line(["manage.py", "diffsettings"])
gc.freeze()
"""


def tracker() -> Tool:
    """scripts_tracker as this interpreter imports it."""
    return Tool("scripts_tracker", sys.executable, os.environ.get("PYTHONPATH", ""))


def predecessor(folder: str) -> Tool:
    """django-scripts-tracker 0.2 in a virtual environment of its own; raises UnavailableError."""
    python = next(_interpreters(), None)
    if python is None:
        raise UnavailableError("no Python 3.10 or 3.11 was found, and it needs one")
    home = os.path.join(folder, "predecessor-venv")
    binary = os.path.join(home, "bin", "python")
    try:
        _quietly(python, "-m", "venv", home)
        _quietly(
            binary,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            PREDECESSOR,
            _django(python),
        )
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or str(error)
        raise UnavailableError(f"it could not be installed: {said.strip().splitlines()[-1]}") from error
    return Tool("django_scripts_tracker", binary)


MAINTENANCE_TASKS: Final = "django-maintenance-tasks==0.2.1"
_NEW_ENOUGH: Final = (12, 13, 14)


def maintenance_tasks(folder: str) -> Tool:
    """An environment that has django-maintenance-tasks and what scripts_tracker needs; raises UnavailableError."""
    python = next(_interpreters(_NEW_ENOUGH), None)
    if python is None:
        raise UnavailableError("no Python from 3.12 on was found, and it needs one")
    home = os.path.join(folder, "maintenance-tasks-venv")
    binary = os.path.join(home, "bin", "python")
    needed = (MAINTENANCE_TASKS, "psycopg[binary]", "libcst")
    try:
        _quietly(python, "-m", "venv", home)
        _quietly(binary, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *needed)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or str(error)
        raise UnavailableError(f"it could not be installed: {said.strip().splitlines()[-1]}") from error
    return Tool("maintenance_tasks", binary)


def _interpreters(minors: tuple[int, ...] = _OLD_ENOUGH) -> Iterator[str]:
    """Interpreters that another tool runs on, by default the predecessor: this one, those on PATH, those of pyenv."""
    home = os.environ.get("PYENV_ROOT", os.path.join(os.path.expanduser("~"), ".pyenv"))
    candidates: list[str | None] = [sys.executable]
    for minor in reversed(minors):
        candidates.append(shutil.which(f"python3.{minor}"))
        candidates += sorted(glob.glob(os.path.join(home, "versions", f"3.{minor}.*", "bin", "python")))
    for candidate in candidates:
        if candidate and _minor(candidate) in minors:
            yield candidate


@functools.cache
def _minor(python: str) -> int | None:
    """The minor version of an interpreter that works; pyenv's shims answer only for one of theirs."""
    try:
        return int(_quietly(python, "-c", "import sys, ensurepip; print(sys.version_info[1])"))
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def _django(python: str) -> str:
    """The same Django as on our side where both run the same Python, else the last one for its Python."""
    if python == sys.executable:
        return f"django=={tracker().version_of('django')}"
    return _LAST_DJANGO


def _quietly(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout
