"""The scripts that a script requires: which command each argument of ``@required_preceding_script`` names."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from scripts_tracker.analysis import codes
from scripts_tracker.analysis.resolving import Broken, FoundModule, FoundValue, Unknown
from scripts_tracker.analysis.values import Const, Ref, dotted
from scripts_tracker.datatypes import ScriptId

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from scripts_tracker.analysis.decorations import OurUse
    from scripts_tracker.analysis.modules import Module
    from scripts_tracker.analysis.resolving import Resolver
    from scripts_tracker.analysis.sources import CommandFile
    from scripts_tracker.analysis.values import Argument, Place

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
        report: takes module, place, code, message and hint of a finding.
    """

    def __init__(
        self, commands: Commands, resolver: Resolver, report: Callable[[Module, Place, str, str, str], None]
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
                home,
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
                home,
                argument.place,
                codes.WRONG_OPTION,
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
                home,
                place,
                codes.WRONG_OPTION,
                f"@required_preceding_script cannot take {value!r}",
                f"Name the script by its app and name, {_EXAMPLE}.",
            )
            return None
        label, _, name = value.rpartition(".")
        target = ScriptId(label or app_label, name)
        if target in self._commands.by_id:
            return target, str(target)
        hint = self._other_spelling(value) or self._nearest(target)
        self._report(
            home,
            place,
            codes.UNKNOWN_REQUIREMENT,
            f"the required script {target} does not exist",
            hint,
        )
        return None, value

    def _missing_module(self, path: str, argument: Argument, home: Module) -> tuple[None, str]:
        name = path.rpartition(".")[2]
        hint = self._other_spelling(name) or self._nearest(ScriptId("", name))
        message = f"the required module {path} is no management command of this project"
        self._report(home, argument.place, codes.UNKNOWN_REQUIREMENT, message, hint)
        return None, path

    def _report_computed(self, argument: Argument, home: Module) -> None:
        self._report(
            home,
            argument.place,
            codes.NOT_STATIC,
            "the required script cannot be known without running the code",
            f"Write it out as a text or a module, {_EXAMPLE}.",
        )

    def _other_spelling(self, value: str) -> str:
        """The hint for what names a script, but in a way that is not understood when the command runs."""
        file = self._commands.by_module.get(value)
        fitting = [file] if file else [one for one in self._commands.by_id.values() if one.name == value]
        names = sorted(f'"{one.folder.app_label}.{one.name}"' for one in fitting)
        return f"Write {' or '.join(names)}." if names else ""

    def _nearest(self, target: ScriptId) -> str:
        return nearest(target, self._commands.by_id)


def nearest(target: ScriptId, known: Mapping[ScriptId, object]) -> str:
    """A hint that names the scripts whose names are most like one that does not exist."""
    wanted = str(target) if target.app_label else target.name
    texts = {str(one): str(one) for one in sorted(known)}
    near = difflib.get_close_matches(wanted, texts, n=3, cutoff=0.7)
    if not near:
        names = {one.name: str(one) for one in sorted(known, reverse=True)}
        near = [names[name] for name in difflib.get_close_matches(target.name, names, n=3, cutoff=0.7)]
    if near:
        return f"Did you mean {' or '.join(near)}?"
    return "`manage.py check_scripts --all` lists the scripts that exist."
