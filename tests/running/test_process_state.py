"""What a script leaves changed in its process: put back before the next script of run_scripts, and before its report."""

from __future__ import annotations

import decimal
import json
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripts_tracker.running import process_state
from tests.builders import script_id
from tests.conftest import Project, Result, make_project, sampled
from tests.jobs import Jobs
from tests.running.test_run_scripts import at_terminal

# Everything that is compared; every script of the project imports it, before anything is changed.
LOOK = """\
import contextvars, csv, decimal, gc, io, json, locale, logging, multiprocessing, os, pathlib, resource, signal, socket
import sys, tempfile, threading, time, warnings
from django.conf import settings
from django.utils import timezone, translation

ROOT = pathlib.Path(__file__).parent.parent
VARIABLE = contextvars.ContextVar("VARIABLE", default="default")
LOGGER = logging.getLogger("shop")
HANDLER = logging.StreamHandler()
LOGGER.addHandler(HANDLER)
STREAMS = (sys.stdin, sys.stdout, sys.stderr)

def file_of(number):
    try:
        return [*os.fstat(number)[1:3], os.get_blocking(number)]
    except OSError:
        return "closed"

def folder():
    try:
        return os.getcwd()
    except OSError:
        return "deleted"

def umask():
    os.umask(before := os.umask(0))
    return before

def encoding(stream):
    try:
        return stream.closed, stream.encoding, stream.errors, stream.line_buffering
    except ValueError:
        return "detached"

def look():
    return {
        "signal handlers": [str(signal.getsignal(number)) for number in sorted(signal.valid_signals())],
        "blocked signals": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
        "timers": [signal.getitimer(kind) for kind in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)],
        "files": [file_of(number) for number in range(3)],
        "streams": [stream is now for stream, now in zip(STREAMS, (sys.stdin, sys.stdout, sys.stderr))],
        "encodings": list(map(encoding, STREAMS)),
        "folder": folder(),
        "umask": umask(),
        "locale": locale.setlocale(locale.LC_ALL),
        "environment": dict(os.environ),
        "zone": [time.tzname, time.timezone],
        "language": [translation.get_language(), timezone.get_current_timezone_name()],
        "context": VARIABLE.get(),
        "decimals": str(decimal.getcontext()),
        "warnings": [str(one) for one in warnings.filters] + [warnings.showwarning.__module__],
        "logging": [LOGGER.level, LOGGER.propagate, LOGGER.disabled, len(LOGGER.handlers), len(LOGGER.filters)]
        + [len(logging.root.handlers), logging.root.level, logging.root.manager.disable, LOGGER.isEnabledFor(30)]
        + [HANDLER.level, str(HANDLER.formatter), logging.raiseExceptions, str(logging._warnings_showwarning)],
        "path": sys.path[:3] + [id(sys.path)],
        "argv": sys.argv[:],
        "hooks": [sys.excepthook.__name__, sys.unraisablehook.__name__, threading.excepthook.__name__],
        "timeout": socket.getdefaulttimeout(),
        "collector": [gc.isenabled(), gc.get_threshold()],
        "limits": [sys.getrecursionlimit(), csv.field_size_limit(), sys.getswitchinterval(), sys.dont_write_bytecode],
        "resources": resource.getrlimit(resource.RLIMIT_NOFILE),
        "user": [os.getresuid(), os.getresgid(), os.getgroups(), os.getpriority(os.PRIO_PROCESS, 0)],
        "temporary": tempfile.tempdir,
        "start method": multiprocessing.get_start_method(allow_none=True),
        "settings": [settings.DEBUG, settings.LANGUAGE_CODE, getattr(settings, "MADE_UP", None)],
    }

def show(name):
    (ROOT / f"{name}.seen").write_text(json.dumps(look(), default=str, sort_keys=True))
"""

