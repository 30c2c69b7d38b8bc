"""Indexes and outcomes as JSON, for what remembers them."""

from __future__ import annotations

from typing import Any, NamedTuple

from scripts_tracker.datatypes import (
    Finding,
    Fingerprint,
    Location,
    ModuleVersion,
    ProjectIndex,
    Requirement,
    ScriptDefinition,
    ScriptId,
    ScriptOptions,
)


class Outcome(NamedTuple):
    """What became of one command file, as long as nothing changes that it depends on.

    Attributes:
        definition: the script, before requirements are checked against other scripts; None for no script.
        findings: what was found wrong on the way.
        lineage: the classes that the script is made of, as path and name, where they are not all in its own file.
    """

    definition: ScriptDefinition | None = None
    findings: tuple[Finding, ...] = ()
    lineage: tuple[tuple[str, str], ...] = ()


def encoded(index: ProjectIndex) -> list[Any]:
    """An index as JSON."""
    return [
        [_definition_to_json(one) for one in index.definitions],
        [_finding_to_json(one) for one in index.findings],
    ]


def outcome_to_json(one: Outcome) -> list[Any]:
    """One outcome as JSON."""
    definition = None if one.definition is None else _definition_to_json(one.definition)
    return [definition, [_finding_to_json(each) for each in one.findings], one.lineage]


def outcome_from_json(data: Any) -> Outcome:
    """The inverse of ``outcome_to_json``."""
    definition, findings, lineage = data
    return Outcome(
        None if definition is None else _definition_from_json(definition, {}),
        tuple(_finding_from_json(one) for one in findings),
        tuple((path, name) for path, name in lineage),
    )


def _finding_to_json(one: Finding) -> list[Any]:
    return [*_place(one.location), one.code, one.message, one.hint, one.fixable]


def _finding_from_json(data: Any) -> Finding:
    return Finding(Location(*data[:3]), *data[3:])


def _place(location: Location) -> tuple[str, int, int]:
    return location.path, location.line, location.column


def _definition_to_json(one: ScriptDefinition) -> list[Any]:
    options = one.options
    return [
        [one.id.app_label, one.id.name],
        _place(one.location),
        str(one.fingerprint),
        one.content_digest,
        one.help,
        [options.rerun, options.atomic, options.tags, options.unless],
        [
            [
                [each.target.app_label, each.target.name] if each.target else None,
                each.text,
                _place(each.location),
            ]
            for each in one.requires
        ],
        *([list(map(_watched_to_json, one.watches))] if one.watches else ()),
    ]


def _watched_to_json(one: ModuleVersion) -> list[Any]:
    return [one.module, str(one.fingerprint) if one.fingerprint else None, one.content_digest]


def _watched_from_json(data: Any) -> ModuleVersion:
    module, fingerprint, digest = data
    return ModuleVersion(module, Fingerprint.parse(fingerprint) if fingerprint else None, digest)


def decoded(data: Any) -> ProjectIndex:
    """The inverse of ``encoded``; raises ValueError, TypeError or LookupError for anything malformed."""
    definitions, findings = data
    plain: dict[str, ScriptOptions] = {}
    return ProjectIndex(
        tuple(_definition_from_json(one, plain) for one in definitions),
        tuple(_finding_from_json(one) for one in findings),
    )


def _definition_from_json(data: Any, known: dict[str, ScriptOptions]) -> ScriptDefinition:
    script, where, fingerprint, digest, help_, options, requires, *rest = data
    watches = tuple(map(_watched_from_json, rest[0])) if rest else ()
    key = repr((options, rest)) if rest else repr(options)
    if key not in known:
        rerun, atomic, tags, unless = options
        names = tuple(one.module for one in watches)
        known[key] = ScriptOptions(rerun, atomic, tuple(tags), tuple(unless), names)
    return ScriptDefinition(
        ScriptId(*script),
        Location(*where),
        Fingerprint.parse(fingerprint),
        digest,
        help_,
        known[key],
        tuple(
            Requirement(ScriptId(*target) if target else None, text, Location(*there))
            for target, text, there in requires
        ),
        watches,
    )
