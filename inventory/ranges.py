"""A range table: IPv4 ranges and the country of each, as geo databases and registries are published in CSV.

A line is START,END,COUNTRY; more columns are left alone, and so are lines of IPv6. Ranges must not overlap.
"""

from __future__ import annotations

import bisect
import hashlib
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address
from itertools import pairwise
from pathlib import Path

from inventory.errors import BadInput


@dataclass(frozen=True)
class Ranges:
    """`starts` rise; `ends` and `countries` belong to them. `digest` is the SHA-256 (hex) of the file."""

    name: str
    digest: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    countries: tuple[str, ...]

    def country(self, address: IPv4Address) -> str:
        """The country of an address; empty where no range has it."""
        at = bisect.bisect_right(self.starts, int(address)) - 1
        return self.countries[at] if at >= 0 and int(address) <= self.ends[at] else ""


def read_ranges(file: Path) -> Ranges:
    """Read a table. Raises BadInput with the line where it is none."""
    try:
        raw = file.read_bytes()
        text = raw.decode()
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}", file) from error
    except UnicodeDecodeError as error:
        raise BadInput("is not UTF-8 text", file) from error
    rows: list[tuple[int, int, str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        cells = [cell.strip().strip('"') for cell in line.split(",")]
        if not line.strip():
            continue
        try:
            start, end, country = ip_address(cells[0]), ip_address(cells[1]), cells[2].upper()
        except (ValueError, IndexError) as error:
            raise BadInput(f"{line[:60]!r} is not START,END,COUNTRY", file, number) from error
        if (
            len(country) != 2
            or not country.isalpha()
            or start.version != end.version
            or int(end) < int(start)
        ):
            raise BadInput(f"{line[:60]!r} is not START,END,COUNTRY", file, number)
        if start.version == 4:
            rows.append((int(start), int(end), country))
    rows.sort()
    for before, after in pairwise(rows):
        if after[0] <= before[1]:
            raise BadInput(f"the ranges at {IPv4Address(after[0])} overlap", file)
    starts, ends, countries = zip(*rows, strict=True) if rows else ((), (), ())
    return Ranges(file.name, hashlib.sha256(raw).hexdigest(), starts, ends, countries)
