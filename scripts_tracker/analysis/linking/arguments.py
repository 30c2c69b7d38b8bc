"""The arguments of our decorators, as they are written: options, required scripts and watched modules."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import TYPE_CHECKING, Final

from scripts_tracker.analysis import codes
from scripts_tracker.analysis.facts.values import Const, Ref, dotted
from scripts_tracker.analysis.linking.modules import SKIPPED
from scripts_tracker.analysis.linking.resolving import Broken, FoundModule, FoundValue, Unknown
from scripts_tracker.core.names import close_matches, nearest, nearest_scripts
from scripts_tracker.core.values import (
    FRESH_VALUES,
    INSTALLED,
    RERUN_VALUES,
    Fingerprint,
    ModuleVersion,
    ScriptId,
    ScriptOptions,
)
from scripts_tracker.exceptions import UnreadableSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from scripts_tracker.analysis.facts.values import Argument, Constant
    from scripts_tracker.analysis.findings import Findings
    from scripts_tracker.analysis.linking.modules import FactsLoader, Finder, Module
    from scripts_tracker.analysis.linking.resolving import OurUse, Resolver
    from scripts_tracker.analysis.source.reading import CommandFile
    from scripts_tracker.core.values import Place

    Report = Callable[[str, Place, str, str, str], None]
    """Takes the path, place, code, message and hint of a finding."""

OPTIONS: Final = ("rerun", "atomic", "tags", "unless", "watch", "arguments", "verify", "fresh")
_EXAMPLES: Final = {
    "rerun": 'rerun="once"',
    "atomic": "atomic=True",
    "tags": 'tags=("deploy",)',
    "unless": 'unless=("dry_run",)',
    "watch": 'watch=("shop.pricing",)',
    "arguments": 'arguments=("--since", "2024-01-01")',
    "verify": 'verify="check_totals"',
    "fresh": 'fresh="mark"',
}


_WORDS: Final[dict[str, tuple[str, ...]]] = {"rerun": RERUN_VALUES, "fresh": FRESH_VALUES}


def read_options(use: OurUse, resolver: Resolver, report: Report) -> ScriptOptions:
    """The options of ``tracked_script``; an invalid one is reported and has its default."""
    options, home = ScriptOptions(), use.arguments_home
    for argument in use.arguments:
        name = argument.keyword
        add = partial(report, home.file, argument.place)
        if argument.star:
            message = f"the options of @tracked_script in {argument.star} are not literals"
            add(codes.DYNAMIC_ARGUMENT, message, f"Write out the options, such as {_EXAMPLES['rerun']}.")
        elif name is None:
            message = "@tracked_script takes only keyword arguments"
            add(codes.INVALID_OPTION, message, f"Add the name of the option, such as {_EXAMPLES['rerun']}.")
        elif name not in OPTIONS:
            hint = f"{_did_you_mean(name, OPTIONS)}The options are {', '.join(OPTIONS)}."
            add(codes.INVALID_OPTION, f"@tracked_script has no option {name!r}", hint)
        else:
            options = _with_option(options, name, _constant(argument, home, resolver), add)
    return options


def _constant(argument: Argument, home: Module, resolver: Resolver) -> Const | None:
    """The literal that an argument is, also through a constant of a module; None for anything else."""
    entities = resolver.entities(argument.values, home)
    first = entities[0] if len(entities) == 1 else None
    return first.value if isinstance(first, FoundValue) and isinstance(first.value, Const) else None


def _with_option(
    options: ScriptOptions, name: str, constant: Const | None, add: Callable[[str, str, str], None]
) -> ScriptOptions:
    if constant is None:
        message = f"the value of {name} is not a literal, so {name}={getattr(options, name)!r} is assumed"
        add(codes.DYNAMIC_ARGUMENT, message, f"Write out the value, such as {_EXAMPLES[name]}.")
        return options
    value = constant.value
    if name in _WORDS or name == "verify":
        if _is_word(name, value):
            return options._replace(**{name: value})  # type: ignore[arg-type]  # as _is_word says
    elif name == "atomic":
        if isinstance(value, bool):
            return options._replace(atomic=value)
    elif isinstance(value, tuple) and all(isinstance(item, str) for item in value):
        texts = tuple(item for item in value if isinstance(item, str))
        if name != "watch" or all(texts):
            return _with_texts(options, name, texts)
    add(codes.INVALID_OPTION, f"{name} cannot be {value!r}", _advice(name, value))
    return options


def _is_word(name: str, value: Constant) -> bool:
    """Whether a value is one of the words that an option takes, or the name of a method, or is as good as left out."""
    if value is None:
        return name != "rerun"
    if name in _WORDS:
        return value in _WORDS[name]
    return isinstance(value, str) and value.isidentifier()


def _with_texts(options: ScriptOptions, name: str, texts: tuple[str, ...]) -> ScriptOptions:
    if name == "watch":
        return options._replace(watch=tuple(dict.fromkeys(texts)))
    if name == "arguments":
        return options._replace(arguments=texts)
    return options._replace(tags=texts) if name == "tags" else options._replace(unless=texts)


def _advice(name: str, value: Constant) -> str:
    if name in _WORDS:
        near = _did_you_mean(value, _WORDS[name]) if isinstance(value, str) else ""
        return f"{near}The values of {name} are {', '.join(map(repr, _WORDS[name]))}."
    if name == "verify":
        return f"Write the name of a method of the command, such as {_EXAMPLES[name]}."
    if name == "atomic":
        return "Write atomic=True or atomic=False."
    if isinstance(value, str):
        return f"Write {name}=({value!r},) with parentheses and a comma."
    return f"Write a tuple of strings, such as {_EXAMPLES[name]}."


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    near = nearest(name, known)
    return f"Did you mean {near!r}? " if near else ""


_EXAMPLE: Final = 'such as @required_preceding_script("app.name")'


# A search for the nearest name looks at all names. With more wrong names than this, the last ones get a general hint.
_MOST_SEARCHES: Final = 100


class RequirementReader:
    """Reads the arguments of ``required_preceding_script``.

    Args:
        files: all commands of the project, ignored ones included.
        resolver: follows names.
        report: takes what is wrong.
    """

    def __init__(self, files: Sequence[CommandFile], resolver: Resolver, report: Report) -> None:
        self._by_module = {file.module: file for file in reversed(files)}
        self._by_id = {ScriptId(file.folder.app_label, file.name): file for file in reversed(files)}
        self._by_name: dict[str, list[ScriptId]] = {}
        for script_id in sorted(self._by_id):
            self._by_name.setdefault(script_id.name, []).append(script_id)
        self._searches_left = _MOST_SEARCHES
        self._resolver = resolver
        self._report = report

    def read(self, use: OurUse, app_label: str) -> list[tuple[ScriptId | None, str, Module, Place]]:
        """The scripts that one use of the decorator requires: the id, the text, and the place of each argument.

        Args:
            use: the decorator.
            app_label: the app of the command, which is that of names without an app.
        """
        home = use.arguments_home
        if use.call is None or not use.arguments:
            place = use.place if use.call is None or home is use.home else use.call.place
            message = "@required_preceding_script names no script"
            hint = f"Name the scripts that have to run first, {_EXAMPLE}, or remove the decorator."
            self._report(home.file, place, codes.EMPTY_REQUIREMENT, message, hint)
            return []
        found = [(self._argument(argument, home, app_label), argument.place) for argument in use.arguments]
        return [(*one, home, place) for one, place in found if one is not None]

    def _argument(
        self, argument: Argument, home: Module, app_label: str
    ) -> tuple[ScriptId | None, str] | None:
        if argument.keyword is not None:
            message = f"@required_preceding_script has no option {argument.keyword!r}"
            hint = f"Pass the scripts as positional arguments, {_EXAMPLE}."
            self._report(home.file, argument.place, codes.INVALID_OPTION, message, hint)
            return None
        if argument.star:
            self._report_dynamic(argument, home)
            return None
        for value in argument.values:
            if isinstance(value, Ref) and (found := self._command_module(value.path, home)) is not None:
                return found
        return self._entity(argument, home, app_label)

    def _entity(self, argument: Argument, home: Module, app_label: str) -> tuple[ScriptId | None, str] | None:
        entities = self._resolver.entities(argument.values, home)
        for entity in entities:
            if isinstance(entity, FoundModule) and entity.module.name in self._by_module:
                return self._command_module(entity.module.name, home)
        first = entities[0] if entities else None
        if isinstance(first, FoundValue) and isinstance(first.value, Const):
            return self._literal(first.value, argument.place, home, app_label)
        if isinstance(first, FoundModule | Unknown | Broken):
            path = first.path if isinstance(first, Unknown) else first.module.name
            return self._missing_module(path, argument, home)
        self._report_dynamic(argument, home)
        return None

    def _command_module(self, path: str, home: Module) -> tuple[ScriptId, str] | None:
        file = self._by_module.get(dotted(home.absolute(path) or ""))
        if file is None:
            return None
        target = ScriptId(file.folder.app_label, file.name)
        return target, str(target)

    def _literal(
        self, constant: Const, place: Place, home: Module, app_label: str
    ) -> tuple[ScriptId | None, str] | None:
        value = constant.value
        if not isinstance(value, str) or not value:
            message = f"@required_preceding_script cannot take {value!r}"
            hint = f"Pass the app and the name of the script, {_EXAMPLE}."
            self._report(home.file, place, codes.INVALID_OPTION, message, hint)
            return None
        label, _, name = value.rpartition(".")
        target = ScriptId(label or app_label, name)
        if target in self._by_id:
            return target, str(target)
        hint = self._other_spelling(value) or self._nearest(str(target))
        message = f"required script {target} does not exist"
        self._report(home.file, place, codes.UNKNOWN_REQUIREMENT, message, hint)
        return None, value

    def _missing_module(self, path: str, argument: Argument, home: Module) -> tuple[None, str]:
        name = path.rpartition(".")[2]
        hint = self._other_spelling(name) or self._nearest(name)
        message = f"required module {path} is not a management command of this project"
        self._report(home.file, argument.place, codes.UNKNOWN_REQUIREMENT, message, hint)
        return None, path

    def _report_dynamic(self, argument: Argument, home: Module) -> None:
        message = "the required script is not a literal"
        hint = f"Write it out as a string or a module, {_EXAMPLE}."
        self._report(home.file, argument.place, codes.DYNAMIC_ARGUMENT, message, hint)

    def _other_spelling(self, value: str) -> str:
        """A hint if the text names a script in a way that is not understood when the command runs."""
        file = self._by_module.get(value)
        fitting = [ScriptId(file.folder.app_label, file.name)] if file else self._by_name.get(value, [])
        names = [f'"{one}"' for one in fitting]
        return f"Write {' or '.join(names)}." if names else ""

    def _nearest(self, wanted: str) -> str:
        self._searches_left -= 1
        near = nearest_scripts(wanted, self._by_id) if self._searches_left >= 0 else ""
        return (
            f"Did you mean {near}?"
            if near
            else "`manage.py check_scripts --all` lists the scripts that exist."
        )


_REMOVE: Final = "Remove it from watch: only modules of this project can be watched."


class WatchReader:
    """Reads the modules in ``watch``.

    Args:
        finder: finds them.
        loader: reads them.
        findings: takes what is wrong.
    """

    def __init__(self, finder: Finder, loader: FactsLoader, findings: Findings) -> None:
        self._finder = finder
        self._loader = loader
        self._findings = findings

    def read(
        self, names: Sequence[str], home: Module, place: Place, own_path: str
    ) -> tuple[ModuleVersion, ...]:
        """The modules that one script watches, as they are now.

        Args:
            names: dotted.
            home: the module that contains the names.
            place: of the names.
            own_path: the file of the script.
        """
        for name in names:
            wrong = self._wrong(name, own_path)
            if wrong is not None:
                self._findings.report(home.file, place, codes.INVALID_WATCH, *wrong)
        versions = tuple(map(self.version, names))
        for one in versions:
            if one.fingerprint is not None and one.fingerprint.is_of_bytes:
                unread = self._loader.facts(self._path(one.module) or "").unread
                if unread is not None:
                    self._findings.watched_by_bytes(home.file, place, one.module, unread[0], unread[1][0])
        return versions

    def version(self, name: str) -> ModuleVersion:
        """One module, as it is now; reports a file that cannot be parsed."""
        path = self._path(name)
        if path is None:
            return ModuleVersion(name)
        digest = ""
        try:
            digest = self._loader.digest(path)
            return ModuleVersion(name, Fingerprint.parse(self._loader.fingerprint(path)), digest)
        except UnreadableSource as error:
            self._findings.unreadable(path, error)
            return ModuleVersion(name, None, digest)

    def _path(self, name: str) -> str | None:
        """The file of a module; None if the project has none."""
        module = self._finder.find(name)
        return None if module is None or self._is_installed(module) else module.path

    def _is_installed(self, module: Module) -> bool:
        shown = self._findings.shown(module.path or "")
        return not set(INSTALLED).isdisjoint(shown.split("/"))

    def _wrong(self, name: str, own_path: str) -> tuple[str, str] | None:
        """Why a module cannot be watched, and what to do; None if it can."""
        module, top = self._finder.find(name), name.partition(".")[0]
        subject = f"the watched module {name}"
        if top in SKIPPED or (module is not None and self._is_installed(module)):
            return f"{subject} belongs to an installed package", _REMOVE
        if module is None:
            if top in sys.stdlib_module_names:
                return f"{subject} belongs to the standard library", _REMOVE
            return f"{subject} does not exist", self._hint(name)
        if module.path is None:
            hint = f"Name the modules in it that the script uses, such as {name}.something."
            return f"{subject} is a folder without __init__.py, so it contains no code", hint
        if module.path == own_path:
            return f"{subject} is the script itself", "Remove it: its own file is always compared."
        return None

    def _hint(self, name: str) -> str:
        found = self._finder.longest(name)
        if found is not None and found[0].path is not None and not found[0].is_package:
            return f"Write {found[0].name!r}: only a whole module can be watched."
        near = [one for one in _near(name, self._finder) if self._path(one) is not None]
        if near:
            return f"Did you mean {' or '.join(near)}?"
        return f"Write the dotted name of a module of this project, such as {_EXAMPLES['watch']}."


def _near(name: str, finder: Finder) -> list[str]:
    """The dotted names most like one that does not exist."""
    prefixes = [""]
    for part in name.removesuffix(".py").replace("/", ".").strip(".").split("."):
        longer = []
        for prefix in prefixes:
            names = _names_in(finder.folders_of(prefix))
            fitting = [part] if part in names else close_matches(part, names, 3)
            longer += [f"{prefix}.{one}".lstrip(".") for one in fitting]
        prefixes = longer[:3]
    return prefixes


def _names_in(folders: Sequence[str]) -> list[str]:
    """The names of the possible modules in some folders."""
    names: set[str] = set()
    for folder in folders:
        try:
            entries = os.listdir(folder)
        except OSError:
            continue
        names.update(entry.removesuffix(".py") for entry in entries)
    return sorted(name for name in names if name.isidentifier())
