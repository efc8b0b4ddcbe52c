"""Moves a bucket: lists both sides, copies what is missing or differs, and compares contents and metadata.

Every object is compared by SHA-256 of what is read back, and by its metadata (headers, x-amz-meta-*, tags),
unless `deep` is off: then objects that were there with the same size and ETag before are taken as equal.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from inventory.models.stored_object import StoredObject
from tasks.drivers.errors import ServiceFailed
from tasks.drivers.ports import Objects


@dataclass(frozen=True)
class Unkept:
    """An object whose copy lacks some of the source's metadata although it was written with it."""

    key: str
    names: tuple[str, ...]

    @property
    def folder_marker(self) -> bool:
        """Whether it stands for a folder in browsers of buckets, and nobody downloads it."""
        return self.key.endswith("/")

    def __str__(self) -> str:
        return f"{self.key}: {', '.join(self.names)}"


@dataclass(frozen=True)
class BucketMoved:
    """Counts and bytes of the source, all of them found equal at the target.

    `digest` is the SHA-256 over key, bytes, SHA-256 of the content and metadata of every object that was
    read; `unkept` are those whose metadata the target did not take; `extra` are objects that only it has.
    """

    objects: int
    bytes: int
    copied: int
    copied_bytes: int
    compared: int
    unkept: tuple[Unkept, ...]
    extra: tuple[str, ...]
    digest: str


@dataclass(frozen=True)
class BucketPlanned:
    """What a move would copy, by the listings of both sides and the metadata of what looks the same."""

    objects: int
    bytes: int
    to_copy: int
    to_copy_bytes: int
    extra: tuple[str, ...]


@dataclass(frozen=True)
class _Result:
    key: str
    size: int
    sha256: str
    metadata: dict[str, str] = field(repr=False)
    copied: bool
    lost: tuple[str, ...]

    def line(self) -> str:
        return json.dumps([self.key, self.size, self.sha256, self.metadata], sort_keys=True) + "\n"


Progress = Callable[[str, int, int], None]


def plan_bucket(
    source: Objects, target: Objects | None, *, parallel: int = 8, on_progress: Progress = lambda *_: None
) -> BucketPlanned:
    """What `move_bucket` would copy; reads no content, changes nothing. `target` None: it is yet to be made.

    Of objects with the same size and ETag the metadata is asked for, and their contents are taken as equal.
    """
    ours = _listed(source)
    theirs = _listed(target) if target else {}
    todo = {key for key, found in ours.items() if not _same(found, theirs.get(key))}
    if target:
        alike = sorted(set(ours) - todo)
        with ThreadPoolExecutor(max_workers=parallel) as pool:
            answers = pool.map(partial(_alike, source, target), alike)
            for number, (key, equal) in enumerate(zip(alike, answers, strict=True), 1):
                todo |= set() if equal else {key}
                on_progress(key, number, len(alike))
    return BucketPlanned(
        objects=len(ours),
        bytes=_size(ours, ours),
        to_copy=len(todo),
        to_copy_bytes=_size(ours, todo),
        extra=tuple(sorted(set(theirs) - set(ours))),
    )


def move_bucket(
    source: Objects,
    target: Objects,
    *,
    parallel: int = 8,
    deep: bool = True,
    on_progress: Progress = lambda *_: None,
) -> BucketMoved:
    """Copy and compare; a second run copies nothing that the target keeps.

    Raises ServiceFailed, naming the objects whose contents differ. Memory: `parallel` objects at a time.
    """
    ours, theirs = _listed(source), _listed(target)
    wrong = {key for key, found in ours.items() if not _same(found, theirs.get(key))}
    todo = sorted(ours) if deep else sorted(wrong)
    results: list[_Result] = []
    with ThreadPoolExecutor(max_workers=parallel) as pool:
        for result in pool.map(lambda key: _copy(source, target, key, copy=key in wrong), todo):
            results.append(result)
            on_progress(result.key, len(results), len(todo))
    after = {key for key, _, _ in target.list()}
    lacking = [key for key in ours if key not in after]
    if lacking:
        raise ServiceFailed(target.name, f"{len(lacking)} objects are missing: {', '.join(lacking[:5])}")
    return BucketMoved(
        objects=len(ours),
        bytes=_size(ours, ours),
        copied=sum(one.copied for one in results),
        copied_bytes=sum(one.size for one in results if one.copied),
        compared=len(results),
        unkept=tuple(Unkept(one.key, one.lost) for one in results if one.lost),
        extra=tuple(sorted(set(theirs) - set(ours))),
        digest=hashlib.sha256("".join(one.line() for one in results).encode()).hexdigest(),
    )


def _listed(side: Objects) -> dict[str, tuple[int, str]]:
    return {key: (size, etag) for key, size, etag in side.list()}


def _size(listed: dict[str, tuple[int, str]], keys: Iterable[str]) -> int:
    return sum(listed[key][0] for key in keys)


def _same(ours: tuple[int, str], theirs: tuple[int, str] | None) -> bool:
    if theirs is None or ours[0] != theirs[0]:
        return False
    # An ETag with a dash is of an upload in parts, and depends on their sizes: contents decide then.
    return ours[1] == theirs[1] or "-" in ours[1] + theirs[1]


def _alike(source: Objects, target: Objects, key: str) -> bool:
    ours, theirs = source.head(key), target.head(key)
    return ours is not None and theirs is not None and not ours.differing(theirs)


def _copy(source: Objects, target: Objects, key: str, *, copy: bool) -> _Result:
    """Copy if need be, then read back and compare; contents that differ are copied once more."""
    wanted = source.read(key)
    if copy:
        target.write(key, wanted)
    found = target.read(key)
    again = found.content != wanted.content or (not copy and bool(_lost(wanted, found)))
    if again:
        target.write(key, wanted)
        found = target.read(key)
        if found.content != wanted.content:
            raise ServiceFailed(target.name, f"{key} differs from the source after the copy")
    return _Result(
        key,
        len(wanted.content),
        hashlib.sha256(wanted.content).hexdigest(),
        wanted.metadata.named(),
        copied=copy or again,
        lost=_lost(wanted, found),
    )


def _lost(wanted: StoredObject, found: StoredObject) -> tuple[str, ...]:
    return wanted.metadata.differing(found.metadata)
