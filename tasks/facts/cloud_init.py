"""Lines of cloud-init's configuration that name certain words. Only those: user data may hold secrets."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from inventory.models.command import Script, Shellable
from tasks.facts.asked import Asked, fields

_PROGRAM = """
words=$(mktemp) || exit 1
trap 'rm -f "$words"' EXIT
printf '%s\\n' "$@" > "$words"
for file in /etc/cloud/cloud.cfg /etc/cloud/cloud.cfg.d/*.cfg /var/lib/cloud/scripts/per-boot/* \\
    /var/lib/cloud/instance/user-data.txt /var/lib/cloud/instance/vendor-data.txt; do
  [ -f "$file" ] || continue
  grep -nF -f "$words" -- "$file" 2>/dev/null | head -n 100 | while IFS= read -r line; do
    text=$(printf %s "${line#*:}" | head -c 300 | base64 -w0)
    printf '%s\\t%s\\t%s\\n' "$(printf %s "$file" | base64 -w0)" "${line%%:*}" "$text"
  done
done
exit 0
"""


@dataclass(frozen=True)
class Line:
    """A line and its place; at most 300 characters of it."""

    path: str
    number: int
    text: str


def command(words: Sequence[str]) -> Shellable:
    """Ask for the lines that hold one of these words."""
    return Script.of(_PROGRAM, *words)


def parse(output: str) -> tuple[Line, ...]:
    """Raises ValueError where a row is no line's."""
    rows = (fields(row, 3) for row in output.splitlines())
    return tuple(Line(_text(path), int(number), _text(text)) for path, number, text in rows)


def _text(coded: str) -> str:
    return base64.b64decode(coded, validate=True).decode("utf-8", "replace")


def ask(words: Sequence[str]) -> Asked[tuple[Line, ...]]:
    """The question."""
    return Asked("cloud-init", command(words), parse)
