"""ST008."""

from __future__ import annotations

from scripts_tracker.analysis import codes
from scripts_tracker.lint.base import AnalysisRule


class OptionThatIsWrong(AnalysisRule):
    """A decorator has no such option, or does not take such a value.

    ## What it does
    Compares the options of `@tracked_script` and their values with those that there are: `rerun` is one of
    `"on-change"`, `"once"` and `"always"`, `atomic` is `True` or `False`, `tags` and `unless` are tuples of texts.
    `@required_preceding_script` takes texts and modules, without names.

    ## Why is this bad?
    The decorator raises an error as soon as Django imports the command, and until then the tracker goes by the
    default.

    ## Example
    ```python
    @tracked_script(rerun="never", tags="deploy")
    def handle(self, *args, **options): ...
    ```

    ## Use instead
    ```python
    @tracked_script(rerun="once", tags=("deploy",))
    def handle(self, *args, **options): ...
    ```
    """

    code = codes.WRONG_OPTION
    passes = (
        """\
from scripts_tracker import tracked_script

class Command:
    @tracked_script(rerun="on-change", atomic=False, tags=(), unless=("dry_run",))
    def handle(self, *args, **options): ...
""",
        """\
from scripts_tracker import tracked_script

TAGS = ["deploy", "night"]

class Command:
    @tracked_script(tags=TAGS, rerun="once")
    def handle(self, *args, **options): ...
""",
        """\
from scripts_tracker import tracked_script
from shop.tools import scheduled

class Command:
    @scheduled(rerun="weekly", tag="night")
    @tracked_script
    def handle(self, *args, **options): ...
""",
    )
    fails = (
        """\
from scripts_tracker import tracked_script

class Command:
    @tracked_script(
        rerun="never",  # expect: ST008
        atomic="yes",  # expect: ST008
        tags="deploy",  # expect: ST008
        unless=(1,),  # expect: ST008
        tag=("deploy",),  # expect: ST008
    )
    def handle(self, *args, **options): ...
""",
        """\
from scripts_tracker import tracked_script

class Command:
    @tracked_script("once")  # expect: ST008
    def handle(self, *args, **options): ...
""",
        """\
from scripts_tracker import tracked_script

class Command:
    @tracked_script(atomic=1, rerun=None)  # expect: ST008
    def handle(self, *args, **options): ...
""",
        """\
from scripts_tracker import required_preceding_script, tracked_script

FIRST = ["first"]

class Command:
    @tracked_script
    @required_preceding_script(None)  # expect: ST008
    @required_preceding_script("")  # expect: ST008
    @required_preceding_script(FIRST)  # expect: ST008
    @required_preceding_script(script="first")  # expect: ST008
    def handle(self, *args, **options): ...
""",
        """\
--- shop/constants.py
RERUN = "on_change"
--- shop/management/commands/fix.py
from scripts_tracker import tracked_script
from shop.constants import RERUN

again = tracked_script(rerun=RERUN)  # expect: ST008

class Command:
    @again
    def handle(self, *args, **options): ...
""",
    )