AS_ROOT = os.geteuid() == 0
# What a script does, and what of the state that changes.
CHANGES = {
    "handles SIGTERM": ("signal.signal(signal.SIGTERM, print)", "signal handlers"),
    "ignores Ctrl-C": ("signal.signal(signal.SIGINT, signal.SIG_IGN)", "signal handlers"),
    "handles others": (
        "for n in 'HUP', 'ALRM', 'USR1', 'USR2', 'PIPE', 'CHLD': signal.signal(getattr(signal, f'SIG{n}'), print)",
        "signal handlers",
    ),
    "blocks signals": ("signal.pthread_sigmask(signal.SIG_BLOCK, {15, 2})", "blocked signals"),
    "leaves an alarm": ("signal.alarm(1000)", "timers"),
    "leaves a timer that repeats": ("signal.setitimer(signal.ITIMER_VIRTUAL, 900, 900)", "timers"),
    "leads the output elsewhere": (
        "os.dup2(os.open(os.devnull, os.O_WRONLY), 1); os.dup2(1, 2); os.dup2(os.open('/dev/zero', 0), 0)",
        "files",
    ),
    "closes the descriptors": ("os.close(0); os.close(1); os.close(2)", "files"),
    "does not wait for the output": ("os.set_blocking(1, False)", "files"),
    "replaces the streams": ("sys.stdin = sys.stdout = sys.stderr = io.StringIO()", "streams"),
    "has no streams": ("sys.stdin = sys.stdout = sys.stderr = None", "streams"),
    "closes the streams": ("sys.stdin.close(); sys.stdout.close(); sys.stderr.close()", "encodings"),
    "takes a stream apart": ("sys.stdout = io.TextIOWrapper(sys.stdout.detach(), 'latin-1')", "encodings"),
    "writes in another encoding": (
        "sys.stdout.reconfigure(encoding='utf-16', errors='replace')",
        "encodings",
    ),
    "goes elsewhere": ("os.chdir('/')", "folder"),
    "creates files for all": ("os.umask(0o777)", "umask"),
    "counts in another language": ("locale.setlocale(locale.LC_ALL, 'C.UTF-8')", "locale"),
    "changes the environment": (
        "os.environ.update(MADE_UP='1', PATH='/nowhere'); del os.environ['DJANGO_SETTINGS_MODULE']",
        "environment",
    ),
    "empties the environment": ("os.environ.clear()", "environment"),
    "replaces the environment": ("os.environ = {}", "environment"),
    "lives elsewhere": ("os.environ['TZ'] = 'Asia/Tokyo'; time.tzset()", "zone"),
    "lives elsewhere in secret": (
        "old = os.environ['TZ']; os.environ['TZ'] = 'Asia/Tokyo'; time.tzset(); os.environ['TZ'] = old",
        "zone",
    ),
    "speaks another language": ("translation.activate('de'); timezone.activate('Asia/Tokyo')", "language"),
    "sets a context variable": ("VARIABLE.set('changed')", "context"),
    "calculates otherwise": ("decimal.getcontext().prec = 3", "decimals"),
    "calculates in a context of its own": ("decimal.setcontext(decimal.Context(prec=2))", "decimals"),
    "makes warnings errors": ("warnings.simplefilter('error'); warnings.showwarning = print", "warnings"),
    "catches warnings": ("logging.captureWarnings(True)", "warnings"),
    "switches logging off": ("logging.disable(logging.CRITICAL)", "logging"),
    "changes a logger": (
        "LOGGER.setLevel(50); LOGGER.propagate = False; LOGGER.handlers.clear(); LOGGER.addFilter(print)",
        "logging",
    ),
    "changes a handler": (
        "HANDLER.setLevel(50); HANDLER.setFormatter(logging.Formatter('%(x)s'))",
        "logging",
    ),
    "configures logging": (
        "import logging.config; logging.config.dictConfig({'version': 1, 'root': {'level': 'DEBUG'}})",
        "logging",
    ),
    "imports from elsewhere": ("sys.path.insert(0, '/made/up'); sys.path.remove(sys.path[1])", "path"),
    "replaces sys.path": ("sys.path = []", "path"),
    "changes the arguments": ("sys.argv[1:] = ['made', 'up']", "argv"),
    "replaces the arguments": ("sys.argv = ['made', 'up']", "argv"),
    "replaces hooks": ("sys.excepthook = sys.unraisablehook = threading.excepthook = print", "hooks"),
    "waits for no socket": ("socket.setdefaulttimeout(0.001)", "timeout"),
    "collects no garbage": ("gc.disable(); gc.set_threshold(1)", "collector"),
    "changes limits of Python": (
        "sys.setrecursionlimit(5000); csv.field_size_limit(9); sys.setswitchinterval(0.5); sys.dont_write_bytecode = 0",
        "limits",
    ),
    "opens few files": (
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))",
        "resources",
    ),
    "has its own temporary folder": ("tempfile.tempdir = '/made/up'", "temporary"),
    "starts processes otherwise": ("multiprocessing.set_start_method('spawn')", "start method"),
    "changes the settings": (
        "settings.DEBUG = True; settings.MADE_UP = 1; settings.LANGUAGE_CODE = 'de'",
        "settings",
    ),
    "overrides the settings": (
        "from django.test.utils import override_settings; override_settings(DEBUG=True).enable()",
        "settings",
    ),
}
if AS_ROOT:
    CHANGES |= {
        "is polite": ("os.setpriority(os.PRIO_PROCESS, 0, 3)", "user"),
        "becomes somebody else": ("os.setgroups([]); os.setegid(65534); os.seteuid(65534)", "user"),
    }
