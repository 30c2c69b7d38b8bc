"""The lint among Django's system checks: with --deploy alone, and with the app registry's labels."""

from __future__ import annotations

from tests.conftest import Project

REQUIRES_NOTHING = "@required_preceding_script('gone')\n    @tracked_script"


def test_an_ordinary_check_does_not_lint(project: Project) -> None:
    project.command("shop.first", decorators=REQUIRES_NOTHING)
    assert "ST003" not in project.manage("check").text
    loaded = project.python(
        "import sys; from django.core.management import call_command; call_command('check');"
        " print([name for name in sys.modules if name.startswith(('libcst', 'scripts_tracker.analysis'))])"
    )
    assert loaded.out.splitlines()[-1] == "[]"


def test_a_deploy_check_reports_findings_with_their_ids(project: Project) -> None:
    project.command("shop.first", decorators=REQUIRES_NOTHING)
    said = project.manage("check", "--deploy", "--tag", "scripts_tracker").err
    assert "(scripts_tracker.ST003) shop/management/commands/first.py:" in said
    assert "HINT: " in said
    project.manage("check", "--deploy", "--fail-level", "WARNING", code=1)


def test_a_deploy_check_of_a_clean_project_is_silent(project: Project) -> None:
    project.command("shop.first")
    project.command(
        "stock.second", decorators="@required_preceding_script('shop.first')\n    @tracked_script"
    )
    assert "scripts_tracker" not in project.manage("check", "--deploy").text


def test_labels_are_those_of_the_app_registry(project: Project) -> None:
    project.write(
        "configs.py",
        "from django.apps import AppConfig\n\nclass Stock(AppConfig):\n    name = 'stock'\n    label = 'warehouse'\n",
    )
    project.settings("INSTALLED_APPS = ['scripts_tracker', 'shop', 'configs.Stock']")
    project.command("stock.first")
    project.command(
        "shop.needs", decorators="@required_preceding_script('warehouse.first')\n    @tracked_script"
    )
    assert "ST003" not in project.manage("check", "--deploy").text


def test_pyproject_toml_counts_and_its_mistakes_are_errors(project: Project) -> None:
    project.command("shop.first", decorators=REQUIRES_NOTHING)
    project.write("pyproject.toml", "[tool.scripts_tracker]\nignore = ['ST003']\n")
    assert "ST003" not in project.manage("check", "--deploy").text
    project.write("pyproject.toml", "[tool.scripts_tracker]\nignroe = ['ST003']\n")
    said = project.manage("check", "--deploy", code=1).err
    assert "(scripts_tracker.E002)" in said
    assert "did you mean ignore?" in said
