"""Real projects for real commands: a fixture that writes a Django project and runs its manage.py."""

from __future__ import annotations

import atexit
import compileall
import functools
import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import django
import pytest
from filelock import FileLock

from tests.switches import FULL, IN_MATRIX, IN_TURN, WARM, turn
from tests.waiting import PATIENCE
from tests.warm.client import Warm

pytest_plugins = [
    "tests.databases.fixtures",
    "tests.jobs",
    "tests.places",
    "tests.resets",
    "tests.running.shops",
    "tests.running.walks",
    "tests.running.tenants",
]

# A shell starts what runs in the background with Ctrl-C ignored, nohup with SIGHUP, and everything below would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / "fixtures" / "demo"

# Without the settings of this test suite, which pytest-django puts there.
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"},
    "PYTHONDONTWRITEBYTECODE": "1",
}

PLAIN = {"PYTHONPATH": str(ROOT)}

IS_SAMPLE = not (IN_MATRIX or FULL)

NEWCOMER = pytest.mark.skipif(IN_MATRIX, reason="the same everywhere: run by make test, not by tox")
MATRIX = pytest.mark.skipif(not IN_MATRIX, reason="many like it remain: run by tox, not by make test")
CHECKOUT = pytest.mark.skipif(not (ROOT / ".ci").is_dir(), reason="an sdist leaves out what it is about")

ELSEWHERE = pytest.mark.skip(reason="here on another kind of database: on all of them by tox")


def sampled(cases: Mapping[str, Any], sample: Iterable[str]) -> list[Any]:
    """Parameters, with the names of the cases as ids: the sample is run by make test, all of them by tox.

    A case that is a tuple is one parameter for each of its values.
    """
    kept = {*sample}
    assert kept < {*cases}, kept - {*cases}
    values = {name: case if isinstance(case, tuple) else (case,) for name, case in cases.items()}
    return [
        pytest.param(*case, id=name, marks=() if name in kept else MATRIX) for name, case in values.items()
    ]


