"""The exceptions of scripts_tracker: one root, and each docstring is the default message."""

from __future__ import annotations


class ScriptsTrackerError(Exception):
    """Something went wrong in scripts_tracker."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or "").strip())


class UnreadableSource(ScriptsTrackerError):
    """The source cannot be parsed.

    Attributes:
        line: 1-based line of the problem; 1 if unknown.
        column: 1-based column of the problem; 1 if unknown.
        reason: one sentence without its full stop.
    """

    def __init__(self, reason: str, line: int = 1, column: int = 1) -> None:
        super().__init__(f"line {line}, column {column}: {reason}")
        self.reason = reason
        self.line = line
        self.column = column

    def __reduce__(self) -> tuple[type[UnreadableSource], tuple[str, int, int]]:
        # Exceptions pickle their args: here, the one built message.
        return type(self), (self.reason, self.line, self.column)


class UnreadableFile(UnreadableSource):
    """There is no source to parse: the file cannot be read, or is none."""


class UnknownScript(ScriptsTrackerError):
    """There is no such script."""


class UnknownRun(ScriptsTrackerError):
    """The script has no such run."""


class LedgerMissing(ScriptsTrackerError):
    """The tracker's tables do not exist in this database."""


class Overtaken(ScriptsTrackerError):
    """Another process was faster."""


class Unrenewable(ScriptsTrackerError):
    """The lease of a run cannot be renewed."""


class NotScaffolded(ScriptsTrackerError):
    """The file of the new script could not be created."""


class UserAbortingExecution(ScriptsTrackerError):
    """The user chose not to run the script before the ones it requires."""
