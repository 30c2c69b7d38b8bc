"""The options of ``@tracked_script``, read from the call as it is written."""

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
    INSTALLED,
    RERUN_VALUES,
    Fingerprint,
    ModuleVersion,
    ScriptId,
    ScriptOptions,
)
from scripts_tracker.exceptions import UnreadableSource

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from scripts_tracker.analysis.facts.values import Argument, Call, Constant
    from scripts_tracker.analysis.findings import Findings
    from scripts_tracker.analysis.linking.modules import FactsLoader, Finder, Module
    from scripts_tracker.analysis.linking.resolving import OurUse, Resolver
    from scripts_tracker.analysis.source.reading import CommandFile
    from scripts_tracker.core.values import Place

NAMES: Final = ("rerun", "atomic", "tags", "unless", "watch")


def constant_of(argument: Argument, home: Module, resolver: Resolver) -> Const | None:
    """The one literal that an argument is, also through constants of modules; None where it is anything else."""
    entities = resolver.entities(argument.values, home)
    first = entities[0] if len(entities) == 1 else None
    return first.value if isinstance(first, FoundValue) and isinstance(first.value, Const) else None


def read_options(
    call: Call, home: Module, resolver: Resolver, report: Callable[[str, Place, str, str, str], None]
) -> ScriptOptions:
    """The options of one call of ``tracked_script``; what is wrong is reported and left at its default.

    Args:
        call: the call.
        home: the module that it stands in.
        resolver: follows names.
        report: takes file, place, code, message and hint of a finding.
    """
    options = ScriptOptions()
    for argument in call.arguments:
        name = argument.keyword
        tell = partial(report, home.file, argument.place)
        if argument.star:
            message = (
                f"the options of @tracked_script in {argument.star} cannot be read without running the code"
            )
            tell(codes.DYNAMIC_ARGUMENT, message, f"Write the options out, such as {_example('rerun')}.")
        elif name is None:
            message = "@tracked_script takes its options by name only"
            tell(codes.INVALID_OPTION, message, f"Write the name of the option, such as {_example('rerun')}.")
        elif name not in NAMES:
            hint = f"{_did_you_mean(name, NAMES)}The options are {', '.join(NAMES)}."
            tell(codes.INVALID_OPTION, f"@tracked_script has no option {name!r}", hint)
        else:
            options = _with_option(options, name, constant_of(argument, home, resolver), tell)
    return options


def _with_option(
    options: ScriptOptions, name: str, constant: Const | None, tell: Callable[[str, str, str], None]
) -> ScriptOptions:
    if constant is None:
        default = getattr(options, name)
        message = (
            f"the value of {name} cannot be known without running the code, so {name}={default!r} is assumed"
        )
        tell(codes.DYNAMIC_ARGUMENT, message, f"Write the value out, such as {_example(name)}.")
        return options
    value = constant.value
    if name == "rerun":
        for known in RERUN_VALUES:
            if value == known:
                return options._replace(rerun=known)
    elif name == "atomic":
        if isinstance(value, bool):
            return options._replace(atomic=value)
    elif isinstance(value, tuple) and all(isinstance(item, str) for item in value):
        texts = tuple(item for item in value if isinstance(item, str))
        if name == "watch" and all(texts):
            return options._replace(watch=tuple(dict.fromkeys(texts)))
        if name != "watch":
            return options._replace(tags=texts) if name == "tags" else options._replace(unless=texts)
    tell(codes.INVALID_OPTION, f"{name} cannot be {value!r}", _advice(name, value))
    return options


def _advice(name: str, value: Constant) -> str:
    if name == "rerun":
        near = _did_you_mean(value, RERUN_VALUES) if isinstance(value, str) else ""
        return f"{near}The values of rerun are {', '.join(map(repr, RERUN_VALUES))}."
    if name == "atomic":
        return "Write atomic=True or atomic=False."
    if isinstance(value, str):
        return f"Write {name}=({value!r},) with parentheses and a comma."
    return f"Write a tuple of texts, such as {_example(name)}."


def _example(name: str) -> str:
    examples = {
        "rerun": 'rerun="once"',
        "atomic": "atomic=True",
        "tags": 'tags=("deploy",)',
        "watch": 'watch=("shop.pricing",)',
    }
    return examples.get(name, 'unless=("dry_run",)')


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    near = nearest(name, known)
    return f"Did you mean {near!r}? " if near else ""