def every_pair(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[Any]:
    """Parameters for each pair of two sets of cases: so many by make test that each case is in one of them, all by tox."""
    shorter = min(len(first), len(second))
    return [
        pytest.param(
            one, other, id=f"{name}-{other_name}", marks=() if (row - column) % shorter == 0 else MATRIX
        )
        for row, (name, one) in enumerate(first.items())
        for column, (other_name, other) in enumerate(second.items())
    ]


@pytest.hookimpl(optionalhook=True)  # without pytest-xdist nobody asks
def pytest_xdist_auto_num_workers() -> int:
    """Half as many again as there are processors: a third of the time is spent waiting, for processes, servers and leases."""
    return (
        -(-3 * len(os.sched_getaffinity(0)) // 2)
        if hasattr(os, "sched_getaffinity")
        else (os.cpu_count() or 2)
    )


def pytest_collection_finish() -> None:
    """Let the garbage collector walk what was imported seldom: over and over, it takes a tenth of the time.

    ``gc.freeze`` would hide it from ``gc.get_referrers`` too, which Hypothesis asks.
    """
    gc.collect()
    gc.set_threshold(100_000, 50, 100)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of all kinds of databases: each on one of them by make test, as its name has it, on all by tox."""
    if not (IS_SAMPLE or IN_TURN):
        return
    kinds: dict[str, list[pytest.Item]] = {}
    for item in items:
        params = (
            dict(item.callspec.params)
            if isinstance(item, pytest.Function) and hasattr(item, "callspec")
            else {}
        )
        kind = params.pop("kind_name", None)
        if kind is not None:
            kinds.setdefault(f"{item.nodeid.partition('[')[0]} {params}", []).append(item)
    shift = turn(sys.version_info.minor, django.VERSION[:2]) if IN_TURN else 0
    for name, same in kinds.items():
        same.sort(key=lambda item: item.nodeid)
        del same[(zlib.crc32(name.encode()) + shift) % len(same)]
        for item in same:
            item.add_marker(ELSEWHERE)


MANAGE = """\
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""

SETTINGS = """\
from pathlib import Path
BASE_DIR = Path(__file__).resolve().parent
SECRET_KEY = "only for tests"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["scripts_tracker", "shop", "stock"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"}}
"""

COMMAND = """\
from django.core.management.base import BaseCommand
from scripts_tracker import required_preceding_script, tracked_script

class Command(BaseCommand):
    help = "Does {name}"

    {decorators}
    def handle(self, *args, **options):
        {body}
"""


@functools.cache
def warm_parent() -> Warm:
    """One for this process of pytest, ended with it."""
    made = Warm({**ENVIRONMENT, **PLAIN})
    atexit.register(made.end)
    return made


@dataclass(frozen=True)
class Result:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


@dataclass
class Project:
    """A Django project in a folder of its own, used as its developers would."""

    root: Path
    env: dict[str, str] = field(default_factory=dict)

    def write(self, path: str, text: str | bytes) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return file

    def settings(self, text: str) -> None:
        """Add lines to the settings."""
        with (self.root / "settings.py").open("a") as stream:
            stream.write(f"\n{text}\n")

    def app(self, name: str) -> None:
        for package in ("", "management", "management/commands"):
            self.write(f"{name}/{package}/__init__.py", "")

    def command(
        self, script: str, *, decorators: str = "@tracked_script", body: str = "self.stdout.write('done')"
    ) -> Path:
        """Write the command file of ``app.name``."""
        app, _, name = script.partition(".")
        text = COMMAND.format(name=name, decorators=decorators, body=body)
        return self.write(f"{app}/management/commands/{name}.py", text)

    def path(self, script: str) -> Path:
        app, _, name = script.partition(".")
        return self.root / app / "management" / "commands" / f"{name}.py"

    def run(self, *command: str, **env: str) -> Result:
        """Run a program in the project's folder, with no terminal."""
        done = subprocess.run(
            command,
            cwd=self.root,
            env={**ENVIRONMENT, **self.env, **env},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=PATIENCE,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def manage(self, *arguments: str, code: int | None = 0, **env: str) -> Result:
        """Run manage.py; insist on the exit code unless it is None, and never accept a traceback."""
        if self._can_be_warm(env):
            result = self.warm(*arguments, **env)
        else:
            result = self.run(sys.executable, "-W", "error::ResourceWarning", "manage.py", *arguments, **env)
        if code is not None:
            assert result.code == code, f"{arguments}: {result}"
        return result

    def _can_be_warm(self, env: dict[str, str]) -> bool:
        """What Python itself looks at when it starts is set for a whole process only."""
        return WARM and self.env == PLAIN and not any(name.startswith("PYTHON") for name in env)

    def warm(self, *arguments: str, **env: str) -> Result:
        """The same by a child of the warm parent: sparing its imports, not what the project does."""
        (process,) = warm_parent().start(self.root, arguments, env=env)
        with process:
            return Result(process.wait(), process.out, process.err)

    def run_code(self, code: str, **env: str) -> Result:
        """Run code as ``python -c`` would."""
        if self._can_be_warm(env):
            return self.warm("-c", code, **env)
        return self.run(sys.executable, "-c", code, **env)

    def migrate(self, *arguments: str) -> Result:
        return self.manage("migrate", "--no-color", *arguments)

    def check(self, *arguments: str) -> dict[str, Any]:
        """The JSON of check_scripts."""
        document: dict[str, Any] = json.loads(
            self.manage("check_scripts", "--format", "json", *arguments).out
        )
        return document

    def states(self, *arguments: str) -> dict[str, str]:
        """Every script's state by name."""
        found = self.check("--all", *arguments)["scripts"]
        return {script["script"]: script["state"] for script in found}

    def python(self, code: str) -> Result:
        """Run code in the project, after django.setup(); in a whole process where it asks what was imported."""
        setup = "import os, django; os.environ['DJANGO_SETTINGS_MODULE'] = 'settings'; django.setup()\n"
        if "sys.modules" in code:
            result = self.run(sys.executable, "-c", setup + code)
        else:
            result = self.run_code(setup + code)
        assert result.code == 0, result
        return result


def make_project(root: Path, env: dict[str, str]) -> Project:
    made = Project(root, {**PLAIN, **env})
    made.write("manage.py", MANAGE)
    made.write("settings.py", SETTINGS)
    made.app("shop")
    made.app("stock")
    return made


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty project with the apps ``shop`` and ``stock``, not migrated."""
    return make_project(tmp_path / "a project", {})


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of an empty project after migrate.

    What the many manage.py processes import is compiled first: their own files change within a second and must
    not be cached, so they may write no bytecode.
    """
    compileall.compile_dir(ROOT / "scripts_tracker", quiet=2)
    made = make_project(tmp_path_factory.mktemp("migrated"), {"PYTHONDONTWRITEBYTECODE": ""})
    made.migrate()
    made.manage("check_scripts", "--check")
    return made.root / "db.sqlite3"


@pytest.fixture
def migrated(project: Project, migrated_database: Path) -> Project:
    """The same project, migrated."""
    shutil.copy(migrated_database, project.root / "db.sqlite3")
    return project


@pytest.fixture
def demo(tmp_path: Path) -> Project:
    """A copy of the demo shop, not migrated."""
    root = tmp_path / "demo shop"
    shutil.copytree(DEMO, root, ignore=shutil.ignore_patterns("__pycache__", "*.sqlite3"))
    return Project(root, dict(PLAIN))


def run_demo(folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, ROOT / "fixtures" / "run_demo.py", folder],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env={**ENVIRONMENT, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="session")
def demo_output(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What ``make demo`` prints, errors included; run once for all processes of pytest."""
    base = tmp_path_factory.getbasetemp()
    file = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "demo.txt"
    with FileLock(f"{file}.lock"):
        if not file.exists():
            file.write_text(run_demo(tmp_path_factory.mktemp("demo") / "shop"))
    return file.read_text()
