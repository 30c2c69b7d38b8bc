"""What no import contract can see: what is in memory when nothing needs it."""

from __future__ import annotations

import ast

from tests.conftest import Project


def test_a_check_of_the_system_and_a_start_import_no_libcst(project: Project) -> None:
    project.command("shop.first")
    out = project.python(
        "import sys\n"
        "from django.core.management import call_command\n"
        "call_command('check')\n"
        "own = tuple(f'scripts_tracker.{part}' for part in ('analysis', 'core.redaction', 'running.output'))\n"
        "print([name for name in sys.modules if name.split('.')[0] == 'libcst' or name.startswith(own)])"
    ).out
    assert out.splitlines()[-1] == "[]"


def test_the_operation_for_migrations_imports_no_more_than_django_has(project: Project) -> None:
    out = project.python(
        "import sys\n"
        "import scripts_tracker.operations\n"
        "print([name for name in sys.modules if name.startswith('scripts_tracker.')])"
    ).out
    own = ("apps", "core_tracker", "decorators", "dependency_tracker", "exceptions", "models", "operations")
    assert set(ast.literal_eval(out)) <= {f"scripts_tracker.{name}" for name in own}


def test_a_tracked_command_imports_what_a_run_needs_and_no_more(project: Project) -> None:
    project.command("shop.first", body="pass")
    project.migrate()
    project.manage("first")
    out = project.python(
        "import sys\n"
        "from django.core.management import call_command\n"
        "before = set(sys.modules)\n"
        "call_command('first')\n"
        "print(sorted(name for name in set(sys.modules) - before if name.startswith('scripts_tracker.')))"
    ).out
    needed = (
        "conf",
        "core",
        "core.redaction",
        "core.tuples",
        "core.values",
        "core.watches",
        "ledger",
        "ledger.database",
        "ledger.leases",
        "ledger.processes",
        "ledger.reading",
        "ledger.sessions",
        "ledger.statements",
        "ledger.writing",
        "project",
        "project.git",
        "project.scan",
        "project.versions",
        "running",
        "running.attempt",
        "running.calls",
        "running.outcome",
        "running.output",
        "running.start",
        "signals",
    )
    assert set(ast.literal_eval(out)) <= {f"scripts_tracker.{name}" for name in needed}


def test_a_check_that_is_a_process_leaves_the_collector_little_to_walk_at_exit(project: Project) -> None:
    project.command("shop.first")
    project.migrate()
    out = project.python(
        "import gc\n"
        "from django.core.management import call_command, execute_from_command_line\n"
        "before = gc.get_freeze_count()\n"
        "call_command('check_scripts')\n"
        "print('frozen:', gc.get_freeze_count() - before)\n"
        "execute_from_command_line(['manage.py', 'check_scripts'])\n"
        "print(len(gc.get_objects()) < gc.get_freeze_count() / 100, gc.isenabled())"
    ).out
    lines = out.splitlines()
    assert lines[-1] == "True True"
    # Of what was frozen before, some may be gone.
    (frozen,) = (int(one.removeprefix("frozen:")) for one in lines if one.startswith("frozen:"))
    assert frozen <= 0, "within another process, nothing of it is left out"


def test_no_fingerprint_is_made_for_the_names_of_scripts(project: Project) -> None:
    project.command("shop.first")
    project.migrate()
    out = project.python(
        "from scripts_tracker.project import scan\n"
        "print([(one.id.dotted, one.fingerprint.is_pending) for one in scan.scripts(scan.cache(''))])"
    ).out
    assert out.splitlines()[-1] == "[('shop.first', True)]"
    project.manage("check_scripts")
    for command in ("check_scripts --untracked", "start_script shop other --require first"):
        out = project.python(
            "import sys\n"
            "from django.core.management import call_command\n"
            f"call_command(*{command.split()!r})\n"
            "print('libcst' in sys.modules)"
        ).out
        assert out.splitlines()[-1] == "False", command


def test_importing_the_package_imports_neither_django_nor_libcst(project: Project) -> None:
    import sys

    result = project.run(
        sys.executable,
        "-c",
        "import sys, scripts_tracker, scripts_tracker.core_tracker\n"
        "print([name for name in sys.modules if name in ('django', 'libcst')])",
    )
    assert result.out == "[]\n"


def test_a_check_where_nothing_is_new_imports_no_libcst(project: Project) -> None:
    project.command("shop.first")
    project.migrate()
    project.manage("check_scripts", "--mark-all-applied")
    out = project.python(
        "import sys\n"
        "from django.core.management import call_command\n"
        "call_command('check_scripts', '--check')\n"
        "print('libcst' in sys.modules)"
    ).out
    assert out.splitlines()[-1] == "False"


def test_the_analysis_works_where_django_cannot_be_imported(project: Project) -> None:
    import sys

    project.command("shop.first")
    result = project.run(
        sys.executable,
        "-c",
        "import sys\n"
        "sys.modules['django'] = None\n"
        "from scripts_tracker.analysis.linking.scanning import analyse\n"
        "from scripts_tracker.core.values import CommandsDir\n"
        "folder = CommandsDir('shop', 'shop.management.commands', sys.argv[1] + '/shop/management/commands')\n"
        "print([str(found.id) for found in analyse([folder], root=sys.argv[1]).definitions])",
        str(project.root),
    )
    assert result.out == "['shop.first']\n", result


def test_nothing_in_a_command_file_is_executed(project: Project) -> None:
    file = project.command("shop.first")
    mark = project.root / "executed"
    file.write_text(f"open({str(mark)!r}, 'w').write('yes')\n" + file.read_text())
    project.migrate()
    project.manage("check_scripts")
    project.manage("check_scripts", "--mark-all-applied")
    assert not mark.exists()
