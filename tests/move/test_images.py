"""Names of images, and where each goes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.drivers.errors import ServiceFailed
from tasks.move.images import ImageName, compare_images, images_used, move_images, plan_images

DIGEST = "sha256:" + "ab" * 32
OTHER = "sha256:" + "cd" * 32


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("nginx:1.2", "docker.io/library/nginx:1.2"),
        ("grafana/grafana:1", "docker.io/grafana/grafana:1"),
        ("localhost/x:1", "localhost/x:1"),
        ("198.18.0.12:5000/fjordshop/shop:1.4.2", "198.18.0.12:5000/fjordshop/shop:1.4.2"),
        (f"198.18.0.12:5000/shop@{DIGEST}", f"198.18.0.12:5000/shop@{DIGEST}"),
        (f"r.example/shop:1@{DIGEST}", f"r.example/shop:1@{DIGEST}"),
    ],
)
def test_a_name_is_filled_in(text: str, full: str) -> None:
    assert str(ImageName.parse(text)) == full
    assert ImageName.parse(full) == ImageName.parse(text)


@pytest.mark.parametrize("text", ["", "UPPER/case", f"x@{DIGEST[:20]}", "r.example/", "a b"])
def test_a_name_that_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"image|digest"):
        ImageName.parse(text)


part = st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True)


@given(part, part, part)
def test_a_name_survives_the_round_trip(host: str, repository: str, tag: str) -> None:
    text = f"{host}.example:5000/{repository}:{tag}"
    assert str(ImageName.parse(text)) == text


def test_every_container_of_every_workload_is_seen() -> None:
    spec = {
        "containers": [{"image": "a"}],
        "initContainers": [{"image": "b"}],
        "ephemeralContainers": [{"image": "c"}],
    }
    cron = {
        "kind": "CronJob",
        "spec": {"jobTemplate": {"spec": {"template": {"spec": {"containers": [{"image": "d"}]}}}}},
    }
    pod = {"kind": "Pod", "spec": {"containers": [{"image": "a"}]}}
    deployment = {"kind": "Deployment", "spec": {"template": {"spec": spec}}}
    assert images_used([deployment, cron, pod, {"kind": "ConfigMap"}]) == ("a", "b", "c", "d")


def test_images_keep_their_repository_and_strangers_get_their_registrys_name() -> None:
    moves = plan_images(
        ["ecr.example:5000/shop:1", "nginx:1.2", f"ecr.example:5000/cart@{DIGEST}", "oslo.example/there:1"],
        "ecr.example:5000",
        "oslo.example",
    )
    assert [str(move.target) for move in moves] == [
        "oslo.example/shop:1",
        "oslo.example/docker-io/library/nginx:1.2",
        f"oslo.example/cart@{DIGEST}",
    ]


class Registries:
    def __init__(self, spoils: bool = False) -> None:
        self.has = {"ecr.example/shop:1": DIGEST}
        self.copied: list[tuple[str, str]] = []
        self.spoils = spoils

    def digest(self, image: str) -> str | None:
        return self.has.get(image)

    def copy(self, source: str, target: str) -> None:
        self.copied.append((source, target))
        self.has[target] = OTHER if self.spoils else DIGEST


def test_a_copy_is_asked_for_by_digest_and_named_by_digest() -> None:
    registries = Registries()
    moves = plan_images(["ecr.example/shop:1"], "ecr.example", "oslo.example")
    for there in (True, False):
        (compared,) = compare_images(moves, registries, registry_there=there)
        assert compared.copied
    assert registries.copied == []
    (moved,) = move_images(moves, registries)
    assert moved == compared
    assert registries.copied == [(f"ecr.example/shop@{DIGEST}", "oslo.example/shop:1")]
    assert moved.new_name == f"oslo.example/shop:1@{DIGEST}"
    assert not compare_images(moves, registries)[0].copied
    assert not move_images(moves, registries)[0].copied


def test_a_digest_that_differs_afterwards_is_an_error() -> None:
    moves = plan_images(["ecr.example/shop:1"], "ecr.example", "oslo.example")
    with pytest.raises(ServiceFailed, match="after the copy"):
        move_images(moves, Registries(spoils=True))
