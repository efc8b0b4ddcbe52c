"""What was on a host before its settings were changed for the first time: the record that undo reads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field

from inventory.models.command import Script, Shellable
from tasks.facts.asked import Asked

PATH = "/var/lib/safe-harbor/before/settings.json"
SCHEMA = "safe-harbor/before/v1"
KINDS = ("file", "symlink", "sysctl", "parameter", "module", "interface", "interrupts")


@dataclass(frozen=True)
class Was:
    """One thing as it was. `value` None: it was not there (a file), or not loaded (a module).

    The value of a file is base64, of a link its target; `folders` are those that were missing above it.
    """

    kind: str
    name: str
    value: str | None = field(repr=False)
    mode: int = 0
    owner: str = ""
    folders: tuple[str, ...] = ()


@dataclass(frozen=True)
class Record:
    """In the order in which things were changed. `boot` is the boot in which the latest entry was made."""

    items: tuple[Was, ...] = ()
    boot: str = ""

    def __contains__(self, item: Was) -> bool:
        return (item.kind, item.name) in {(each.kind, each.name) for each in self.items}

    def of(self, *kinds: str) -> Iterator[Was]:
        """The entries of these kinds."""
        return (item for item in self.items if item.kind in kinds)


def render(record: Record) -> bytes:
    """The record's file."""
    document = {"schema": SCHEMA, "boot": record.boot, "items": [asdict(item) for item in record.items]}
    return json.dumps(document, indent=1).encode() + b"\n"


def command() -> Shellable:
    """Ask for the boot's id and the record."""
    return Script.of('cat /proc/sys/kernel/random/boot_id; if [ -e "$1" ]; then cat "$1"; fi', PATH)


def parse(output: str) -> tuple[str, Record]:
    """This boot's id, and the record. Raises ValueError or KeyError for any other document."""
    boot, _, text = output.partition("\n")
    if not text:
        return boot, Record()
    document = json.loads(text)
    if document["schema"] != SCHEMA:
        raise ValueError(f"a record of the schema {document['schema']!r}")
    return boot, Record(tuple(_item(each) for each in document["items"]), document["boot"])


def _item(values: dict[str, object]) -> Was:
    if values["kind"] not in KINDS:
        raise ValueError(f"unknown kind {values['kind']!r} in the record")
    try:
        return Was(**{**values, "folders": tuple(_texts(values["folders"]))})  # type: ignore[arg-type]  # JSON
    except TypeError as error:
        raise ValueError(f"not an entry of the record: {error}") from None


def _texts(value: object) -> Sequence[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError(f"not a list of folders: {value!r}")
    return value


def ask() -> Asked[tuple[str, Record]]:
    """The question."""
    return Asked("the record of what was there before", command(), parse)
