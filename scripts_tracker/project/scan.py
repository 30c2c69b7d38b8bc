"""The only way from Django into the analysis: the folders of the project, the scripts in them, and who a command is.

The analysis is imported inside the functions, because a tracked command needs nothing of it.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
import sys
from typing import TYPE_CHECKING

from django.apps import apps
from django.core.management import BaseCommand, call_command

from scripts_tracker import conf
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.core.values import INSTALLED, ScriptId

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import FrameType, ModuleType

    from django.apps import AppConfig

    from scripts_tracker.analysis.facts.values import FileFacts
    from scripts_tracker.analysis.store.cache import Cache
    from scripts_tracker.analysis.store.index_cache import ComparableVersions
    from scripts_tracker.core.values import (
        CommandsDir,
        Finding,
        ModuleVersion,
        ProjectIndex,
        ScriptDefinition,
    )

_OWN_APP = "scripts_tracker"
_TAIL = ("management", "commands")


def cache(root: str | None = None, more: Callable[[], Mapping[str, str]] = dict) -> Cache:
    """The cache in a folder.

    Args:
        root: the folder, by default the project root; empty to keep everything in memory.
        more: gives more texts by ``cache.key_of``.
    """
    from scripts_tracker.analysis.store.cache import Cache

    return Cache(conf.base_dir() if root is None else root, more)


def _package_of(app: AppConfig) -> str:
    return ".".join((app.name, *_TAIL))


def folder_of(app: AppConfig) -> CommandsDir:
    """The folder for the commands of an app, whether or not it exists."""
    from scripts_tracker.core.values import CommandsDir

    return CommandsDir(app.label, _package_of(app), os.path.join(app.path, *_TAIL))


def _is_of_the_project(app: AppConfig) -> bool:
    parts = os.path.normpath(app.path).split(os.sep)
    return app.name != _OWN_APP and not any(part in INSTALLED for part in parts)


def _named_folder(path: str) -> CommandsDir:
    """A folder that the settings name: that of an app, or another."""
    for app in apps.get_app_configs():
        folder = folder_of(app)
        if os.path.normpath(folder.path) == path:
            return folder
    from scripts_tracker.core.values import CommandsDir

    inside = os.path.relpath(path, conf.base_dir())
    parts = [part for part in inside.split(os.sep) if part not in {os.curdir, os.pardir}]
    owner = parts[:-2] if tuple(parts[-2:]) == _TAIL else parts
    label = owner[-1] if owner else os.path.basename(conf.base_dir())
    return CommandsDir(label, ".".join(parts), path)


def commands_dirs() -> tuple[CommandsDir, ...]:
    """The folders to scan: COMMANDS_DIRS, or ``management/commands`` of each app of the project."""
    named = conf.commands_dirs()
    if named is not None:
        return tuple(_named_folder(path) for path in named)
    folders = (folder_of(app) for app in apps.get_app_configs() if _is_of_the_project(app))
    return tuple(folder for folder in folders if _may_be_listed(folder.path) or _is_zipped(folder.path))


def _may_be_listed(path: str) -> bool:
    """Whether a path is a folder, or links that go in a cycle, which is worth a finding."""
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)
    except OSError as error:
        return error.errno == errno.ELOOP


def _is_zipped(path: str) -> bool:
    if os.path.isdir(os.path.dirname(os.path.dirname(path))):
        return False  # as most apps without commands
    from scripts_tracker.analysis.source.reading import is_zipped

    return is_zipped(path)


def is_scanned(app: AppConfig) -> bool:
    """Whether the commands of an app are scanned."""
    if conf.commands_dirs() is None:
        return _is_of_the_project(app)
    path = os.path.normpath(folder_of(app).path)
    return any(os.path.normpath(folder.path) == path for folder in commands_dirs())


def scan(cache: Cache | None = None, comparable: ComparableVersions | None = None) -> ProjectIndex:
    """Read the project's command files.

    Args:
        cache: has facts and indexes from before; takes new ones, and is saved.
        comparable: what scripts are compared with, see ``analyse``; None if every fingerprint is needed.
    """
    from scripts_tracker.analysis.linking.scanning import analyse
    from scripts_tracker.analysis.source.collector import collector_paused
    from scripts_tracker.analysis.store.index_cache import every_version

    with collector_paused():
        index = analyse(
            commands_dirs(),
            root=conf.base_dir(),
            import_roots=import_roots(),
            ignored_files=conf.ignored_files(),
            ignored_prefixes=conf.ignored_prefixes(),
            cache=cache,
            comparable=comparable or every_version,
        )
        if cache is not None:
            cache.save()
    return index


def scripts(cache: Cache) -> tuple[ScriptDefinition, ...]:
    """The scripts in the project's files, for their names and places: no fingerprint is made for that."""
    from scripts_tracker.analysis.store.index_cache import no_version

    return scan(cache, no_version).definitions


