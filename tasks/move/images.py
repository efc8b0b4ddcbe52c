"""Moves the images that the moved namespaces use, by digest, and proves it at the target's registry."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.drivers.errors import ServiceFailed
from tasks.drivers.ports import ImageCopier
from tasks.move.strip import templates

DOCKER_HUB = "docker.io"
_DIGEST = re.compile(r"^sha256:[0-9a-f]{64}$")


@dataclass(frozen=True)
class ImageName:
    """`registry/repository[:tag][@digest]`, with what is left out filled in (docker.io, library, latest)."""

    registry: str
    repository: str
    tag: str
    digest: str

    @classmethod
    def parse(cls, text: str) -> ImageName:
        """Of a container's `image`. Raises ValueError."""
        name, _, digest = text.partition("@")
        if digest and not _DIGEST.fullmatch(digest):
            raise ValueError(f"{text!r} has no SHA-256 digest behind the @")
        first, slash, rest = name.partition("/")
        if slash and ("." in first or ":" in first or first == "localhost"):
            registry, path = first, rest
        else:
            registry, path = DOCKER_HUB, name if slash else f"library/{name}"
        head, colon, tail = path.rpartition(":")
        repository, tag = (head, tail) if colon else (path, "")
        if not re.match(r"^[a-z0-9]+([._/-]+[a-z0-9]+)*$", repository):
            raise ValueError(f"{text!r} is not the name of an image")
        return cls(registry, repository, tag or ("" if digest else "latest"), digest)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.registry}/{self.repository}{tag}{digest}"


@dataclass(frozen=True)
class ImageMove:
    """One image: as the workloads name it, where it is copied from, and where to."""

    original: str
    source: ImageName
    target: ImageName


@dataclass(frozen=True)
class ImageMoved:
    """One image that is at the target with the same digest. `new_name` is what workloads there shall use."""

    original: str
    new_name: str
    digest: str
    copied: bool


def images_used(objects: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Every image that these workloads and pods name, init and ephemeral containers included, sorted."""
    found = set()
    for one in objects:
        for template in templates(dict(one)):
            spec = template["spec"]
            for group in ("containers", "initContainers", "ephemeralContainers"):
                found |= {str(container["image"]) for container in spec.get(group) or []}
    return tuple(sorted(found))


def plan_images(
    originals: Sequence[str], source_registry: str, target_registry: str
) -> tuple[ImageMove, ...]:
    """Where each image goes. The source registry's keep their repository; those of other registries get the
    registry's name before it (dots as dashes: it is a folder, not an address), so that no two meet. What is
    at the target already stays. Raises ValueError."""
    moves = []
    for original in originals:
        source = ImageName.parse(original)
        if source.registry == target_registry:
            continue
        here = source.registry == source_registry
        repository = source.repository if here else f"{_as_folder(source.registry)}/{source.repository}"
        moves.append(
            ImageMove(original, source, ImageName(target_registry, repository, source.tag, source.digest))
        )
    return tuple(moves)


def _as_folder(registry: str) -> str:
    return registry.replace(":", "-").replace(".", "-")


def compare_images(
    moves: Sequence[ImageMove], copier: ImageCopier, *, registry_there: bool = True
) -> tuple[ImageMoved, ...]:
    """What `move_images` would do, `copied` being what it would copy; asks for digests and copies nothing.

    Where the target's registry is yet to be raised, it has none. Raises as `move_images` does.
    """
    compared = []
    for move in moves:
        wanted = _wanted(move, copier)
        found = copier.digest(str(move.target)) if registry_there else None
        compared.append(ImageMoved(move.original, _named(move, wanted), wanted, found != wanted))
    return tuple(compared)


def move_images(
    moves: Sequence[ImageMove],
    copier: ImageCopier,
    *,
    on_progress: Callable[[str, int, int], None] = lambda *_: None,
) -> tuple[ImageMoved, ...]:
    """Copy what the target does not have with this digest, and compare digests afterwards.

    Raises ServiceFailed where an image is missing at the source or its digest differs at the target.
    """
    moved = []
    for done, move in enumerate(moves, 1):
        wanted = _wanted(move, copier)
        found = copier.digest(str(move.target))
        copied = found != wanted
        if copied:
            # By digest: a tag that moves meanwhile changes nothing.
            exact = ImageName(move.source.registry, move.source.repository, "", wanted)
            copier.copy(str(exact), str(move.target))
            found = copier.digest(str(move.target))
            if found != wanted:
                raise ServiceFailed(
                    move.target.registry, f"{move.target} has the digest {found} after the copy, not {wanted}"
                )
        moved.append(ImageMoved(move.original, _named(move, wanted), wanted, copied))
        on_progress(move.original, done, len(moves))
    return tuple(moved)


def _wanted(move: ImageMove, copier: ImageCopier) -> str:
    wanted = copier.digest(str(move.source))
    if wanted is None:
        raise ServiceFailed(
            move.source.registry, f"has no image {move.source}",
            "push it, or take the workload that names it out of the move",
        )  # fmt: skip
    return wanted


def _named(move: ImageMove, digest: str) -> str:
    return str(ImageName(move.target.registry, move.target.repository, move.target.tag, digest))