# The scripts end in different ways.
ENDINGS = ("pass", "raise ValueError('as it ended')", "raise SystemExit(0)", "raise GeneratorExit")


@pytest.fixture(scope="module")
def changed(
    tmp_path_factory: pytest.TempPathFactory, migrated_database: Path
) -> tuple[Result, dict[str, Any]]:
    """One run over all of that, and what each script saw when it started; ``changed`` is what it changed itself."""
    project = make_project(tmp_path_factory.mktemp("changes") / "a project", {})
    shutil.copy(migrated_database, project.root / "db.sqlite3")
    project.write("shop/looking.py", LOOK)
    body = "from shop.looking import *; from shop import looking\n        show('{name}')\n        {change}\n        {end}"
    for number, (change, _) in enumerate(CHANGES.values()):
        name, end = f"s{number:02}", ENDINGS[number % len(ENDINGS)]
        source = body.format(name=name, change=change, end=end)
        project.command(f"shop.{name}", body="exec(SOURCE)")
        path = project.path(f"shop.{name}")
        path.write_text(path.read_text() + f"\nSOURCE = {_unindented(source)!r}\n")
    project.command("shop.z_last", body="exec(\"from shop.looking import *; show('z_last')\")")
    result = project.manage("run_scripts", "--continue-on-error", "--verbosity", "2", code=1)
    seen = {path.stem: json.loads(path.read_text()) for path in project.root.glob("*.seen")}
    return result, seen


def _unindented(source: str) -> str:
    return "\n".join(line.removeprefix("        ") for line in source.splitlines())


@pytest.mark.parametrize("case", CHANGES)
def test_the_next_script_does_not_meet_what_one_leaves_that(
    changed: tuple[Result, dict[str, Any]], case: str
) -> None:
    _, seen = changed
    number = list(CHANGES).index(case)
    following = f"s{number + 1:02}" if number + 1 < len(CHANGES) else "z_last"
    first, then = seen["s00"], seen[following]
    assert {name: then[name] for name in then if then[name] != first[name]} == {}


@pytest.mark.parametrize("case", sampled({case: case for case in CHANGES}, [*CHANGES][::4]))
def test_each_of_these_changes_is_one(case: str, tmp_path: Path) -> None:
    project = make_project(tmp_path / "a project", {})
    project.write("shop/looking.py", LOOK)
    change, name = CHANGES[case]
    code = (
        f"from shop.looking import *\nbefore = look()\n{change}\nafter = look()\nos.seteuid(os.getuid())\n"
        f"(ROOT / 'changed').write_text(str(before[{name!r}] != after[{name!r}]))\n"
        "os._exit(0)"  # nothing can be printed
    )
    project.python(code)
    assert (project.root / "changed").read_text() == "True"


def test_the_report_is_complete_and_true(changed: tuple[Result, dict[str, Any]]) -> None:
    result, _ = changed
    failed = sum(
        "raise" in ENDINGS[number % 4] and "Exit(0)" not in ENDINGS[number % 4]
        for number in range(len(CHANGES))
    )
    assert f"{len(CHANGES) + 1 - failed} done, {failed} failed, 0 blocked, 0 skipped.\n" in result.out
    assert result.out.count("ValueError: as it ended\n") == 2 * len(
        [n for n in range(len(CHANGES)) if n % 4 == 1]
    )
    assert "could not be put back" not in result.text
    assert result.err.splitlines()[-2] == f"Some scripts did not run: {failed} failed."


# What happens in between.


