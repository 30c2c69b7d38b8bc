"""What the index knows of the modules that scripts watch, and what it costs."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from scripts_tracker.analysis import fingerprint
from scripts_tracker.analysis.fingerprint import fingerprint as fingerprint_of
from scripts_tracker.analysis.linking import modules
from scripts_tracker.analysis.linking.scanning import analyse
from scripts_tracker.analysis.source import reading
from scripts_tracker.analysis.store.cache import Cache
from scripts_tracker.core.values import CommandsDir, ModuleVersion
from tests.analysis.project_cases import folders

if TYPE_CHECKING:
    from pathlib import Path

    from scripts_tracker.core.values import Fingerprint, ProjectIndex

SCRIPT = """\
from scripts_tracker import tracked_script
class Command:
    @tracked_script(watch=({watch},))
    def handle(self): pass
"""
PRICING = "from shop.tax import RATE\ndef total(net):\n    return net * RATE\n"
BLACKENED = "# how much it costs\nfrom shop.tax import (RATE,)\ndef total( net ):\n  return (net * RATE)\n"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def script(root: Path, name: str, watch: str) -> Path:
    return write(root / "shop/management/commands" / f"{name}.py", SCRIPT.format(watch=watch))


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    write(tmp_path / "shop/__init__.py", "")
    write(tmp_path / "shop/pricing.py", PRICING)
    write(tmp_path / "shop/tax.py", "RATE = 19\n")
    script(tmp_path, "one", '"shop.pricing"')
    script(tmp_path, "two", '"shop", "shop.pricing"')
    return tmp_path


def index_of(root: Path, **options: Any) -> ProjectIndex:
    cache = Cache(str(root))
    index = analyse(folders(root), root=str(root), cache=cache, **options)
    cache.save()
    return index


def pricing(root: Path) -> ModuleVersion:
    """The watched module as both scripts have it."""
    one, two = index_of(root).definitions
    assert one.watches == two.watches[1:]
    assert index_of(root) == analyse(folders(root), root=str(root)), "what is remembered is what is there"
    return one.watches[0]


def test_the_fingerprint_of_a_watched_module_is_that_of_its_file(shop: Path) -> None:
    found = pricing(shop)
    assert (found.module, found.fingerprint) == ("shop.pricing", fingerprint_of(PRICING.encode()))


def test_what_a_watched_module_imports_is_not_watched(shop: Path) -> None:
    before = index_of(shop)
    write(shop / "shop/tax.py", "RATE = 7\n")
    assert index_of(shop) == before


def test_formatting_changes_the_bytes_and_not_the_fingerprint(shop: Path) -> None:
    before = pricing(shop)
    write(shop / "shop/pricing.py", BLACKENED)
    after = pricing(shop)
    assert after.fingerprint == before.fingerprint
    assert after.content_digest != before.content_digest


@pytest.mark.parametrize("trusted", [False, True], ids=["written just now", "settled"])
def test_an_edit_that_keeps_size_and_time_is_noticed(
    trusted: bool,  # noqa: FBT001 - a parameter
    shop: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if trusted:
        real = reading.now
        monkeypatch.setattr(reading, "SETTLED_NS", 0)
        monkeypatch.setattr(reading, "now", lambda: real() + 60_000_000_000)
    path = shop / "shop/pricing.py"
    before, times = pricing(shop), path.stat()
    while (clock := write(shop / "clock", "")).stat().st_ctime_ns == times.st_ctime_ns:
        clock.unlink()  # the clock of a file system goes in steps
    path.write_text(PRICING.replace("*", "+"))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (times.st_size, times.st_mtime_ns)
    assert pricing(shop).fingerprint != before.fingerprint


def test_a_module_that_goes_comes_back_breaks_or_becomes_a_package_is_noticed(shop: Path) -> None:
    path, first = shop / "shop/pricing.py", pricing(shop)
    path.unlink()
    assert pricing(shop) == ModuleVersion("shop.pricing")
    assert [one.code for one in index_of(shop).findings] == ["ST025", "ST025"]
    write(path, "def total(:\n")
    assert pricing(shop).is_unreadable
    assert [(one.location.path, one.code) for one in index_of(shop).findings] == [
        ("shop/pricing.py", "ST000")
    ]
    write(path, PRICING)
    assert pricing(shop) == first
    write(shop / "shop/pricing/__init__.py", "RATE = 7\n")
    assert pricing(shop).fingerprint == fingerprint_of(b"RATE = 7\n")


def test_a_folder_in_the_place_of_a_watched_file_is_missing(shop: Path) -> None:
    (shop / "shop/pricing.py").unlink()
    (shop / "shop/pricing.py").mkdir()
    assert pricing(shop).is_missing


def test_each_module_is_fingerprinted_once_whoever_watches_it(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bytes] = []

    def counting(source: bytes) -> Fingerprint:
        seen.append(source)
        return fingerprint_of(source)

    monkeypatch.setattr(fingerprint, "fingerprint_or_bytes", counting)
    script(shop, "three", '"shop.pricing"')
    index_of(shop)
    assert sorted(seen) == [b"", PRICING.encode()]
    write(shop / "shop/pricing.py", PRICING + "x = 1\n")
    index_of(shop)
    write(shop / "shop/pricing.py", PRICING)
    index_of(shop)
    assert len(seen) == 3, "what was seen before is known by its bytes"


def test_a_project_without_watch_looks_for_nothing_more(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        script(shop, name, '"shop"').write_text(SCRIPT.replace("(watch=({watch},))", ""))
    monkeypatch.setattr(modules.FactsLoader, "fingerprint", None)
    monkeypatch.setattr(modules.Finder, "_is_file", None)
    assert [one.watches for one in index_of(shop).definitions] == [(), ()]


AGAIN = """
import sys
from scripts_tracker.analysis.store.cache import Cache
from scripts_tracker.analysis.linking.scanning import analyse
from scripts_tracker.core.values import CommandsDir
root = sys.argv[1]
cache = Cache(root)
folder = CommandsDir("shop", "shop.management.commands", root + "/shop/management/commands")
index = analyse([folder], root=root, cache=cache)
assert [str(one.watches[0].fingerprint)[:4] for one in index.definitions] == ["st1:", "st1:"]
assert "libcst" not in sys.modules
"""


@pytest.mark.parametrize("touched", [None, "shop/management/commands/one.py", "shop/pricing.py"])
def test_known_modules_need_no_libcst(touched: str | None, shop: Path) -> None:
    index_of(shop)
    write(shop / "shop/pricing.py", BLACKENED)
    index_of(shop)
    if touched:
        write(shop / touched, PRICING if "pricing" in touched else SCRIPT.format(watch='"shop.pricing"'))
    subprocess.run([sys.executable, "-W", "error", "-c", AGAIN, str(shop)], check=True)


def test_a_module_is_found_beside_the_packages_of_an_app_in_src_and_in_further_roots(tmp_path: Path) -> None:
    commands = script(tmp_path / "src", "fix", '"shop.pricing", "lib.tax", "requests.api"').parent
    write(tmp_path / "src/shop/pricing.py", PRICING)
    write(tmp_path / "shared/lib/tax.py", "RATE = 19\n")
    write(tmp_path / "site-packages/requests/api.py", "")
    index = analyse(
        [CommandsDir("shop", "shop.management.commands", str(commands))],
        root=str(tmp_path),
        import_roots=(str(tmp_path / "shared"), str(tmp_path / "site-packages")),
    )
    (definition,) = index.definitions
    assert [one.is_missing for one in definition.watches] == [False, False, True]
    (finding,) = index.findings
    assert "requests.api belongs to an installed package" in finding.message


HINTS = {
    "shop.pricng": "Did you mean shop.pricing?",
    "shpo.pricing": "Did you mean shop.pricing?",
    "shop/pricing.py": "Did you mean shop.pricing?",
    ".pricing": 'Write the dotted name of a module of this project, such as watch=("shop.pricing",).',
    "shop.pricing.total": "Write 'shop.pricing': only a whole module can be watched.",
    "nothing.like.it": 'Write the dotted name of a module of this project, such as watch=("shop.pricing",).',
    "decimal": "Remove it from watch: only modules of this project can be watched.",
    "shop.management": "Name the modules in it that the script uses, such as shop.management.something.",
    "shop.management.commands.fix": "Remove it: its own file is always compared.",
}


@pytest.mark.parametrize(("name", "hint"), HINTS.items())
def test_the_hint_says_what_to_type(name: str, hint: str, tmp_path: Path) -> None:
    write(tmp_path / "shop/pricing.py", PRICING)
    script(tmp_path, "fix", f'"{name}"')
    (finding,) = index_of(tmp_path).findings
    assert (finding.code, finding.hint) == ("ST025", hint)
    assert f" {name} " in finding.message