def watched_modules(names: Sequence[str]) -> tuple[ModuleVersion, ...]:
    """The modules with these dotted names, as they are now."""
    from scripts_tracker.analysis.findings import Findings
    from scripts_tracker.analysis.linking.arguments import WatchReader
    from scripts_tracker.analysis.linking.modules import FactsLoader, Finder

    root = conf.base_dir()
    reader = WatchReader(Finder(commands_dirs(), root, import_roots()), FactsLoader(cache()), Findings(root))
    return tuple(reader.version(name) for name in names)


def import_roots() -> tuple[str, ...]:
    """The folders that Python imports from."""
    return tuple(path for path in sys.path if os.path.isdir(path))


def lint() -> list[Finding]:
    """The findings of the lint, with the labels and folders of the app registry, and with the lint's own cache.

    An image that is built with it also brings the index of a check.

    Raises:
        WrongUseError: [tool.scripts_tracker] in pyproject.toml is invalid.
    """
    from scripts_tracker.lint import config, layout
    from scripts_tracker.lint.engine import Session
    from scripts_tracker.lint.layout import Request

    root = config.folder_of_project(conf.base_dir()) or conf.base_dir()
    settings = config.read(root)
    request = Request(
        commands_dirs(),
        root,
        import_roots(),
        tuple(sorted(conf.ignored_files())),
        conf.ignored_prefixes(),
    )
    walked = layout.walk(root, settings.exclude)
    known = cache(root)
    found = Session(request, settings, tuple(walked.modules), loops=tuple(walked.loops)).findings(known)
    if root == conf.base_dir():
        scan(known)
    return found


def facts_of(source: bytes) -> FileFacts:
    """The facts of one file; raises UnreadableSource if it cannot be parsed."""
    # This imports libcst, which takes 0.2 s.
    from scripts_tracker.analysis.facts.extraction import extract

    return extract(source)


def full_facts(source: bytes, content_digest: str, cache: Cache) -> FileFacts:
    """The facts of one file with its fingerprint, from the cache if it has them; raises as ``facts_of``."""
    facts = cache.full_facts(content_digest)
    if facts is None:
        facts = facts_of(source)
        cache.put_facts(content_digest, facts)
    return facts


def script_of_module(module_name: str) -> ScriptId:
    """The id of the command in a module, by the app registry, or by the folder that contains ``management``.

    Args:
        module_name: dotted, such as ``shop.management.commands.fix_totals``.
    """
    package, _, name = module_name.rpartition(".")
    for app in apps.get_app_configs():
        if package == _package_of(app):
            return ScriptId(app.label, name)
    for folder in commands_dirs():
        if package == folder.package:
            return ScriptId(folder.app_label, name)
    parts = package.split(".")
    owner = parts[:-2] if tuple(parts[-2:]) == _TAIL else parts
    return ScriptId(owner[-1] if owner else package, name)


def module_of(script_id: ScriptId, path: str) -> str:
    """The dotted module of a script's file, the inverse of ``script_of_module``.

    Args:
        script_id: the script.
        path: its file, as reports show it.
    """
    folder = os.path.dirname(absolute_path(path))
    for known in commands_dirs():
        if (known.app_label, os.path.normpath(known.path)) == (script_id.app_label, os.path.normpath(folder)):
            return f"{known.package}.{script_id.name}"
    return f"{script_id.app_label}.{'.'.join(_TAIL)}.{script_id.name}"


def shown_path(path: str) -> str:
    """The path of a file for reports: posix, and relative to the project root if it is in it."""
    root = conf.base_dir()
    inside = os.path.relpath(path, root) if path.startswith(os.path.join(root, "")) else path
    return inside.replace(os.sep, "/")


def absolute_path(shown: str) -> str:
    """The inverse of ``shown_path``."""
    return os.path.join(conf.base_dir(), shown)


def absence(shown: str) -> str | None:
    """Why the file with this path in reports holds no tracked script any more; None if the file is gone."""
    path = absolute_path(shown)
    if not shown or not os.path.exists(path):
        return None
    return _why_not_read(path) or "its file is there, but no longer tracked"


