from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from scripts_tracker.analysis.facts.extraction import extract
from scripts_tracker.analysis.facts.values import FileFacts
from scripts_tracker.analysis.linking import modules, prefilter, scanning
from scripts_tracker.analysis.source import reading
from scripts_tracker.analysis.store.cache import FOLDER, Cache
from scripts_tracker.core.values import CommandsDir, Finding, Location, ScriptId
from tests.analysis.project_cases import folders, index_of, read_cases, some_cases

if TYPE_CHECKING:
    from pathlib import Path

    from tests.analysis.project_cases import Case

TRACKED = """\
from scripts_tracker import tracked_script
class Command:
    @tracked_script
    def handle(self): pass
"""
INHERITED = "from shop.base import Base\nclass Command(Base): pass\n"


def _write(path: Path, content: str | bytes = TRACKED) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def _command(root: Path, name: str, content: str | bytes = TRACKED, app: str = "shop") -> Path:
    return _write(root / app / "management" / "commands" / f"{name}.py", content)


@pytest.mark.parametrize(
    ("source", "line", "column", "reason"),
    [
        pytest.param(b"class Command\x00:", 1, 14, "NUL", id="a NUL byte, without any marker"),
        pytest.param(b"x = 1\ny = '\x00'", 2, 6, "NUL", id="a NUL byte further down"),
        pytest.param(TRACKED.encode("utf-16"), 1, 4, "NUL", id="UTF-16"),
        pytest.param(TRACKED.encode() + b"x = (\n", None, None, "", id="a syntax error"),
        pytest.param(b"# tracked_script \xff\nx = 1\n", None, None, "", id="bytes that are no UTF-8"),
        pytest.param(b"# coding: nonsense\n# tracked_script\n", None, None, "", id="an unknown encoding"),
        pytest.param(b"tracked_script" + b"(" * 5000, None, None, "", id="brackets without end"),
        pytest.param(b"x = tracked_script" + b".a" * 50_000, None, None, "", id="attributes without end"),
    ],
)
def test_a_broken_file_is_reported_and_hides_nothing(
    source: bytes, line: int | None, column: int | None, reason: str, tmp_path: Path
) -> None:
    _command(tmp_path, "good")
    _command(tmp_path, "bad", source)
    index = index_of(tmp_path)
    bad, good = index.definitions
    (finding,) = index.findings
    assert (bad.id, bad.fingerprint) == (ScriptId("shop", "bad"), None)
    assert bad.content_digest == reading.content_digest(source)
    assert good.fingerprint is not None
    assert finding.code == "ST000"
    assert finding.location.path == "shop/management/commands/bad.py"
    assert reason in finding.message
    if line is not None:
        assert (finding.location.line, finding.location.column) == (line, column)


def test_what_is_no_file_is_reported(tmp_path: Path) -> None:
    commands = _command(tmp_path, "good").parent
    (commands / "folder.py").mkdir()
    (commands / "gone.py").symlink_to("nowhere")
    os.mkfifo(commands / "pipe.py")
    index = index_of(tmp_path)
    assert [one.id.name for one in index.definitions] == ["folder", "gone", "good", "pipe"]
    assert [one.code for one in index.findings] == ["ST000"] * 3


def test_a_folder_that_does_not_exist_is_reported(tmp_path: Path) -> None:
    _command(tmp_path, "good")
    missing = CommandsDir("gone", "gone.management.commands", str(tmp_path / "gone" / "commands"))
    index = scanning.analyse([missing, *folders(tmp_path)], root=str(tmp_path))
    (finding,) = index.findings
    assert finding.location == Location("gone/commands")
    assert finding.message == "the folder of commands does not exist"
    assert len(index.definitions) == 1


