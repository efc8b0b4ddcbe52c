"""All formats, and how a file's own content tells which one it has."""

from __future__ import annotations

from inventory.errors import BadInput
from tasks.replay.formats import alb, combined, goreplay, har, json_log, k6, vegeta
from tasks.replay.formats.entry import Format

# Asked in this order: what is more special comes first, and the last takes everything.
FORMATS = (
    har.FORMAT,
    k6.FORMAT,
    vegeta.JSON_FORMAT,
    json_log.FORMAT,
    goreplay.FORMAT,
    alb.FORMAT,
    vegeta.TEXT_FORMAT,
    combined.FORMAT,
)


def recognised(head: bytes) -> Format:
    """The format of a file that begins with these bytes."""
    begun = head.lstrip()
    return next(form for form in FORMATS if form.recognises(begun))


def named(name: str) -> Format:
    """Raises BadInput, with the names that are known."""
    for form in FORMATS:
        if form.name == name:
            return form
    raise BadInput(f"no capture format is named {name!r}; known: {', '.join(f.name for f in FORMATS)}")
