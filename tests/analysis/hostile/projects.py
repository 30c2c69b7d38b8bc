"""Hostile files that hold no marker, and hostile ways from file to file, as data."""

from __future__ import annotations

from tests.switches import FULL

COMMAND = "shop/management/commands/bad.py"
SIZE = 1 << (21 if FULL else 18)
INHERITS = "from shop.base import Base\nclass Command(Base): pass\n"
TRACKED_BASE = """\
from scripts_tracker import tracked_script
class Base:
    @tracked_script
    def handle(self): pass
"""

# Pieces of which a large file is made: without the marker it is looked through, not parsed.
UNMARKED: dict[str, str] = {
    "blanks after from": "from" + " " * (SIZE - 4),
    "dots after from": "from " + "." * (SIZE - 5),
    "names after from": "from " + "a " * (SIZE // 2),
    "classes that never close": "class A(\n",
    "classes on a line": "class A( ",
    "heads that close late": "class A(\n" * 300 + "):\n",
    "brackets after a class": "class A(" + ")" * (SIZE - 8),
    "blanks after a class": "class A(" + " " * (SIZE - 8),
    "decorators": "@a\n",
    "decorators on a line": "@",
    "assignments": "a = b\n",
    "a chain of assignments": "a = ",
    "annotations": "a: b",
    "aliases of aliases": "".join(f"a{number} = a{number + 1}\n" for number in range(60_000)),
    "imports in brackets": "from a import (",
    "imports": "import a\n",
    "imports on a line": "import a; ",
    "names that are imported": "from a import " + "a, " * (SIZE // 3),
    "star imports": "from a import *\n",
    "many star imports": "".join(f"from a{number} import *\n" for number in range(40_000)),
    "comments": "#",
    "continued lines": "\\\n",
    "blank lines": "\n",
    "blanks": " ",
    "form feeds": "\f",
    "quotes": "'",
    "calls of import_module": "import_module('a.b')\n",
    "calls that are cut": "import_module(",
    "bytes that are no text": "\udcff",
}


def _chain(length: int, line: str) -> dict[str, str]:
    modules = {
        f"shop/base{number}.py": f"from shop.base{number + 1} import Base\n{line}" for number in range(length)
    }
    last = {f"shop/base{length}.py": TRACKED_BASE}
    return {COMMAND: INHERITS.replace("base", "base0"), **modules, **last}


# Whole projects; each holds a tracked script or none, and no way to hang.
PROJECTS: dict[str, dict[str, str]] = {
    "a chain of 300 modules": _chain(300, ""),
    "a chain of 300 base classes": _chain(300, "class Base(Base): pass\n"),
    "a module that imports itself": {COMMAND: INHERITS, "shop/base.py": "from shop.base import Base\n"},
    "two modules in a cycle": {
        COMMAND: INHERITS,
        "shop/base.py": "from shop.other import Base\n# tracked_script\n",
        "shop/other.py": "from shop.base import Base\n# tracked_script\n",
    },
    "star imports in a cycle": {
        COMMAND: INHERITS,
        **{
            f"shop/{name}.py": "".join(f"from shop.{other} import *\n" for other in ("base", "a", "b", "c"))
            for name in ("base", "a", "b", "c")
        },
        "shop/d.py": TRACKED_BASE,
    },
    "a class that is its own base": {COMMAND: "class Command(Command): pass\n# tracked_script\n"},
    "two classes in a cycle": {COMMAND: "class A(Command): pass\nclass Command(A): pass\n# tracked_script\n"},
    "names in a cycle": {COMMAND: "a = b\nb = a\nclass Command(a): pass\nCommand = a\n# tracked_script\n"},
    "a module path of 1000 parts": {
        COMMAND: "from " + "a." * 1000 + "a import Base\nclass Command(Base): pass\n"
    },
    "a relative import of 1000 dots": {
        COMMAND: "from " + "." * 1000 + " import Base\nclass Command(Base): pass\n"
    },
    "a module name of 100,000 letters": {
        COMMAND: f"import {'a' * 100_000} as a\nclass Command(a.Base): pass\n"
    },
    "a module name with odd letters": {
        COMMAND: "from \u2025.\uff0e import Base\nclass Command(Base): pass\n"
    },
    "imports that lead outside": {
        COMMAND: "import_module('../../../../../etc/passwd')\nimport_module('/dev/zero')\n"
    },
    "names that grow on the way": {
        COMMAND: INHERITS,
        "shop/base.py": "from shop.base import Base as x\nBase = x.Base\n",
    },
    "2000 base classes": {
        COMMAND: "".join(f"from shop.base import Base as B{number}\n" for number in range(2000))
        + f"class Command({', '.join(f'B{number}' for number in range(2000))}): pass\n",
        "shop/base.py": TRACKED_BASE,
    },
    "a chain of 300 base classes with another beside": {
        **_chain(300, "class B: pass\nclass Base(Base, B): pass\n"),
    },
    "a diamond of 40 levels": {
        COMMAND: "# tracked_script\nclass A0: pass\nclass B0: pass\n"
        + "".join(f"class A{n + 1}(A{n}, B{n}): pass\nclass B{n + 1}(A{n}, B{n}): pass\n" for n in range(40))
        + "class Command(A40, B40): pass\n"
    },
    "alternatives without end": {
        COMMAND: "# tracked_script\n"
        + "".join(f"if a:\n    x{n + 1} = x{n}\nelse:\n    x{n + 1} = y{n}\n" for n in range(200))
        + "class Command(x200): pass\n"
    },
    "requirements in a cycle of 200": {
        f"shop/management/commands/c{number}.py": "from scripts_tracker import required_preceding_script, tracked_script\n"
        f"class Command:\n    @tracked_script\n    @required_preceding_script('c{(number + 1) % 200}')\n"
        "    def handle(self): pass\n"
        for number in range(200)
    },
    "a script that requires itself 1000 times": {
        COMMAND: "from scripts_tracker import required_preceding_script, tracked_script\nclass Command:\n"
        f"    @tracked_script\n    @required_preceding_script({', '.join(['bad'.__repr__()] * 1000)})\n"
        "    def handle(self): pass\n"
    },
}