def test_a_name_that_is_no_utf_8_is_reported(tmp_path: Path) -> None:
    commands = _command(tmp_path, "good").parent
    try:
        (commands / os.fsdecode(b"b\xff.py")).write_text(TRACKED)
    except OSError:
        pytest.skip("this file system takes valid UTF-8 only")
    index = index_of(tmp_path)
    assert [one.id.name for one in index.definitions] == ["good"]
    assert [one.code for one in index.findings] == ["ST000"]


def test_a_broken_base_hides_whether_the_command_is_tracked(tmp_path: Path) -> None:
    _write(tmp_path / "shop" / "base.py", TRACKED.replace("Command", "Base") + "x = = 1\n")
    _command(tmp_path, "inherits", INHERITED)
    _command(tmp_path, "inherits_too", INHERITED)
    index = index_of(tmp_path)
    assert [one.fingerprint for one in index.definitions] == [None, None]
    assert [str(one.location.path) for one in index.findings] == ["shop/base.py"]


def test_a_broken_base_without_the_marker_does_not_matter(tmp_path: Path) -> None:
    _write(tmp_path / "shop" / "base.py", "class Base: pass\nx = = 1\n")
    _command(tmp_path, "inherits", INHERITED)
    own = TRACKED.replace("class Command:", "from shop.base import Base\nclass Command(Base):")
    _command(tmp_path, "own", own)
    index = index_of(tmp_path)
    assert [one.id.name for one in index.definitions] == ["own"]
    assert index.findings == ()


def test_the_first_of_an_identity_counts(tmp_path: Path) -> None:
    first = CommandsDir("shop", "one.management.commands", str(_command(tmp_path, "fix", app="one").parent))
    second = CommandsDir("shop", "two.management.commands", str(_command(tmp_path, "fix", app="two").parent))
    index = scanning.analyse([second, first, second], root=str(tmp_path))
    (definition,) = index.definitions
    (finding,) = index.findings
    assert definition.location.path == "two/management/commands/fix.py"
    assert (finding.code, finding.location.path) == ("ST009", "one/management/commands/fix.py")


def test_ignored_commands_are_no_scripts_and_cannot_be_required(tmp_path: Path) -> None:
    _command(tmp_path, "tmp_fix")
    needs = TRACKED.replace("    @", '    @required_preceding_script("tmp_fix")\n    @')
    _command(tmp_path, "needs", "from scripts_tracker import required_preceding_script\n" + needs)
    index = index_of(tmp_path, ignored_prefixes=("tmp_",))
    assert [one.id.name for one in index.definitions] == ["needs"]
    assert [one.code for one in index.findings] == ["ST004"]


def test_base_classes_are_found_in_the_import_roots(tmp_path: Path) -> None:
    library = tmp_path / "lib"
    _write(library / "tools" / "base.py", TRACKED.replace("Command", "Base"))
    root = tmp_path / "project"
    _command(root, "fix", "from tools.base import Base\nclass Command(Base): pass\n")
    assert index_of(root).definitions == ()
    assert len(index_of(root, import_roots=[str(library)]).definitions) == 1


def test_an_app_may_have_the_name_of_a_standard_module(tmp_path: Path) -> None:
    _write(tmp_path / "calendar" / "base.py", TRACKED.replace("Command", "Base"))
    _command(tmp_path, "fix", "from calendar.base import Base\nclass Command(Base): pass\n", app="calendar")
    assert len(index_of(tmp_path).definitions) == 1


def test_packages_may_stand_below_the_root(tmp_path: Path) -> None:
    source = tmp_path / "src"
    _write(source / "shop" / "base.py", TRACKED.replace("Command", "Base"))
    path = _command(source, "fix", INHERITED)
    index = scanning.analyse(
        [CommandsDir("shop", "shop.management.commands", str(path.parent))], root=str(tmp_path)
    )
    (definition,) = index.definitions
    assert definition.location == Location("src/shop/management/commands/fix.py", 2, 1)