def _why_not_read(path: str) -> str:
    """Why the scan does not read a file; empty if it does."""
    folder, name = os.path.split(os.path.realpath(path))
    lowered = name.lower()
    if lowered in {one.lower() for one in conf.ignored_files()}:
        return "its file is ignored by IGNORED_FILES"
    if lowered.startswith(tuple(one.lower() for one in conf.ignored_prefixes() if one)):
        return "its file is ignored by IGNORED_CMD_PREFIXES"
    if all(os.path.realpath(one.path) != folder for one in commands_dirs()):
        named = conf.commands_dirs() is not None
        return f"its folder is not scanned: {_NOT_NAMED if named else _NO_APP}"
    return ""


_NOT_NAMED = "COMMANDS_DIRS does not name it"
_NO_APP = "it is not in an installed app of the project"


def why_unseen(identity: Identity) -> str:
    """Why a check does not see a script that has just run; empty if it does.

    Most scripts are decorated in plain sight, which takes a look at the lines of one file. Only the others are analysed.
    """
    source = b""
    if identity.file.endswith(".py"):
        with contextlib.suppress(OSError), io.open(identity.file, "rb") as file:  # noqa: UP020 - as in versions
            source = file.read()
    reason = _why_not_read(identity.file)
    if reason or not source or _is_plainly_tracked(source):
        return reason
    return "" if _sees(identity) else "its decorator cannot be followed to @tracked_script"


def _is_plainly_tracked(source: bytes) -> bool:
    lines = [line.strip() for line in source.splitlines() if b"tracked_script" in line]
    return b"\nclass Command" in source and any(line.startswith(b"@") for line in lines)


def _sees(identity: Identity) -> bool:
    """Whether the analysis of the script's file, and of what it imports, finds the script."""
    from scripts_tracker.analysis.findings import Findings
    from scripts_tracker.analysis.linking.linker import Linker
    from scripts_tracker.analysis.linking.modules import Finder
    from scripts_tracker.analysis.source.reading import CommandFile
    from scripts_tracker.analysis.store.index_cache import no_version

    known, root, folder = cache(), conf.base_dir(), os.path.dirname(os.path.realpath(identity.file))
    dirs = commands_dirs()
    files = [
        CommandFile(one, identity.id.name, identity.file, ignored=False)
        for one in dirs
        if os.path.realpath(one.path) == folder
    ]
    finder = Finder(dirs, root, import_roots())
    linker = Linker(files, finder, known, Findings(root), comparable=no_version)
    found = linker.index().definitions
    known.save()
    return any(one.id == identity.id for one in found)


class Identity(NamedTuple):
    """A running script: its id, its file as reports show it, and its absolute file."""

    id: ScriptId
    path: str
    file: str


def _is_command_module(name: str) -> bool:
    return "management.commands." in name and ".management.commands." in f".{name}"


def _offering(command_class: type) -> list[ModuleType]:
    """The loaded command modules whose ``Command`` is this class; the one that defines it is the first."""
    found = [
        module
        for name, module in list(sys.modules.items())
        if _is_command_module(name) and getattr(module, "Command", None) is command_class
    ]
    return sorted(found, key=lambda module: module.__name__ != command_class.__module__)


def _called_name() -> str | None:
    """The command name that Django was given for this call; None for a direct call of handle()."""
    frame: FrameType | None = sys._getframe()  # noqa: SLF001 - Django passes the name to nothing below
    while frame is not None:
        if frame.f_code is BaseCommand.run_from_argv.__code__:
            return str(frame.f_locals["argv"][1])
        if frame.f_code is call_command.__code__:
            given = frame.f_locals.get("command_name")
            return given if isinstance(given, str) else None
        frame = frame.f_back
    return None


def _module_of(command: object) -> ModuleType:
    own = sys.modules[type(command).__module__]
    offering = _offering(type(command))
    if len(offering) > 1:
        called = _called_name()
        for module in offering:
            if module.__name__.rpartition(".")[2] == called:
                return module
    return offering[0] if offering else own


def identify(command: object) -> Identity:
    """The script that a command object belongs to.

    If several command files have the same class (``from shop.base import Command``), the name that Django was given
    decides.
    """
    module = _module_of(command)
    file = os.path.abspath(module.__file__ or "")
    return Identity(script_of_module(module.__name__), shown_path(file), file)


def is_offered(script_id: ScriptId) -> bool:
    """Whether ``manage.py NAME`` runs this script, and not one with the same name of an app that comes before its own."""
    from django.core.management import get_commands  # by those who print what to type

    config = apps.app_configs.get(script_id.app_label)
    owner = get_commands().get(script_id.name)
    return config is None or owner in {None, config.name}
