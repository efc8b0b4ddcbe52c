"""Image archives made by hand: what a container runtime finds in them."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import tarfile
from pathlib import Path

import pytest

from inventory.errors import BadInput
from tasks.operations.images_archive import (
    PAUSE,
    Image,
    control_plane_images,
    digest_of,
    pause_image,
    write_archive,
)


def program(path: Path, *kinds: int, size: int = 5000) -> Path:
    """A 64-bit ELF file with program headers of these kinds (1 load, 3 interpreter)."""
    head = b"\x7fELF\x02" + bytes(27) + struct.pack("<QQIHHHHHH", 64, 0, 0, 64, 56, len(kinds), 0, 0, 0)
    headers = b"".join(struct.pack("<I", kind) + bytes(52) for kind in kinds)
    path.write_bytes((head + headers).ljust(size, b"x"))
    return path


def opened(images: tuple[Image, ...]) -> dict[str, bytes]:
    out = io.BytesIO()
    write_archive(out, images)
    out.seek(0)
    with tarfile.open(fileobj=out) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]  # files only


def test_three_images_share_one_layer_with_the_multi_call_program(tmp_path: Path) -> None:
    source = program(tmp_path / "kubernetes", 1)
    members = opened(control_plane_images("1.37.1", tmp_path))
    manifest = json.loads(members["manifest.json"])
    assert [entry["RepoTags"] for entry in manifest] == [
        ["registry.k8s.io/kube-apiserver:v1.37.1"],
        ["registry.k8s.io/kube-controller-manager:v1.37.1"],
        ["registry.k8s.io/kube-scheduler:v1.37.1"],
    ]
    (layer,) = {name for entry in manifest for name in entry["Layers"]}
    digest = hashlib.sha256(members[layer]).hexdigest()
    for entry in manifest:
        config = members[entry["Config"]]
        assert entry["Config"] == f"{hashlib.sha256(config).hexdigest()}.json"
        assert json.loads(config)["rootfs"]["diff_ids"] == [f"sha256:{digest}"]
    with tarfile.open(fileobj=io.BytesIO(members[layer])) as tar:
        held = tar.extractfile("usr/local/bin/kubernetes")
        assert held is not None
        assert held.read() == source.read_bytes()
        assert tar.getmember("usr/local/bin/kube-apiserver").linkname == "kubernetes"
        assert tar.getmember("usr/local/bin/kubernetes").mode == 0o755
        assert {member.mtime for member in tar} == {0}


def test_separate_programs_make_separate_layers(tmp_path: Path) -> None:
    for number, name in enumerate(("kube-apiserver", "kube-controller-manager", "kube-scheduler")):
        program(tmp_path / name, 1, size=1000 + number)
    manifest = json.loads(opened(control_plane_images("1.37.1", tmp_path))["manifest.json"])
    assert len({entry["Layers"][0] for entry in manifest}) == 3


def test_the_same_programs_make_the_same_bytes(tmp_path: Path) -> None:
    program(tmp_path / "pause", 1)
    images = (pause_image(tmp_path),)
    first, second = io.BytesIO(), io.BytesIO()
    write_archive(first, images)
    (tmp_path / "pause").touch()
    write_archive(second, images)
    assert first.getvalue() == second.getvalue()
    assert digest_of(images) == hashlib.sha256(first.getvalue()).hexdigest()
    assert images[0].reference == PAUSE


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda path: program(path, 1, 3),
            "needs libraries that an image has not: build it with CGO_ENABLED=0",
        ),
        (lambda path: path.write_text("#!/bin/sh\n"), "not a 64-bit Linux program"),
        (lambda path: None, "cannot be read: No such file"),
    ],
)
def test_a_program_that_cannot_run_alone_is_bad_input(tmp_path: Path, make: object, message: str) -> None:
    make(tmp_path / "pause")  # type: ignore[operator]  # a parametrized function
    with pytest.raises(BadInput, match=message):
        pause_image(tmp_path)
