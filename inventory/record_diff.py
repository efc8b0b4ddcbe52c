"""What differs between two records of processing, field by field, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_NAMED_BY = ("name", "what")  # how an item of a list is called
_UNLIKE = object()


def record_changes(signed: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, ...]:
    """The fields that differ, in the record's order; the time of the survey is left out, as in the digest."""
    return tuple(_changes("", _timeless(signed), _timeless(now)))


def _timeless(record: Mapping[str, Any]) -> dict[str, Any]:
    found = {key: value for key, value in (record.get("found") or {}).items() if key != "observed_at"}
    return {**record, "found": found}


def _changes(path: str, before: Any, after: Any) -> Iterator[str]:
    if before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys((*before, *after)):
            inner = f"{path}.{key}" if path else str(key)
            yield from _changes(inner, before.get(key, _UNLIKE), after.get(key, _UNLIKE))
    elif isinstance(before, list) and isinstance(after, list):
        yield from _of_lists(path, before, after)
    elif before is _UNLIKE:
        yield f"{path}: new, {_shown(after)}"
    elif after is _UNLIKE:
        yield f"{path}: gone, was {_shown(before)}"
    else:
        yield f"{path}: was {_shown(before)}, now {_shown(after)}"


def _of_lists(path: str, before: list[Any], after: list[Any]) -> Iterator[str]:
    """Item by item where each has a name of its own; else (another order, twins) the lists as they are."""
    old, new = ({_name(each): each for each in items} for items in (before, after))
    told: list[str] = []
    if len(old) == len(before) and len(new) == len(after):
        for name in dict.fromkeys((*old, *new)):
            told += _of_items(path, name, old.get(name, _UNLIKE), new.get(name, _UNLIKE))
    yield from told or [f"{path}: was {_shown(before)}, now {_shown(after)}"]


def _of_items(path: str, name: str, before: Any, after: Any) -> Iterator[str]:
    if isinstance(before, Mapping) or isinstance(after, Mapping):
        yield from _changes(f"{path}[{name}]", before, after)
    elif after is _UNLIKE:
        yield f"{path}: without {name}"
    elif before is _UNLIKE:
        yield f"{path}: with {name}"


def _name(item: Any) -> str:
    if not isinstance(item, Mapping):
        return str(item)
    words = [str(item[key]) for key in ("side", *_NAMED_BY) if item.get(key)]
    # Nodes of one side are told apart by where they are.
    return " ".join([*words, str(item["where"])] if item.get("what") == "node" else words)


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_shown(each)}" for key, each in value.items() if each)
    if isinstance(value, list):
        return "; ".join(_shown(each) for each in value) or "nothing"
    return str(value) or "nothing"