_EXAMPLE = 'such as @required_preceding_script("app.name")'


class Commands:
    """All commands of the project, by module and by identity, ignored ones included."""

    def __init__(self, files: Collection[CommandFile]) -> None:
        self.by_module = {file.module: file for file in reversed(list(files))}
        self.by_id = {ScriptId(file.folder.app_label, file.name): file for file in reversed(list(files))}


class RequirementReader:
    """Reads requirements.

    Args:
        commands: all commands.
        resolver: follows names.
        report: takes file, place, code, message and hint of a finding.
    """

    def __init__(
        self, commands: Commands, resolver: Resolver, report: Callable[[str, Place, str, str, str], None]
    ) -> None:
        self._commands = commands
        self._resolver = resolver
        self._report = report

    def read(self, use: OurUse, app_label: str) -> list[tuple[ScriptId | None, str, Module, Place]]:
        """What one use of the decorator requires: for each argument its target, its text, and where it stands.

        Args:
            use: the decorator.
            app_label: the app of the command that runs, to which names without an app belong.
        """
        home = use.call_home or use.home
        if use.call is None or not use.call.arguments:
            place = use.place if use.call is None or use.call_home is use.home else use.call.place
            self._report(
                home.file,
                place,
                codes.EMPTY_REQUIREMENT,
                "@required_preceding_script names no script",
                f"Name the scripts that have to run first, {_EXAMPLE}, or remove the decorator.",
            )
            return []
        found = []
        for argument in use.call.arguments:
            one = self._argument(argument, home, app_label)
            if one is not None:
                found.append((*one, home, argument.place))
        return found

    def _argument(
        self, argument: Argument, home: Module, app_label: str
    ) -> tuple[ScriptId | None, str] | None:
        if argument.keyword is not None:
            self._report(
                home.file,
                argument.place,
                codes.INVALID_OPTION,
                f"@required_preceding_script has no option {argument.keyword!r}",
                f"Give the scripts without a name, {_EXAMPLE}.",
            )
            return None
        if not argument.star:
            for value in argument.values:
                if isinstance(value, Ref):
                    module = self._module_named(value.path, home)
                    if module is not None:
                        return module
            return self._entity(argument, home, app_label)
        self._report_computed(argument, home)
        return None

    def _entity(self, argument: Argument, home: Module, app_label: str) -> tuple[ScriptId | None, str] | None:
        entities = self._resolver.entities(argument.values, home)
        for entity in entities:
            if isinstance(entity, FoundModule) and entity.module.name in self._commands.by_module:
                return self._module_named(entity.module.name, home)
        first = entities[0] if entities else None
        if isinstance(first, FoundValue) and isinstance(first.value, Const):
            return self.constant(first.value, argument.place, home, app_label)
        if isinstance(first, FoundModule | Unknown | Broken):
            path = first.path if isinstance(first, Unknown) else first.module.name
            return self._missing_module(path, argument, home)
        self._report_computed(argument, home)
        return None

    def _module_named(self, path: str, home: Module) -> tuple[ScriptId, str] | None:
        file = self._commands.by_module.get(dotted(home.absolute(path) or ""))
        if file is None:
            return None
        target = ScriptId(file.folder.app_label, file.name)
        return target, str(target)

    def constant(
        self, constant: Const, place: Place, home: Module, app_label: str
    ) -> tuple[ScriptId | None, str] | None:
        """The script that a literal names, and its text; None where it can name none.

        Args:
            constant: the literal.
            place: where it stands.
            home: the module that it stands in.
            app_label: the app of the command that runs.
        """
        value = constant.value
        if not isinstance(value, str) or not value:
            self._report(
                home.file,
                place,
                codes.INVALID_OPTION,
                f"@required_preceding_script cannot take {value!r}",
                f"Name the script by its app and name, {_EXAMPLE}.",
            )
            return None
        label, _, name = value.rpartition(".")
        target = ScriptId(label or app_label, name)
        if target in self._commands.by_id:
            return target, str(target)
        hint = self._other_spelling(value) or self._nearest(str(target))
        self._report(
            home.file,
            place,
            codes.UNKNOWN_REQUIREMENT,
            f"the required script {target} does not exist",
            hint,
        )
        return None, value

    def _missing_module(self, path: str, argument: Argument, home: Module) -> tuple[None, str]:
        name = path.rpartition(".")[2]
        hint = self._other_spelling(name) or self._nearest(name)
        message = f"the required module {path} is no management command of this project"
        self._report(home.file, argument.place, codes.UNKNOWN_REQUIREMENT, message, hint)
        return None, path

    def _report_computed(self, argument: Argument, home: Module) -> None:
        self._report(
            home.file,
            argument.place,
            codes.DYNAMIC_ARGUMENT,
            "the required script cannot be known without running the code",
            f"Write it out as a text or a module, {_EXAMPLE}.",
        )

    def _other_spelling(self, value: str) -> str:
        """The hint for what names a script, but in a way that is not understood when the command runs."""
        file = self._commands.by_module.get(value)
        fitting = [file] if file else [one for one in self._commands.by_id.values() if one.name == value]
        names = sorted(f'"{one.folder.app_label}.{one.name}"' for one in fitting)
        return f"Write {' or '.join(names)}." if names else ""

    def _nearest(self, wanted: str) -> str:
        near = nearest_scripts(wanted, self._commands.by_id)
        return (
            f"Did you mean {near}?"
            if near
            else "`manage.py check_scripts --all` lists the scripts that exist."
        )


