"""ST000."""

from __future__ import annotations

from scripts_tracker.analysis import codes
from scripts_tracker.lint.base import AnalysisRule


class FileThatCannotBeAnalysed(AnalysisRule):
    """A file cannot be read, or is no valid Python.

    ## What it does
    Names the files that may hold a tracked script and cannot be read, decoded or parsed, and folders of commands that
    cannot be listed. A file that mentions `tracked_script` nowhere is left alone, unless it is binary.

    ## Why is this bad?
    Nobody can tell whether such a file is a tracked script, and whether it changed since it ran.

    ## Example
    ```python
    @tracked_script
    def handle(self, *args, **options)
        print "done"
    ```

    ## Use instead
    ```python
    @tracked_script
    def handle(self, *args, **options):
        print("done")
    ```
    """

    code = codes.UNREADABLE
    passes = (
        """\
from scripts_tracker import tracked_script

class Command:
    @tracked_script
    def handle(self, *args, **options):
        match options:
            case {"dry_run": True, **rest} if (count := len(rest)):
                print(f"{count!r:>{10}}")
""",
        """\
# coding: latin-1
from scripts_tracker import tracked_script

class Command:
    @tracked_script
    def handle(self, *args, **options): ...
""",
        """\
class Command:
    def handle(self, *args, **options):
        print "nobody tracks this one, so nobody needs to understand it"
""",
        """\
--- shop/base.py
class Base:
    def handle(self, *args, **options):
        print "and nothing that is tracked comes from here"
--- shop/management/commands/fix.py
from scripts_tracker import tracked_script
from shop.base import Base

class Command(Base):
    @tracked_script
    def handle(self, *args, **options): ...
""",
    )
    fails = (
        """\
from scripts_tracker import tracked_script

class Command:
    @tracked_script
    def handle(self, *args, **options)): ...  # expect: ST000
""",
        """\
from scripts_tracker import tracked_script

class Command:
    @tracked_script
    def handle(self, *args, **options):
        print "done"  # expect: ST000
""",
        """\
# coding: klingon  # expect: ST000
from scripts_tracker import tracked_script

class Command:
    @tracked_script
    def handle(self, *args, **options): ...
""",
        """\
class Command:
    help = "a NUL byte: \0"  # expect: ST000
""",
        """\
--- shop/base.py
from scripts_tracker import tracked_script

class Base:
    @tracked_script
    def handle(self, *args, **options): ...

x = = 1  # expect: ST000
--- shop/management/commands/fix.py
from shop.base import Base

class Command(Base): ...
""",
    )
