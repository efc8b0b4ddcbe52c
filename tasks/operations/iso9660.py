"""A small ISO 9660 image with Joliet names: a few files in one folder, the same bytes every time.

Written here because the usual programs put the time into every image. ECMA-119 (ISO 9660) 8.4 and 9.1, and
the Joliet specification of 1995: a second volume descriptor whose names are UCS-2.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

SECTOR = 2048
_SYSTEM_AREA = 16  # sectors before the first descriptor
_PATHS, _JOLIET_PATHS, _ROOT, _JOLIET_ROOT, _FILES = 19, 21, 23, 24, 25  # first sectors
_NO_DATE = bytes(7)
_NO_LONG_DATE = b"0" * 16 + b"\0"
_UCS2_LEVEL_3 = b"%/E"


def image(label: str, files: Mapping[str, bytes]) -> bytes:
    """The image. Raises ValueError where the names or the label do not fit one folder's sector."""
    places, sector = {}, _FILES
    for name, content in files.items():
        places[name] = (sector, len(content))
        sector += _sectors(len(content))
    plain = _folder(_ROOT, [(f"F{n}.;1".encode(), *place) for n, place in enumerate(places.values())])
    joliet = _folder(_JOLIET_ROOT, [(_ucs2(name), *places[name]) for name in sorted(places)])
    parts = [
        bytes(_SYSTEM_AREA * SECTOR),
        _descriptor(1, label.upper().encode().ljust(32), b"", sector, _PATHS, _ROOT),
        _descriptor(2, _padded_ucs2(label, 32), _UCS2_LEVEL_3, sector, _JOLIET_PATHS, _JOLIET_ROOT),
        _fill(b"\xffCD001\x01"),
        *(_fill(_path_table(_ROOT, order)) for order in "<>"),
        *(_fill(_path_table(_JOLIET_ROOT, order)) for order in "<>"),
        plain,
        joliet,
        *(_fill(content) for content in files.values()),
    ]
    return b"".join(parts)


def _descriptor(kind: int, label: bytes, escape: bytes, sectors: int, paths: int, root: int) -> bytes:
    if len(label) > 32:
        raise ValueError("a label has at most 32 characters, 16 with Joliet")
    return _fill(
        b"".join(
            (
                bytes([kind]) + b"CD001\x01\0",
                bytes(32),  # system
                label,
                bytes(8),
                _both("I", sectors),
                escape.ljust(32, b"\0"),
                *(_both("H", number) for number in (1, 1, SECTOR)),  # set size, number, block size
                _both("I", 10),  # bytes of a path table
                struct.pack("<II", paths, 0) + struct.pack(">II", paths + 1, 0),
                _record(b"\0", root, SECTOR, folder=True),
                bytes(128 * 4 + 37 * 3),  # publisher and the like: none
                _NO_LONG_DATE * 4,
                b"\x01",
            )
        )
    )


def _folder(own: int, entries: list[tuple[bytes, int, int]]) -> bytes:
    records = [_record(name, own, SECTOR, folder=True) for name in (b"\0", b"\1")]
    records += [_record(name, sector, size) for name, sector, size in entries]
    content = b"".join(records)
    if len(content) > SECTOR:
        raise ValueError("the names do not fit one sector")
    return _fill(content)


def _record(name: bytes, sector: int, size: int, *, folder: bool = False) -> bytes:
    body = b"".join(
        (_both("I", sector), _both("I", size), _NO_DATE, bytes([2 if folder else 0, 0, 0]), _both("H", 1))
    )
    record = b"\0" + body + bytes([len(name)]) + name
    record += b"" if len(name) % 2 else b"\0"
    return bytes([len(record) + 1]) + record


def _path_table(root: int, order: str) -> bytes:
    return struct.pack(f"{order}BBIH", 1, 0, root, 1) + b"\0\0"


def _both(form: str, number: int) -> bytes:
    """A number in both byte orders."""
    return struct.pack(f"<{form}", number) + struct.pack(f">{form}", number)


def _ucs2(text: str) -> bytes:
    return text.encode("utf-16-be")


def _padded_ucs2(text: str, size: int) -> bytes:
    return _ucs2(text) + _ucs2(" ") * ((size - len(_ucs2(text))) // 2)


def _sectors(size: int) -> int:
    return -(-size // SECTOR)


def _fill(content: bytes) -> bytes:
    return content.ljust(_sectors(len(content)) * SECTOR, b"\0")
