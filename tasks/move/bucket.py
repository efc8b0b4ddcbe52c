"""Moves a bucket: lists both sides, copies what is missing or differs, and compares contents.

Every object is compared by SHA-256 of what is read back, unless `deep` is off: then objects that were there
with the same size and ETag before are taken as equal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tasks.drivers.errors import ServiceFailed
from tasks.drivers.ports import Objects


@dataclass(frozen=True)
class BucketMoved:
    """Counts and bytes of the source, all of them found equal at the target.

    `digest` is the SHA-256 over `key, bytes, SHA-256 of the content` of every object that was read; `extra`
    are objects that only the target has.
    """

    objects: int
    bytes: int
    copied: int
    copied_bytes: int
    compared: int
    extra: tuple[str, ...]
    digest: str


@dataclass(frozen=True)
class _Result:
    key: str
    size: int
    sha256: str
    copied: bool


def move_bucket(
    source: Objects,
    target: Objects,
    *,
    parallel: int = 8,
    deep: bool = True,
    dry_run: bool = False,
    on_progress: Callable[[str, int, int], None] = lambda *_: None,
) -> BucketMoved:
    """Copy and compare; a second run copies nothing. Raises ServiceFailed, naming the objects that differ.

    `dry_run` copies nothing and says what would be. Memory: `parallel` objects at a time.
    """
    ours = {key: (size, etag) for key, size, etag in source.list()}
    theirs = {key: (size, etag) for key, size, etag in target.list()}
    different = [key for key, found in ours.items() if not _same(found, theirs.get(key))]
    extra = tuple(sorted(set(theirs) - set(ours)))
    if dry_run:
        size = sum(ours[key][0] for key in different)
        total = sum(size for size, _ in ours.values())
        return BucketMoved(len(ours), total, len(different), size, 0, extra, "")
    todo = sorted(ours) if deep else sorted(different)
    wrong = set(different)
    results: list[_Result] = []
    with ThreadPoolExecutor(max_workers=parallel) as pool:
        for result in pool.map(lambda key: _copy(source, target, key, copy=key in wrong), todo):
            results.append(result)
            on_progress(result.key, len(results), len(todo))
    after = {key: size for key, size, _ in target.list()}
    lacking = [key for key in ours if key not in after]
    if lacking:
        raise ServiceFailed(target.name, f"{len(lacking)} objects are missing: {', '.join(lacking[:5])}")
    listing = "".join(f"{one.key}\0{one.size}\0{one.sha256}\n" for one in results)
    return BucketMoved(
        objects=len(ours),
        bytes=sum(size for size, _ in ours.values()),
        copied=sum(one.copied for one in results),
        copied_bytes=sum(one.size for one in results if one.copied),
        compared=len(results),
        extra=extra,
        digest=hashlib.sha256(listing.encode()).hexdigest(),
    )


def _same(ours: tuple[int, str], theirs: tuple[int, str] | None) -> bool:
    if theirs is None or ours[0] != theirs[0]:
        return False
    # An ETag with a dash is of an upload in parts, and depends on their sizes: contents decide then.
    return ours[1] == theirs[1] or "-" in ours[1] + theirs[1]


def _copy(source: Objects, target: Objects, key: str, *, copy: bool) -> _Result:
    """Copy if need be, then read back and compare; an object that differs is copied once more."""
    content = source.read(key)
    wanted = hashlib.sha256(content).hexdigest()
    copied = False
    if copy:
        _write(source, target, key, content)
        copied = True
    if hashlib.sha256(target.read(key)).hexdigest() != wanted:
        _write(source, target, key, content)
        copied = True
        if hashlib.sha256(target.read(key)).hexdigest() != wanted:
            raise ServiceFailed(target.name, f"{key} differs from the source after the copy")
    return _Result(key, len(content), wanted, copied)


def _write(source: Objects, target: Objects, key: str, content: bytes) -> None:
    about = source.head(key) or {}
    target.write(key, content, content_type=str(about.get("ContentType") or ""))
