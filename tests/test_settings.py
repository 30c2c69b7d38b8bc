from __future__ import annotations

import re
from typing import Any

import pytest

from scripts_tracker import conf
from scripts_tracker.checks import _meant_by, check_settings
from tests.conftest import ROOT, Project

WRONG = {
    "an unknown key": ('SCRIPTS_TRACKER = {"notfy": False}', "E001", 'Did you mean "notify"?'),
    "a key like nothing": (
        'SCRIPTS_TRACKER = {"zzz": 1}',
        "E001",
        "The keys are: auto_run, batched_template",
    ),
    "a wrong type": ('SCRIPTS_TRACKER = {"notify": "no"}', "E001", 'Write "notify": True.'),
    "a number that is none": (
        'SCRIPTS_TRACKER = {"lease_seconds": True}',
        "E001",
        "must be a number of seconds from 0.1 to 604800, not True.",
    ),
    "a size that is none": (
        'SCRIPTS_TRACKER = {"output_bytes": 1.5}',
        "E001",
        "must be a whole number of bytes from 1 to 4194304, not 1.5.",
    ),
    "a size of nothing": ('SCRIPTS_TRACKER = {"output_bytes": 0}', "E001", 'Write "output_bytes": 1.'),
    "a pattern that is none": (
        'SCRIPTS_TRACKER = {"secret_pattern": "card=("}',
        "E001",
        """must be a regular expression, not 'card=(': missing ), unterminated subpattern at position 5.""",
    ),
    "a pattern of bytes": (
        'import re\nSCRIPTS_TRACKER = {"secret_pattern": re.compile(b"x")}',
        "E001",
        "it matches bytes, not text",
    ),
    "no pattern": (
        'SCRIPTS_TRACKER = {"secret_pattern": ["x"]}',
        "E001",
        "must be a regular expression, not ['x']",
    ),
    "an alias that does not exist": ('SCRIPTS_TRACKER = {"database": "x"}', "E001", "an alias of DATABASES"),
    "a throttle that is no list": (
        'SCRIPTS_TRACKER = {"throttle": "scripts_tracker.throttles.replica_lag"}',
        "E001",
        'Write "throttle": ["scripts_tracker.throttles.replica_lag"].',
    ),
    "a throttle that is no name": (
        'SCRIPTS_TRACKER = {"throttle": [3]}',
        "E001",
        "3 is neither callable nor a dotted name",
    ),
    "a throttle that is a call in quotes": (
        """SCRIPTS_TRACKER = {"throttle": ["scripts_tracker.throttles.window('22:00-06:00')"]}""",
        "E001",
        "is a call in quotes; import the function into the settings, and call it there",
    ),
    "a throttle that is not there": (
        'SCRIPTS_TRACKER = {"throttle": ["shop.ops.quiet"]}',
        "E003",
        "the throttle shop.ops.quiet cannot be imported: ModuleNotFoundError: No module named 'shop.ops'.",
    ),
    "a malformed window": (
        'from scripts_tracker.throttles import window\nSCRIPTS_TRACKER = {"throttle": [window("22-06")]}',
        "E003",
        "'22-06' is no window such as '22:00-06:00' or 'mon-fri 22:00-06:00'.",
    ),
    "a queue that is no dictionary": (
        'SCRIPTS_TRACKER = {"queue": "default"}',
        "E001",
        'Write "queue": {"backend"',
    ),
    "an unknown key of the queue": (
        'SCRIPTS_TRACKER = {"queue": {"que_name": "x"}}',
        "E001",
        """unknown key 'que_name'; did you mean "queue_name"?""",
    ),
    "a slice that is none": (
        'SCRIPTS_TRACKER = {"queue": {"slice_seconds": 0}}',
        "E001",
        '"slice_seconds" must be a number of seconds from 1 to 86400, not 0',
    ),
    "a backend that TASKS does not have": (
        'SCRIPTS_TRACKER = {"queue": {"backend": "slow"}}',
        "E004",
        "names the backend 'slow', which TASKS does not have.\n\tHINT: Write one of: 'default'.",
    ),
    "a queue that the backend does not have": (
        'SCRIPTS_TRACKER = {"queue": {"queue_name": "slow"}}',
        "E004",
        "names the queue 'slow', which TASKS['default'] does not have.",
    ),
    "no dictionary": ("SCRIPTS_TRACKER = True", "E001", "SCRIPTS_TRACKER must be a dictionary, not True"),
    "no list of folders": (
        'COMMANDS_DIRS = "shop/management/commands"',
        "E001",
        "COMMANDS_DIRS must be a list",
    ),
    "no tuple of names": ("IGNORED_FILES = 3", "E001", "IGNORED_FILES must be a tuple"),
    "no tuple of prefixes": ("IGNORED_CMD_PREFIXES = [1]", "E001", "IGNORED_CMD_PREFIXES must be a tuple"),
    "no boolean": ("CHECK_SCRIPT_GIT_STATUS = 1", "E001", "CHECK_SCRIPT_GIT_STATUS must be True or False"),
    "a folder that does not exist": ('COMMANDS_DIRS = ["nowhere"]', "W001", "does not exist"),
    "a heartbeat that comes too late": (
        'SCRIPTS_TRACKER = {"heartbeat_seconds": 40}',
        "W004",
        'is 40, but a lease of 60 s is renewed every 30 s at least.\n\tHINT: Write "heartbeat_seconds": 15, or a longer',
    ),
    "a database that commits nothing": (
        'DATABASES["default"]["AUTOCOMMIT"] = False',
        "W005",
        'DATABASES["default"] has AUTOCOMMIT switched off',
    ),
    "no folder at all": ("COMMANDS_DIRS = []", "W003", "delete the setting to track the apps"),
    "a misspelt setting": ("COMMAND_DIRS = []", "W002", "Did you mean COMMANDS_DIRS?"),
    "a misspelt dictionary": ("SCRIPT_TRACKER = {}", "W002", "Did you mean SCRIPTS_TRACKER?"),
    "two letters in the wrong order": ("SCRPITS_TRACKER = {}", "W002", "Did you mean SCRIPTS_TRACKER?"),
    "two wrong letters": ("IGNORE_FILE = ()", "W002", "Did you mean IGNORED_FILES?"),
}