def test_a_path_outside_of_the_root_is_absolute(tmp_path: Path) -> None:
    path = _command(tmp_path / "shop", "fix")
    folder = CommandsDir("shop", "shop.management.commands", str(path.parent))
    (definition,) = scanning.analyse([folder], root=str(tmp_path / "elsewhere")).definitions
    assert definition.location.path == path.as_posix()


def test_a_cycle_is_reported_with_all_of_its_scripts(tmp_path: Path) -> None:
    for name, other in (("a", "b"), ("b", "c"), ("c", "a")):
        needs = f"from scripts_tracker import required_preceding_script\n{TRACKED}".replace(
            "    @", f'    @required_preceding_script("{other}")\n    @'
        )
        _command(tmp_path, name, needs)
    (finding,) = index_of(tmp_path).findings
    assert finding == Finding(
        Location("shop/management/commands/a.py", 4, 32),
        "ST006",
        "circular requirement: shop.a -> shop.b -> shop.c -> shop.a",
        "Remove one of these requirements.",
    )


def test_a_missing_script_gets_the_nearest_names(tmp_path: Path) -> None:
    _command(tmp_path, "import_vat_rates", app="catalog")
    needs = TRACKED.replace("    @", '    @required_preceding_script("catalog.import_vat_rate")\n    @')
    _command(tmp_path, "fix", "from scripts_tracker import required_preceding_script\n" + needs)
    (finding,) = index_of(tmp_path).findings
    assert finding.message == "required script catalog.import_vat_rate does not exist"
    assert finding.hint == "Did you mean catalog.import_vat_rates?"


def test_of_very_many_wrong_names_only_the_first_are_compared_with_all_scripts(tmp_path: Path) -> None:
    _command(tmp_path, "import_vat_rates")
    for script in range(5):
        wrong = ", ".join(f"'import_vat_rate{number}'" for number in range(50))
        needs = TRACKED.replace("    @", f"    @required_preceding_script({wrong})\n    @")
        _command(tmp_path, f"fix{script}", f"from scripts_tracker import required_preceding_script\n{needs}")
    hints = [finding.hint for finding in index_of(tmp_path).findings]
    near, general = "Did you mean ", "`manage.py check_scripts --all` lists the scripts that exist."
    assert [hint.startswith(near) for hint in hints] == [True] * 100 + [False] * 150
    assert set(hints[100:]) == {general}


@some_cases()
def test_facts_survive_json(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Cache, "index", lambda _self, _key: "")
    case.build(tmp_path)
    cache = Cache(str(tmp_path))
    first = index_of(tmp_path, cache=cache)
    cache.save()
    assert first == index_of(tmp_path)
    if not any(one.fingerprint is None for one in first.definitions):
        monkeypatch.setattr(
            modules, "compile_all", lambda sources, *_, **__: [pytest.fail("parsed") for _ in sources]
        )
    assert index_of(tmp_path, cache=Cache(str(tmp_path))) == first


