"""Files of configuration folders, with their text: read in the right order they show who wins."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from inventory.models.command import Script, Shellable
from tasks.facts.asked import Asked, fields

# Each argument is a pattern of ours. A path and a text from a host are coded: no name or line breaks a row.
_PROGRAM = """
for pattern do
  for file in $pattern; do
    if [ -f "$file" ] && [ -r "$file" ]; then
      printf '%s\\t%s\\t%s\\n' "$(printf %s "$file" | base64 -w0)" \\
        "$(readlink -f "$file" | base64 -w0)" "$(head -c 262144 "$file" | base64 -w0)"
    fi
  done
done
"""


@dataclass(frozen=True)
class ConfigFile:
    """A file; `real` is where it really lies, behind links."""

    path: str
    real: str
    text: str

    @property
    def name(self) -> str:
        """Its name without folders."""
        return self.path.rpartition("/")[2]

    @property
    def folder(self) -> str:
        """The folder that it is read from."""
        return self.path.rpartition("/")[0]


def command(patterns: Sequence[str]) -> Shellable:
    """Ask for what these patterns match."""
    return Script.of(_PROGRAM, *patterns)


def parse(output: str) -> tuple[ConfigFile, ...]:
    """Raises ValueError where a line is no file's."""
    return tuple(
        ConfigFile(_text(path), _text(real).rstrip("\n"), _text(text))
        for path, real, text in (fields(line, 3) for line in output.splitlines())
    )


def _text(coded: str) -> str:
    return base64.b64decode(coded, validate=True).decode("utf-8", "replace")


def ask(patterns: Sequence[str]) -> Asked[tuple[ConfigFile, ...]]:
    """The question."""
    return Asked("configuration files", command(patterns), parse)