@pytest.mark.parametrize(
    "name",
    [
        "SCRIPTS_ROOT",
        "TRANSCRIPT_TRACKER",
        "SCRIPTS_TRACKERS_OF_ADS",
        "FORCE_SCRIPT_NAME",
        "COMMANDS",
        "IGNORED",
    ],
)
def test_a_setting_of_another_app_is_not_taken_for_a_slip(name: str) -> None:
    assert _meant_by(name) == ""


ABSURD = {
    "lease_seconds": {
        "0": "0.1",
        "-1": "0.1",
        "0.09": "0.1",
        "1e12": "604800",
        "604801": "604800",
        "10**400": "604800",
        "10**5000": "604800",
        "float('inf')": "604800",
        "float('-inf')": "0.1",
        "float('nan')": "60",
        "True": "60",
        "'60'": "60",
        "None": "60",
    },
    "heartbeat_seconds": {
        "0": "0.01",
        "-1": "0.01",
        "10**400": "604800",
        "float('nan')": "15",
        "False": "15",
    },
    "wait_seconds": {"-1": "0", "1e12": "604800", "10**400": "604800", "float('nan')": "600", "False": "600"},
    "output_bytes": {
        "-1": "1",
        "0.5": "1",
        "1.5": "2",
        "65536.0": "65536",
        "10**400": "4194304",
        "float('inf')": "4194304",
        "float('nan')": "65536",
        "True": "65536",
    },
}
BOUNDS = {
    "lease_seconds": (0.1, 1, 604800),
    "heartbeat_seconds": (None, 0.01, 1, 604800),
    "wait_seconds": (0, 0.5, 604800),
    "output_bytes": (1, 4194304),
}


