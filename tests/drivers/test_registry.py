"""skopeo between real registries with TLS."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tasks.drivers.errors import HostUnreachable, ServiceFailed
from tasks.drivers.registry import Skopeo
from tasks.move.images import move_images, plan_images
from tests.drivers.real_edge import free_port
from tests.drivers.real_mariadb import Ca
from tests.drivers.real_registry import push_image, running_registry

pytestmark = pytest.mark.skipif(
    not (shutil.which("docker-registry") and shutil.which("skopeo")), reason="docker-registry, skopeo"
)


@dataclass
class Registries:
    folder: Path
    ca: Ca
    source: str
    target: str


@pytest.fixture(scope="module")
def registries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registries]:
    folder = tmp_path_factory.mktemp("registries")
    ca = Ca(folder)
    with running_registry(folder, ca, "ecr") as source, running_registry(folder, ca, "oslo") as target:
        yield Registries(folder, ca, source, target)


def test_images_move_by_digest_and_only_once(registries: Registries) -> None:
    shop = f"{registries.source}/fjordshop/shop:1.4.2"
    digest = push_image(registries.folder, registries.ca, shop, b"shop 1.4.2")
    moves = plan_images([shop], registries.source, registries.target)
    with Skopeo({registries.source: registries.ca.file, registries.target: registries.ca.file}) as copier:
        seen: list[tuple[str, int, int]] = []
        (first,) = move_images(moves, copier, on_progress=lambda *what: seen.append(what))
        (second,) = move_images(moves, copier)
        assert first.new_name == f"{registries.target}/fjordshop/shop:1.4.2@{digest}"
        assert (first.digest, first.copied) == (digest, True)
        assert (second.digest, second.copied) == (digest, False)
        assert copier.digest(f"{registries.target}/fjordshop/shop:1.4.2") == digest
        assert copier.digest(first.new_name) == digest
        assert seen == [(shop, 1, 1)]
        newer = push_image(registries.folder, registries.ca, shop, b"shop 1.4.2, pushed again")
        (third,) = move_images(moves, copier)
        assert (third.digest, third.copied) == (newer, True)


def test_an_image_that_is_missing_at_the_source(registries: Registries) -> None:
    moves = plan_images([f"{registries.source}/no/such:1"], registries.source, registries.target)
    with (
        Skopeo({registries.source: registries.ca.file, registries.target: registries.ca.file}) as copier,
        pytest.raises(ServiceFailed, match="has no image"),
    ):
        move_images(moves, copier)


def test_a_registry_with_another_ca_is_not_trusted(registries: Registries, tmp_path: Path) -> None:
    with (
        Skopeo({registries.source: Ca(tmp_path).file}) as copier,
        pytest.raises(ServiceFailed, match="TLS certificate"),
    ):
        copier.digest(f"{registries.source}/fjordshop/shop:1.4.2")


def test_a_registry_that_is_not_there(registries: Registries) -> None:
    with Skopeo({}) as copier, pytest.raises(HostUnreachable):
        copier.digest(f"127.0.0.1:{free_port()}/x:1")


def test_a_ca_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ServiceFailed, match=r"no\.crt"):
        Skopeo({"registry.example": tmp_path / "no.crt"})
