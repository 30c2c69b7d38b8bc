"""The help for the tests of a project, tried on commands that are idempotent and on some that are not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.core.management import BaseCommand, CommandError
from django.core.management import call_command as django_call_command

from scripts_tracker import testing
from scripts_tracker.decorators import tracked_script
from scripts_tracker.models import ScriptRun

pytestmark = pytest.mark.django_db


def command(work: Callable[..., Any]) -> type[BaseCommand]:
    class Command(BaseCommand):
        @tracked_script
        def handle(self, *args: Any, **options: Any) -> None:
            work(**{name: value for name, value in options.items() if name == "name"})

        def add_arguments(self, parser: Any) -> None:
            parser.add_argument("--name", default="x")

    return Command


def adds(name: str) -> None:
    Group.objects.create(name=f"{name}{Group.objects.count()}")


def adds_many(name: str) -> None:
    for _ in range(25):
        adds(name)


def deletes(name: str) -> None:
    Group.objects.order_by("pk").last().delete()  # type: ignore[union-attr]  # there is one


def appends(name: str) -> None:
    group = Group.objects.get(name__startswith="old")
    group.name += "!"
    group.save()


def joins(name: str) -> None:
    user = User.objects.get()
    user.groups.add(Group.objects.exclude(user=user).order_by("pk")[0])


def points_elsewhere(name: str) -> None:
    permission = Permission.objects.get(codename="p")
    count = ContentType.objects.filter(app_label="a").count()
    permission.content_type = ContentType.objects.create(app_label="a", model=str(count))
    permission.save()


def makes_sure(name: str) -> None:
    Group.objects.get_or_create(name=name)


def swaps_a_row_for_an_equal_one(name: str) -> None:
    Group.objects.get(name="old").delete()
    Group.objects.create(name="old")


def fails(name: str) -> None:
    raise CommandError("no")


@pytest.fixture(autouse=True)
def rows() -> None:
    Group.objects.create(name="old")
    Group.objects.create(name="older")
    Group.objects.create(name="oldest").user_set.create(username="u")
    Group.objects.filter(name="older").update(name="another")
    Group.objects.filter(name="oldest").update(name="last")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Check a piece of work as a command of the name "it"."""

    def check(work: Callable[..., Any], **options: Any) -> None:
        made = command(work)
        monkeypatch.setattr(
            testing,
            "call_command",
            lambda _name, /, *args, **given: django_call_command(made(), *args, **given),
        )
        testing.assert_idempotent("it", **options)

    return check


NOT_IDEMPOTENT = {
    adds: "added auth.Group",
    deletes: "deleted auth.Group",
    appends: "(name: 'old!' -> 'old!!')",
    swaps_a_row_for_an_equal_one: "deleted auth.Group",
}


@pytest.mark.parametrize(
    ("work", "words"), NOT_IDEMPOTENT.items(), ids=lambda one: getattr(one, "__name__", "")
)
def test_a_second_run_that_changes_rows_is_reported(
    run: Callable[..., None], work: Callable[..., Any], words: str
) -> None:
    with pytest.raises(testing.NotIdempotentError, match="it is not idempotent; its second run") as error:
        run(work)
    assert words in str(error.value)


def test_rows_of_relations_count(run: Callable[..., None]) -> None:
    with pytest.raises(testing.NotIdempotentError, match=r"added auth\.User_groups"):
        run(joins)


def test_only_the_first_differences_are_reported(run: Callable[..., None]) -> None:
    with pytest.raises(testing.NotIdempotentError, match="and 15 more"):
        run(adds_many)


def test_a_second_run_that_finds_all_done_is_fine_and_both_are_recorded(run: Callable[..., None]) -> None:
    run(makes_sure, name="made")
    assert Group.objects.filter(name="made").count() == 1
    assert list(ScriptRun.objects.values_list("outcome", flat=True)) == ["succeeded", "succeeded"]


@pytest.mark.parametrize(
    "ignore", [["auth.Group"], ["auth.Group.name"], ["auth.group"], ["auth.group.name"], "auth.Group"]
)
def test_ignored_models_and_fields_are_ignored(run: Callable[..., None], ignore: Any) -> None:
    run(appends, ignore=ignore)


def test_a_foreign_key_is_ignored_by_the_name_of_its_column_too(run: Callable[..., None]) -> None:
    Permission.objects.create(
        name="p", codename="p", content_type=ContentType.objects.create(app_label="a", model="0")
    )
    for name in ("content_type", "content_type_id"):
        run(points_elsewhere, ignore=[f"auth.Permission.{name}", "contenttypes.ContentType"])


def test_a_model_that_django_does_not_manage_counts(
    run: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Group._meta, "managed", False)
    with pytest.raises(testing.NotIdempotentError):
        run(appends)


@pytest.mark.parametrize(
    "ignore", ["auth.Gruop", "auth.Group.nmae", "no.Such", "auth.User.groups", "auth.Group.user"]
)
def test_what_cannot_be_ignored_is_an_error(run: Callable[..., None], ignore: str) -> None:
    with pytest.raises(Exception, match=r"has no|doesn't have|No installed app|is not a column"):
        run(makes_sure, ignore=[ignore])


def test_an_error_of_the_script_is_its_own(run: Callable[..., None]) -> None:
    with pytest.raises(CommandError, match=r"^no$"):
        run(fails)


def test_the_fixture_is_the_function(assert_idempotent: Callable[..., None]) -> None:
    assert assert_idempotent is testing.assert_idempotent


def test_the_mixin_has_it_as_a_method(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []
    monkeypatch.setattr(testing, "assert_idempotent", lambda *args, **options: given.append((args, options)))
    testing.IdempotenceMixin().assert_idempotent("fix", "a", name="b")
    assert given == [(("fix", "a"), {"name": "b"})]