@pytest.mark.parametrize(
    ("key", "value", "nearest"), [(key, *pair) for key, pairs in ABSURD.items() for pair in pairs.items()]
)
def test_an_absurd_number_is_an_error_that_names_the_nearest_valid_one(
    settings: Any, key: str, value: str, nearest: str
) -> None:
    settings.SCRIPTS_TRACKER = {key: eval(value)}  # noqa: S307 - from the table above
    (problem,) = conf.problems()
    assert problem.setting == f'SCRIPTS_TRACKER["{key}"]'
    assert problem.hint == f'Write "{key}": {nearest}.'
    assert len(problem.message) < 250
    assert conf.tracker_settings() == conf.TrackerSettings()
    settings.SCRIPTS_TRACKER = {key: eval(nearest)}  # noqa: S307 - a number that we have written
    assert not list(conf.problems())


def test_a_heartbeat_twice_a_lease_is_often_enough(settings: Any) -> None:
    settings.SCRIPTS_TRACKER = {"lease_seconds": 10, "heartbeat_seconds": 5}
    assert not [one for one in check_settings() if one.id == "scripts_tracker.W004"]
    settings.SCRIPTS_TRACKER = {"heartbeat_seconds": 5, "lease_seconds": 9.9}
    assert [one.id for one in check_settings()] == ["scripts_tracker.W004"]


@pytest.mark.parametrize(("key", "value"), [(key, value) for key in BOUNDS for value in BOUNDS[key]])
def test_a_number_within_its_bounds_counts(settings: Any, key: str, value: float | None) -> None:
    settings.SCRIPTS_TRACKER = {key: value}
    assert not list(conf.problems())
    assert getattr(conf.tracker_settings(), key) == value


def test_the_reference_names_the_bounds_of_every_number() -> None:
    text = (ROOT / "docs/reference.md").read_text()
    for key, values in BOUNDS.items():
        numbers = [value for value in values if value is not None]
        row = next(line for line in text.splitlines() if line.startswith(f"| `{key}` |"))
        assert re.findall(r"[\d.,]*\d", row) == [f"{number:,}" for number in (numbers[0], numbers[-1])]


class _Unprintable:
    def __repr__(self) -> str:
        raise ValueError("no words for it")


def test_a_value_that_cannot_be_printed_is_an_error_too(settings: Any) -> None:
    settings.SCRIPTS_TRACKER = {"lease_seconds": _Unprintable()}
    (problem,) = conf.problems()
    assert problem.message.endswith("not a value of type _Unprintable.")


@pytest.mark.parametrize(("line", "number", "words"), WRONG.values(), ids=WRONG)
def test_a_wrong_setting_is_a_system_check(project: Project, line: str, number: str, words: str) -> None:
    project.settings(line)
    result = project.manage("check", code=1 if number.startswith("E") else 0)
    assert f"scripts_tracker.{number}" in result.err
    assert words in result.err


def test_right_settings_pass_the_check(project: Project) -> None:
    project.settings(
        'SCRIPTS_TRACKER = {"auto_run": False, "notify": True, "lease_seconds": 2.5,\n'
        ' "output_bytes": 1, "secret_pattern": r"card=(?P<secret>\\d+)"}\n'
        'COMMANDS_DIRS = ["shop/management/commands", BASE_DIR / "stock/management/commands"]\n'
        'IGNORED_FILES = ["__init__.py"]\nIGNORED_CMD_PREFIXES = "tmp_"\nCHECK_SCRIPT_GIT_STATUS = True'
    )
    assert project.manage("check").text.strip() == "System check identified no issues (0 silenced)."


