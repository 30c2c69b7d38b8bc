"""ST032."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import libcst as cst

from scripts_tracker.analysis import codes
from scripts_tracker.analysis.fingerprint.literals import string_value
from scripts_tracker.lint.base import TreeRule
from scripts_tracker.lint.batches import executed
from scripts_tracker.lint.parsers import keyword, method_of
from scripts_tracker.lint.values import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts_tracker.lint.file import Executed, Tree

_METHODS: Final = frozenset({"commit", "rollback", "set_autocommit", "set_rollback", "close"})
_OWNERS: Final = ("django.db.transaction", "django.db.connection")
_CLOSING: Final = frozenset({"django.db.close_old_connections", "django.db.connections.close_all"})
_CONNECTIONS: Final = "django.db.connections"
_ATOMIC: Final = "django.db.transaction.atomic"
_STATEMENTS: Final = frozenset({"COMMIT", "ROLLBACK", "BEGIN", "START", "END", "ABORT"})
_WORDS: Final = ("commit", "rollback", "autocommit", "durable", "close", "execute")
_HINT: Final = (
    "Remove it: each batch is committed when process() returns, together with how far the script has come."
)


class TransactionControl(TreeRule):
    """`process()` ends or replaces the transaction of its batch.

    ## What it does
    Reports `commit()`, `rollback()`, `set_autocommit()`, `set_rollback()`, `close()` of the connection,
    `transaction.atomic(durable=True)` and SQL such as `COMMIT` in `process()` of a BatchedCommand, and in the methods
    and functions of the file that it calls. `transaction.atomic()` and savepoints are fine.

    ## Why is this bad?
    A batch takes effect exactly once because its rows and how far the script has come are committed together. A commit
    in between separates the two; `durable=True` fails inside a transaction.

    ## Example
    ```python
    @tracked_script
    def process(self, batch):
        batch.update(total=F("cents") / 100)
        transaction.commit()
    ```

    ## Use instead
    ```python
    @tracked_script
    def process(self, batch):
        batch.update(total=F("cents") / 100)
    ```
    """

    code = codes.TRANSACTION_CONTROL

    def check(self, tree: Tree) -> Iterator[Violation]:
        """Yield the calls that end a transaction, or need to begin one."""
        if not tree.processes or not any(word in tree.text.lower() for word in _WORDS):
            return
        for one in executed(tree):
            what = _what(tree, one, one.node) if isinstance(one.node, cst.Call) else ""
            if what:
                message = f"{what} in process() breaks the transaction of the batch"
                yield Violation(tree.place(one.node), message, _HINT, one.where, batched=True)


def _what(tree: Tree, one: Executed, call: cst.Call) -> str:
    """How a call is shown that breaks the transaction; empty for any other."""
    name = tree.origin(call.func, one.use)
    owner, _, method = name.rpartition(".")
    if (owner in _OWNERS and method in _METHODS) or name in _CLOSING:
        return f"{method}()"
    durable = keyword(call, "durable")
    if name == _ATOMIC and isinstance(durable, cst.Name) and durable.value == "True":
        return "atomic(durable=True)"
    if method_of(call) in _METHODS and _is_connection(tree, one, call.func):
        return f"{method_of(call)}()"
    if method_of(call) == "execute" and call.args:
        text = string_value(call.args[0].value)
        words = text.strip().rstrip(";").upper().split() if isinstance(text, str) else []
        if words and words[0] in _STATEMENTS:
            return words[0]
    return ""


def _is_connection(tree: Tree, one: Executed, function: cst.BaseExpression) -> bool:
    """Whether a method is that of ``connections[...]``."""
    owner = function.value if isinstance(function, cst.Attribute) else None
    return isinstance(owner, cst.Subscript) and tree.origin(owner.value, one.use) == _CONNECTIONS
