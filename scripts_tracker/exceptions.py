"""The exceptions of scripts_tracker: one root, and the docstring is the default message."""

from __future__ import annotations


class ScriptsTrackerError(Exception):
    """Something went wrong in scripts_tracker."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or "").strip())


class UnreadableSource(ScriptsTrackerError):
    """The source cannot be analysed.

    Attributes:
        line: 1-based line of the trouble; 1 where no line can be told.
        column: 1-based column of the trouble; 1 where no column can be told.
        reason: one sentence without a final full stop.
    """

    def __init__(self, reason: str, line: int = 1, column: int = 1) -> None:
        super().__init__(f"line {line}, column {column}: {reason}")
        self.reason = reason
        self.line = line
        self.column = column

    def __reduce__(self) -> tuple[type[UnreadableSource], tuple[str, int, int]]:
        # Exceptions pickle by their args, which here is the one built message.
        return type(self), (self.reason, self.line, self.column)


class UnknownScript(ScriptsTrackerError):
    """There is no such script."""


class LedgerMissing(ScriptsTrackerError):
    """The tracker's tables do not exist in this database."""


class Overtaken(ScriptsTrackerError):
    """Another process was quicker."""


class NotScaffolded(ScriptsTrackerError):
    """The file of the new script could not be made."""


class UserAbortingExecution(ScriptsTrackerError):
    """The user chose not to run the script before the ones it requires."""