def test_a_pattern_may_be_compiled_and_a_wrong_one_counts_as_the_default(project: Project) -> None:
    asked = "from scripts_tracker.conf import tracker_settings; print(tracker_settings().secret_pattern)"
    project.settings('import re; SCRIPTS_TRACKER = {"secret_pattern": re.compile("x", re.IGNORECASE)}')
    assert project.python(asked).out == "re.compile('x', re.IGNORECASE)\n"
    project.settings('SCRIPTS_TRACKER = {"secret_pattern": "("}')
    assert project.python(asked).out == "None\n"


def test_the_settings_in_the_reference_are_the_defaults(project: Project) -> None:
    (block,) = re.findall(
        r"^SCRIPTS_TRACKER = \{.*?^\}", (ROOT / "docs/reference.md").read_text(), re.MULTILINE | re.DOTALL
    )
    project.settings(block)
    assert project.manage("check").text.strip() == "System check identified no issues (0 silenced)."
    asked = (
        "from django.conf import settings; from scripts_tracker.conf import TrackerSettings\n"
        "print(TrackerSettings() == TrackerSettings(**settings.SCRIPTS_TRACKER))"
    )
    assert project.python(asked).out == "True\n"


@pytest.fixture
def shop(migrated: Project) -> Project:
    migrated.command("shop.first")
    migrated.command("stock.second")
    migrated.command("stock.tmp_third")
    return migrated


DIRS = {
    "relative to BASE_DIR": '["stock/management/commands"]',
    "absolute": '[BASE_DIR / "stock" / "management" / "commands"]',
    "with a trailing slash, twice": '["stock/management/commands/", "stock/management/commands"]',
}


@pytest.mark.parametrize("dirs", DIRS.values(), ids=DIRS)
def test_commands_dirs_replace_the_folders_of_the_apps(shop: Project, dirs: str) -> None:
    shop.settings(f"COMMANDS_DIRS = {dirs}")
    assert shop.states() == {"stock.second": "new", "stock.tmp_third": "new"}


def test_commands_dirs_may_be_relative_to_the_working_directory(shop: Project) -> None:
    shop.settings('BASE_DIR = BASE_DIR / "stock"\nCOMMANDS_DIRS = ["shop/management/commands"]')
    assert shop.states() == {"shop.first": "new"}


def test_a_folder_of_no_installed_app_takes_its_label_from_the_folder(shop: Project) -> None:
    shop.settings('INSTALLED_APPS.remove("stock")\nCOMMANDS_DIRS = ["stock/management/commands"]')
    assert set(shop.states()) == {"stock.second", "stock.tmp_third"}


def test_a_folder_that_does_not_exist_hides_no_other(shop: Project) -> None:
    shop.settings('COMMANDS_DIRS = ["nowhere", "shop/management/commands"]')
    document = shop.check("--all")
    assert [script["script"] for script in document["scripts"]] == ["shop.first"]
    assert "nowhere" in document["problems"][0]["message"] + document["problems"][0]["path"]


def test_ignored_files_and_prefixes_are_left_out(shop: Project) -> None:
    shop.settings('IGNORED_FILES = ("first.py",)\nIGNORED_CMD_PREFIXES = ("tmp_",)')
    assert shop.states() == {"stock.second": "new"}


def test_an_app_in_site_packages_is_not_of_the_project(shop: Project) -> None:
    package = shop.root / "venv" / "site-packages" / "other"
    (shop.root / "stock").rename(shop.root / "unused")
    package.parent.mkdir(parents=True)
    (shop.root / "unused").rename(package)
    shop.settings(
        'INSTALLED_APPS[-1] = "other"\nimport sys\nsys.path.append(str(BASE_DIR / "venv/site-packages"))'
    )
    assert shop.states() == {"shop.first": "new"}


def test_a_label_of_an_app_config_names_its_scripts(shop: Project) -> None:
    shop.write(
        "stock/apps.py",
        "from django.apps import AppConfig\nclass StockConfig(AppConfig):\n    name = 'stock'\n    label = 'depot'\n",
    )
    assert set(shop.states()) == {"shop.first", "depot.second", "depot.tmp_third"}
    shop.manage("second")
    assert shop.states()["depot.second"] == "applied"
