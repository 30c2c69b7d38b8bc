"""ST034."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import libcst as cst

from scripts_tracker.analysis import codes
from scripts_tracker.analysis.facts.scopes import dotted_name
from scripts_tracker.analysis.source.trees import descendants
from scripts_tracker.lint.base import TreeRule
from scripts_tracker.lint.batches import executed
from scripts_tracker.lint.parsers import method_of
from scripts_tracker.lint.values import Violation

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from scripts_tracker.lint.file import Executed, Tree

_VERBS: Final = ("delete", "get", "head", "options", "patch", "post", "put", "request")
_MAIL: Final = "django.core.mail"
_DIRECT: Final = frozenset(
    {f"{_MAIL}.{name}" for name in ("send_mail", "send_mass_mail", "mail_admins", "mail_managers")}
    | {f"{package}.{verb}" for package in ("requests", "httpx") for verb in _VERBS}
    | {"httpx.stream", "urllib.request.urlopen", "urllib.request.urlretrieve", "urllib3.request"}
)
"""The functions that send something."""
_MAKERS: Final = frozenset(
    {f"{_MAIL}.{name}" for name in ("EmailMessage", "EmailMultiAlternatives", "get_connection")}
    | {f"{_MAIL}.message.{name}" for name in ("EmailMessage", "EmailMultiAlternatives")}
    | {"requests.Session", "requests.session", "httpx.Client", "urllib3.PoolManager"}
    | {"http.client.HTTPConnection", "http.client.HTTPSConnection", "smtplib.SMTP", "smtplib.SMTP_SSL"}
)
"""What makes objects whose methods send something."""
_SENDING: Final = frozenset(
    {*_VERBS, "send", "send_message", "send_messages", "sendmail", "stream", "getresponse", "urlopen"}
)
_OF_USERS: Final = "email_user"
_WORDS: Final = ("mail", "requests", "httpx", "urllib", "http", "smtplib")


class EffectBeforeCommit(TreeRule):
    """`process()` sends mail or a request before its batch is committed.

    ## What it does
    Reports `send_mail()`, `mail_admins()`, `EmailMessage(...).send()` and similar, `requests`, `httpx`,
    `urllib.request.urlopen()` and similar in `process()` of a BatchedCommand, and in the methods and functions of the
    file that it calls. What is passed to `transaction.on_commit()` is fine.

    ## Why is this bad?
    A batch that fails is rolled back and tried again, in other batches too: the mail is sent again, and was sent for
    rows that then stayed as they were. A slow server also keeps the transaction open, and its rows locked.

    ## Example
    ```python
    @tracked_script
    def process(self, batch):
        for user in batch:
            user.close()
            send_mail("Closed", "...", None, [user.email])
    ```

    ## Use instead
    ```python
    @tracked_script
    def process(self, batch):
        for user in batch:
            user.close()
            transaction.on_commit(partial(send_mail, "Closed", "...", None, [user.email]))
    ```
    """

    code = codes.EFFECT_BEFORE_COMMIT

    def check(self, tree: Tree) -> Iterator[Violation]:
        """Yield the calls that send something."""
        text = tree.text.lower()
        if not tree.processes or not any(word in text for word in _WORDS):
            return
        found = executed(tree)
        makers = {id(one.node) for one in found if isinstance(one.node, cst.Call) and _makes(tree, one)}
        made = {*_made(tree, makers)}
        for one in found:
            name = _sends(tree, one, one.node, made) if isinstance(one.node, cst.Call) else ""
            if name:
                message = f"{name}() is called before the batch is committed, and again if it is retried"
                hint = "Pass it to transaction.on_commit(), or do it before the script or in finish()."
                yield Violation(tree.place(one.node), message, hint, one.where, batched=True)


def _sends(tree: Tree, one: Executed, call: cst.Call, made: set[str]) -> str:
    """The name of a call that sends something; empty for any other."""
    name = tree.origin(call.func, one.use)
    if name in _DIRECT:
        return name.rpartition(".")[2] if name.startswith(_MAIL) else name
    method, owner = method_of(call), call.func.value if isinstance(call.func, cst.Attribute) else None
    if method == _OF_USERS:
        return method
    if method not in _SENDING or owner is None:
        return ""
    is_made = isinstance(owner, cst.Call) and tree.origin(owner.func, one.use) in _MAKERS
    return method if is_made or (dotted_name(owner) or " ") in made else ""


def _makes(tree: Tree, one: Executed) -> bool:
    return isinstance(one.node, cst.Call) and tree.origin(one.node.func, one.use) in _MAKERS


def _made(tree: Tree, makers: Container[int]) -> Iterator[str]:
    """The variables and attributes of the file that are bound to an object that sends something.

    Args:
        tree: the file.
        makers: the ids of the calls in a batch that make one.
    """
    for node in descendants(tree.module):
        targets: list[cst.BaseExpression] = []
        value: cst.BaseExpression | None = None
        if isinstance(node, cst.Assign):
            targets, value = [one.target for one in node.targets], node.value
        elif isinstance(node, cst.AnnAssign | cst.NamedExpr):
            targets, value = [node.target], node.value
        elif isinstance(node, cst.WithItem) and node.asname is not None:
            targets, value = [node.asname.name], node.item
        if isinstance(value, cst.Call) and (id(value) in makers or tree.origin(value.func) in _MAKERS):
            yield from filter(None, map(dotted_name, targets))