@pytest.mark.parametrize("handler", ["signal.SIG_DFL", "lambda *_: 1 / 0"])
def test_an_alarm_that_a_script_has_left_does_not_ring_for_others(migrated: Project, handler: str) -> None:
    leave = f"import signal; signal.signal(signal.SIGALRM, {handler}); signal.pthread_sigmask(signal.SIG_BLOCK, {{14}})"
    wait = "import threading; signal.pthread_kill(threading.main_thread().ident, 14); signal.alarm(1000)"
    migrated.command("shop.a", body=f"{leave}; {wait}")
    migrated.command(
        "shop.b", body="import signal; print(signal.sigpending(), signal.getitimer(signal.ITIMER_REAL))"
    )
    assert "set() (0.0, 0.0)\n" in migrated.manage("run_scripts").out
    assert set(migrated.states().values()) == {"applied"}


def test_sigterm_ends_the_run_after_a_script_that_has_switched_it_off(migrated: Project) -> None:
    migrated.command("shop.a", body="import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)")
    migrated.command("shop.b", body="import os; os.kill(os.getpid(), 15)")
    migrated.command("shop.c")
    assert "interrupted: SIGTERM" in migrated.manage("run_scripts", code=143).out
    assert migrated.states() == {"shop.a": "applied", "shop.b": "failed", "shop.c": "new"}


def test_a_signal_that_waits_is_taken_when_the_script_has_ended(migrated: Project) -> None:
    block = (
        "import signal, threading; signal.pthread_sigmask(signal.SIG_BLOCK, {15});"
        " signal.pthread_kill(threading.main_thread().ident, 15)"
    )
    migrated.command("shop.a", body=block)
    migrated.command("shop.b")
    result = migrated.manage("run_scripts", "--continue-on-error", code=143)
    assert "1 done, 0 failed, 0 blocked, 1 skipped." in result.out
    assert migrated.states() == {"shop.a": "applied", "shop.b": "new"}


def test_a_folder_that_is_gone_is_still_the_one_of_the_next_script(migrated: Project) -> None:
    migrated.command("shop.a", body="import os, shutil; os.rename(here, here + '2'); os.chdir('/')")
    path = migrated.path("shop.a")
    path.write_text(path.read_text() + "\nimport os; here = os.path.join(os.getcwd(), 'here')\n")
    migrated.command("shop.b", body="import os; print('in', os.getcwd())")
    (migrated.root / "here").mkdir()
    migrated.write(
        "go.py",
        "import os, runpy, sys; sys.path.insert(0, os.getcwd()); os.chdir('here'); runpy.run_path('../manage.py', run_name='__main__')",
    )
    path.write_text(path.read_text().replace("os.path.join(os.getcwd(), 'here')", "os.getcwd()"))
    result = migrated.run(sys.executable, "go.py", "run_scripts")
    assert f"in {migrated.root}/here2\n" in result.out, result


def test_what_a_script_adds_to_the_path_stays_at_its_end(migrated: Project) -> None:
    migrated.write("library/helper_of_a.py", "value = 'found'\n")
    migrated.write("library/shop/__init__.py", "raise ImportError('the wrong shop')\n")
    migrated.command(
        "shop.a", body="import sys, pathlib; sys.path.insert(0, str(pathlib.Path('library').absolute()))"
    )
    migrated.command("shop.b", body="import sys, helper_of_a; print(helper_of_a.value, sys.path[-1][-7:])")
    assert "found library\n" in migrated.manage("run_scripts").out


def test_what_a_script_does_when_it_is_imported_is_put_back_too(migrated: Project) -> None:
    path = migrated.command("shop.a")
    path.write_text(f"import os; os.environ['LEFT'] = '1'\n{path.read_text()}")
    migrated.command("shop.b", body="import os; print('left:', os.environ.get('LEFT'))")
    assert "left: None\n" in migrated.manage("run_scripts").out


@pytest.mark.parametrize(
    "close", ["sys.stdout.close()", "os.close(1)", "sys.stdout.detach()", "sys.stdout = None"]
)
def test_the_report_is_printed_after_a_script_that_closes_stdout(migrated: Project, close: str) -> None:
    migrated.command("shop.a", body=f"import os, sys; print('printed'); {close}")
    result = migrated.manage("run_scripts")
    assert "printed\n" in result.out
    assert result.out.endswith("1 done, 0 failed, 0 blocked, 0 skipped.\n")
    assert result.err == ""


