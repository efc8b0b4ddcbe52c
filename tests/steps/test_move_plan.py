"""A dry run of the move: a line a change, the same count as the move then makes, and nothing touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import pytest

from flows.move import move
from inventory.models.change import Change, PutFile
from inventory.models.verdict import Verdict
from tasks.drivers.errors import HostUnreachable
from tasks.steps import move as step
from tasks.steps import move_plan
from tasks.steps.stage import Draft, result_path, stage
from tasks.steps.workplace import Workplace
from tests.steps.conftest import Heard, subjects
from tests.steps.fakes import SOURCE_DB, World

pytestmark = pytest.mark.usefixtures("plain_tasks")

IMAGE = "198.18.0.12:5000/shop:1"
THERE = f"10.60.0.11:5000/shop:1@sha256:{'ab' * 32}"


class Registries:
    """Two registries behind one copier; `up` says whether the target's answers."""

    def __init__(self) -> None:
        self.has = {IMAGE: "sha256:" + "ab" * 32}
        self.up = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""

    def digest(self, image: str) -> str | None:
        if not self.up and image.startswith("10.60.0.11"):
            raise HostUnreachable("10.60.0.11:5000", "connection refused")
        return self.has.get(image)

    def copy(self, source: str, target: str) -> None:
        self.has[target] = "sha256:" + "ab" * 32


@pytest.fixture
def registries(monkeypatch: pytest.MonkeyPatch) -> Registries:
    made = Registries()
    monkeypatch.setattr(step, "open_copier", lambda site: made)
    monkeypatch.setattr(move_plan, "open_copier", lambda site: made)
    return made


@pytest.fixture(autouse=True)
def raised(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What `bring_about` was told of dry runs; hosts are another test's matter, so it plans one change."""
    asked: list[bool] = []

    def planned(draft: Draft, phase: str, _: Any, __: Any, *, dry_run: bool) -> int:
        asked.append(dry_run)
        change = Change("oslo-1", phase, "the way in", "", "x", (PutFile("/etc/x", b"x"),), ())
        draft.planned.append(change)
        draft.changes += 1
        return 1

    monkeypatch.setattr(step, "bring_about", planned)
    return asked


@pytest.fixture(autouse=True)
def shop(world: World) -> None:
    """A namespace of three objects and an image at the source; the TTL is still long."""
    template = {"metadata": {}, "spec": {"containers": [{"name": "shop", "image": IMAGE}]}}
    objects: Sequence[Mapping[str, Any]] = (
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "site", "namespace": "shop"}},
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "shop", "namespace": "shop"},
            "spec": {"replicas": 0, "template": template},
        },
    )
    for one in objects:
        world.source_kube.apply(one)
    world.zone.ttl_s = 300
    world.calls.clear()


def test_a_line_a_change_and_nothing_is_touched(
    world: World, place: Workplace, heard: Heard, registries: Registries, raised: list[bool]
) -> None:
    world.target_sql.started = False
    result = move.fn(str(place.site_file), dry_run=True)
    assert result.figures["would"] == [
        f"copy the image {IMAGE} to {THERE}",
        f"let the target's database follow {SOURCE_DB}",
        "create s3://media, readable by whoever reaches it",
        "copy 1 of 1 objects, 1 bytes, from s3://fjordshop-media to s3://media",
        "create Namespace shop",
        "create ConfigMap shop/site",
        "create Deployment shop/shop",
        "lower the TTL of shop.fjordshop.example from 300 to 2 s",
    ]
    assert [f"would {each}" for each in result.figures["would"]] == heard.said[: len(result.figures["would"])]
    assert "edge" in result.figures["diff"]["oslo-1"]
    assert raised == [True]
    assert world.calls == []
    assert THERE.partition("@")[0] not in registries.has
    assert subjects(place) == []
    assert not result_path(place.state, "move").exists()
    assert result.verdict is Verdict.PASS


def test_the_move_then_changes_as_much_and_a_second_plan_nothing(
    place: Workplace, registries: Registries, heard: Heard
) -> None:
    planned = move.fn(str(place.site_file), dry_run=True)
    with stage("move") as draft:  # the database's copy has real servers of its own in tests/move
        step.copy_images(draft)
        step.copy_bucket(draft)
        step.copy_objects(draft)
        step.open_edge(draft, dry_run=False)
        step.lower_ttl(draft, dry_run=False)
    assert draft.changes == planned.changes
    again = Draft()
    move_plan.show_copies(again)
    step.lower_ttl(again, dry_run=True)
    assert (again.changes, again.figures.get("would")) == (0, None)


def test_a_service_that_this_move_raises_has_nothing_yet(
    world: World, place: Workplace, registries: Registries
) -> None:
    registries.up = world.target_database_up = False
    draft = Draft(figures={"changes_by_phase": {"registry": 2, "mariadb": 1}})
    move_plan.show_copies(draft)
    assert f"copy the image {IMAGE} to {THERE}" in draft.figures["would"]
    assert draft.figures["database"]["to_change"][0].startswith("copy the database")


@pytest.mark.parametrize("service", ["registry", "mariadb"])
def test_a_service_that_should_answer_and_does_not_is_an_error(
    world: World, place: Workplace, registries: Registries, service: str
) -> None:
    planned = {"registry": 2, "mariadb": 1, service: 0}
    registries.up = world.target_database_up = False
    with pytest.raises(HostUnreachable):
        move_plan.show_copies(Draft(figures={"changes_by_phase": planned}))
