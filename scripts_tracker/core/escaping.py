"""Text from outside made harmless for whoever shows it: a terminal, the log of a CI server, a page."""

from __future__ import annotations


def visible(text: str) -> str:
    """The text with ``^[`` or ``<U+202E>`` in place of characters that control a terminal, hide text or end a line."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each == "\t" else _escape(each) for each in text)


def escaped(text: str) -> str:
    """The text as one line that commands nothing, for a terminal or a log.

    That is ``visible``, without what the log of a CI server takes for a command: ``::error::`` and ``##[group]`` (GitHub),
    ``##vso[...]`` (Azure), ``##teamcity[...]``.
    """
    text = visible(text)
    if "##" in text and "[" in text:
        import re  # as seldom as such a text

        text = re.sub(r"##(?=\w*\[)", "#<U+0023>", text)
    if "::" in text and text.lstrip().startswith("::"):
        text = text.replace("::", "<U+003A>:", 1)
    return text


def escaped_lines(text: str) -> str:
    """The same for a text of several lines."""
    return "\n".join(map(escaped, text.split("\n")))


def escaped_json(text: str) -> str:
    """The same for a JSON document, which stays what it was: JSON has escapes of its own."""
    if not text.replace("\n", "").isprintable():
        import json

        text = "".join(one if one.isprintable() or one == "\n" else json.dumps(one)[1:-1] for one in text)
    return text.replace("##", "#\\u0023")


def _escape(character: str) -> str:
    """As git and less show it, and unlike an escape that an author wrote."""
    code = ord(character)
    return f"^{chr(code + 64)}" if code < 32 else f"<U+{code:04X}>"  # noqa: PLR2004 - the controls of ASCII