def test_the_next_script_meets_the_terminal_as_it_was(migrated: Project) -> None:
    raw = "modes = termios.tcgetattr(0); modes[3] &= ~termios.ECHO; termios.tcsetattr(0, termios.TCSANOW, modes)"
    migrated.command("shop.a", body=f"import termios; {raw}")
    migrated.command(
        "shop.b", body="import termios; print('echo:', bool(termios.tcgetattr(0)[3] & termios.ECHO))"
    )
    assert "echo: True" in at_terminal(migrated, "run_scripts")


# What cannot be put back.


def test_what_cannot_be_put_back_is_a_warning_that_names_the_script(migrated: Project) -> None:
    migrated.command("shop.a", body="import os; os.closerange(3, 4096); os.chdir('/')")
    migrated.command("shop.b")
    result = migrated.manage("run_scripts")
    assert (
        "shop.a left the working folder changed, and it could not be put back for the scripts that follow"
        in result.err
    )
    assert "2 done" in result.out
    assert "Traceback" not in result.text


def test_an_error_of_one_part_hides_neither_the_outcome_nor_the_other_parts(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: object) -> None:
        raise OSError("no way back")

    parts = [
        part._replace(restore=fail) if part.name == "the umask" else part for part in process_state._PARTS
    ]
    monkeypatch.setattr(process_state, "_PARTS", parts)
    jobs.script("a", "import os; os.environ['LEFT'] = '1'; raise ValueError('as it ended')")
    result = jobs.run()
    assert "  jobs.a: ValueError: as it ended\n" in result.out
    assert "LEFT" not in os.environ
    assert "jobs.a left the umask changed" in caplog.text


def test_what_cannot_be_read_is_left_alone(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OSError("no access")

    monkeypatch.setattr(process_state, "_PARTS", [part._replace(read=fail) for part in process_state._PARTS])
    jobs.script("a")
    assert jobs.run().code == 0


# Where nothing is put back.


def keep_state(script: Callable[[], object]) -> None:
    state = process_state.ProcessState()
    process_state.call_with_own_context(script)
    assert state.restore(script_id("jobs.a")) is None
    state.close()


def test_in_a_thread_only_the_context_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEFT", "before")
    seen: list[object] = []

    def script() -> None:
        os.environ["LEFT"] = "after"
        decimal.getcontext().prec = 3

    def work() -> None:
        before = decimal.getcontext().prec
        keep_state(script)
        seen.extend([os.environ["LEFT"], decimal.getcontext().prec == before])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == ["after", True]


def test_a_tracked_command_that_code_calls_is_as_an_untracked_one(migrated: Project) -> None:
    migrated.command(
        "shop.a", body="import os, signal; os.environ['LEFT'] = '1'; signal.signal(signal.SIGUSR1, print)"
    )
    code = (
        "import os, signal; from django.core.management import call_command; call_command('a')\n"
        "print(os.environ['LEFT'], signal.getsignal(signal.SIGUSR1))"
    )
    assert migrated.python(code).out == "1 <built-in function print>\n"


def test_after_migrate_with_auto_run_the_process_is_as_before(migrated: Project) -> None:
    migrated.settings("SCRIPTS_TRACKER = {'auto_run': True}")
    migrated.command("shop.a", body="import os; os.environ['LEFT'] = '1'; os.chdir('/')")
    code = (
        "import os; from django.core.management import call_command; call_command('migrate', verbosity=1)\n"
        "print(os.environ.get('LEFT'), os.getcwd() == os.path.dirname(os.path.abspath('manage.py')))"
    )
    out = migrated.python(code).out
    assert "shop.a: done" in out
    assert out.endswith("None True\n")


def test_a_timer_of_the_project_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.signal(signal.SIGALRM, signal.SIG_IGN)
    signal.setitimer(signal.ITIMER_REAL, 5000, 700)
    try:
        keep_state(lambda: signal.alarm(0))
        left, interval = signal.getitimer(signal.ITIMER_REAL)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert (4000 < left <= 5000, interval) == (True, 700)


def test_no_descriptor_stays_open() -> None:
    def count() -> int:
        return len(os.listdir("/proc/self/fd"))

    before = count()
    keep_state(int)
    assert count() == before