_ONLY_OURS: Final = "Remove it from watch: what is installed beside the project is none of its modules."


class WatchReader:
    """Reads watched modules, each once, whoever watches it.

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
            home: the module in which they are named.
            place: where in it.
            own_path: the file of the script.
        """
        versions = []
        for name in names:
            wrong = self._wrong(name, own_path)
            if wrong is not None:
                self._findings.report(home.file, place, codes.INVALID_WATCH, *wrong)
            versions.append(self.version(name))
        return tuple(versions)

    def version(self, name: str) -> ModuleVersion:
        """One module as it is now; reports a file that cannot be analysed."""
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
        """The module's file; None where the project has none."""
        module = self._finder.find(name)
        return None if module is None or self._is_installed(module) else module.path

    def _is_installed(self, module: Module) -> bool:
        shown = self._findings.shown(module.path or "")
        return not set(INSTALLED).isdisjoint(shown.split("/"))

    def _wrong(self, name: str, own_path: str) -> tuple[str, str] | None:
        """Why it is of no use to watch a module, and what to do; None where it is of use."""
        module, top = self._finder.find(name), name.partition(".")[0]
        if top in SKIPPED or (module is not None and self._is_installed(module)):
            return f"the watched module {name} is one of an installed package", _ONLY_OURS
        if module is None:
            if top in sys.stdlib_module_names:
                return f"the watched module {name} is one of the standard library", _ONLY_OURS
            return f"the watched module {name} does not exist", self._hint(name)
        if module.path is None:
            hint = f"Name the modules in it that the script uses, such as {name}.something."
            return (
                f"the watched module {name} is a folder without __init__.py, so there is no code in it",
                hint,
            )
        if module.path == own_path:
            return f"the watched module {name} is the script itself", "Remove it: its own file always counts."
        return None

    def _hint(self, name: str) -> str:
        found = self._finder.longest(name)
        if found is not None and found[0].path is not None and not found[0].is_package:
            return f"Write {found[0].name!r}: a module is watched as a whole."
        near = [one for one in _near(name, self._finder) if self._path(one) is not None]
        if near:
            return f"Did you mean {' or '.join(near)}?"
        return 'Write the dotted name of a module of this project, such as watch=("shop.pricing",).'


def _near(name: str, finder: Finder) -> list[str]:
    """The dotted names that are most like one that does not exist."""
    prefixes = [""]
    for part in name.removesuffix(".py").replace("/", ".").strip(".").split("."):
        longer = []
        for prefix in prefixes:
            names = _below(finder.folders_of(prefix))
            fitting = [part] if part in names else close_matches(part, names, 3)
            longer += [f"{prefix}.{one}".lstrip(".") for one in fitting]
        prefixes = longer[:3]
    return prefixes


def _below(folders: Sequence[str]) -> list[str]:
    """The names of what may be modules in some folders."""
    names: set[str] = set()
    for folder in folders:
        try:
            entries = os.listdir(folder)
        except OSError:
            continue
        names.update(entry.removesuffix(".py") for entry in entries)
    return sorted(name for name in names if name.isidentifier())
