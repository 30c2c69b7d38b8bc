"""ST022."""

from __future__ import annotations

from scripts_tracker.analysis import codes
from scripts_tracker.lint.base import AnalysisRule


class NoqaThatHidesNothing(AnalysisRule):
    """A `# noqa` names a code that is not found on its line.

    ## What it does
    Looks for `# noqa` comments with codes of this lint that hide no finding. Comments without codes, and codes of
    other tools, are left alone.

    ## Why is this bad?
    What it once hid was mended, or stands on another line; when it comes back, nobody will see it.

    ## Example
    ```python
    @tracked_script
    @required_preceding_script("import_vat_rates")  # noqa: ST004, E501
    def handle(self, *args, **options): ...
    ```

    ## Use instead
    ```python
    @tracked_script
    @required_preceding_script("import_vat_rates")  # noqa: E501
    def handle(self, *args, **options): ...
    ```
    `--fix` removes the code, and with the last code the comment.
    """

    code = codes.UNUSED_NOQA
    passes = (
        """\
from scripts_tracker import tracked_script  # noqa
import os  # noqa: F401, E501

TEXT = "# noqa: ST012"

class Command:  # noqa: ST016
    @tracked_script
    def handle(self, *args, **options):
        input()  # noqa: ST012, S100
        input()  # noqa: ST022, ST003
""",
        """\
import os  # noqa: ST012

class Command:
    def handle(self, *args, **options): ...
""",
    )
    fails = (
        """\
from scripts_tracker import tracked_script  # noqa: ST001  # expect: ST022

class Command:
    help = "Says what it does"  # noqa: ST016  # expect: ST022

    @tracked_script
    def handle(self, *args, **options):
        input()  # noqa: ST012, ST003  # expect: ST022
""",
    )
    fixes = (
        (
            """\
from scripts_tracker import tracked_script  # noqa: F401, ST001, E501

class Command:
    help = "Says what it does"  # noqa: ST016

    @tracked_script
    def handle(self, *args, **options):
        input()  # noqa: ST003, ST012
        print()  # noqa: st003,ST012  # for no reason
        print()  # noqa
""",
            """\
from scripts_tracker import tracked_script  # noqa: F401, E501

class Command:
    help = "Says what it does"

    @tracked_script
    def handle(self, *args, **options):
        input()  # noqa: ST012
        print()  # for no reason
        print()  # noqa
""",
        ),
    )
