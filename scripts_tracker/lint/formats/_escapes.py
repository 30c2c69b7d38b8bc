"""Texts of other people's files, made fit for terminals and logs."""

from __future__ import annotations


def visible(text: str) -> str:
    """The text with escapes in place of what is not printable: nothing in it steers a terminal or ends a line."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _escape(each) for each in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