@some_cases()
def test_a_glance_sees_what_a_closer_look_sees(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case.build(tmp_path)
    glanced = index_of(tmp_path)
    monkeypatch.setattr(prefilter, "origins", lambda _source: None)
    assert glanced == index_of(tmp_path)


VERSION, USED, FACTS = json.loads(extract(TRACKED.encode()).to_text())


@pytest.mark.parametrize(
    "content",
    [
        pytest.param([VERSION + 1, USED, FACTS], id="another version"),
        pytest.param([VERSION, "st0", FACTS], id="another algorithm"),
        pytest.param([VERSION, USED, FACTS, ""], id="too much"),
        pytest.param([VERSION, USED, None], id="nothing"),
        pytest.param([VERSION, USED, []], id="a list"),
        pytest.param([VERSION, USED, {}], id="an empty object"),
        *(
            pytest.param([VERSION, USED, {**FACTS, name: wrong}], id=title)
            for name, wrong, title in (
                ("names", [], "names that are a list"),
                ("names", {"x": [["nonsense"]]}, "an unknown kind of value"),
                ("names", {"x": [[]]}, "a value of no kind"),
                ("command", [0, 1], "a line that cannot be"),
                ("command", "12", "a place that is a text"),
                ("classes", [{}], "a class without a name"),
                ("misplaced_uses", [[1]], "a misplaced use of one part"),
                ("fingerprint", 1, "a fingerprint that is a number"),
            )
        ),
    ],
)
def test_malformed_facts_are_refused(content: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each has its own words
        FileFacts.from_text(json.dumps(content))


@pytest.mark.parametrize("content", ["", "\t", "[]", "{}", "null", "null\tnull", "[1", "\x00"])
def test_texts_that_are_no_facts_are_refused(content: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - as above
        FileFacts.from_text(content)


WARM = """
import json, sys
from scripts_tracker.analysis.linking.scanning import analyse
from scripts_tracker.analysis.store.cache import Cache
from scripts_tracker.core.values import CommandsDir
root, path = sys.argv[1:]
cache = Cache(root)
cache.index = lambda key: ""
index = analyse([CommandsDir("shop", "shop.management.commands", path)], root=root, cache=cache)
assert len(index.definitions) == 3, index
loaded = {name.partition(".")[0] for name in sys.modules} & {"libcst", "django"}
assert not loaded, loaded
"""


def test_known_files_need_no_libcst(tmp_path: Path) -> None:
    _write(tmp_path / "shop" / "base.py", TRACKED.replace("Command", "Base"))
    commands = _command(tmp_path, "own").parent
    _command(tmp_path, "inherits", INHERITED)
    _command(tmp_path, "other", "class Command:\n    def handle(self): pass\n")
    _command(tmp_path, "another", TRACKED + "# another\n")
    cache = Cache(str(tmp_path))
    index_of(tmp_path, cache=cache)
    cache.save()
    subprocess.run([sys.executable, "-W", "error", "-c", WARM, str(tmp_path), str(commands)], check=True)


def test_the_analysis_does_not_import_what_is_slow() -> None:
    code = (
        "import sys\nimport scripts_tracker.analysis.linking.linker\n"
        "from scripts_tracker.analysis.store.compiling import compiled\n"
        "assert 'libcst' not in sys.modules\n"
        # libcst itself brings its package of metadata, but none of the slow parts.
        "import libcst\nbefore = set(sys.modules)\n"
        f"compiled({TRACKED.encode()!r})\n"
        "more = {name for name in set(sys.modules) - before if name.startswith('libcst.metadata')}\n"
        "slow = {'libcst.matchers', 'libcst.codemod', 'django'} & set(sys.modules)\n"
        "assert not more | slow, (more, slow)\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_unreadable_files_are_not_kept(tmp_path: Path) -> None:
    _command(tmp_path, "bad", "tracked_script = = 1\n")
    cache = Cache(str(tmp_path))
    index_of(tmp_path, cache=cache)
    cache.save()
    assert not (tmp_path / FOLDER).exists()


def test_the_result_does_not_depend_on_the_order_of_the_folders(tmp_path: Path) -> None:
    for case in read_cases("requirements.case"):
        if case.title == "a cycle":
            case.build(tmp_path)
    _command(tmp_path, "fix", app="catalog")
    dirs = folders(tmp_path)
    assert len(dirs) == 2
    assert scanning.analyse(dirs, root=str(tmp_path)) == scanning.analyse(dirs[::-1], root=str(tmp_path))


def test_a_script_that_is_moved_to_another_label_keeps_its_fingerprint(tmp_path: Path) -> None:
    _command(tmp_path, "fix")
    (folder,) = folders(tmp_path)
    (one,) = index_of(tmp_path).definitions
    (other,) = scanning.analyse([folder._replace(app_label="other")], root=str(tmp_path)).definitions
    assert other == one._replace(id=ScriptId("other", "fix"))
