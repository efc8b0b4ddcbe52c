"""Files of configuration folders, with their text: read in the right order they show who wins."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from inventory.models.command import Script, Shellable
from tasks.facts.asked import Asked

# Each argument is a pattern of ours. What comes from a host is coded, so that no name or line breaks a row;
# its paths all at once, as twenty hosts that share processors feel every process.
_PROGRAM = """
patterns=$#
for pattern do
  for file in $pattern; do [ -f "$file" ] && [ -r "$file" ] && set -- "$@" "$file"; done
done
shift "$patterns"
[ $# -gt 0 ] || exit 0
printf '%s\\0' "$@" | base64 -w0; echo
readlink -z -f -- "$@" | base64 -w0; echo
for file do head -c 262144 "$file" | base64 -w0; echo; done
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
    """Raises ValueError where paths and texts do not belong together."""
    if not output.strip():
        return ()
    paths, reals, *texts = output.splitlines()
    names, places = (_text(coded).rstrip("\0").split("\0") for coded in (paths, reals))
    found = zip(names, places, map(_text, texts), strict=True)
    return tuple(ConfigFile(name, place, text) for name, place, text in found)


def _text(coded: str) -> str:
    return base64.b64decode(coded, validate=True).decode("utf-8", "replace")


def ask(patterns: Sequence[str]) -> Asked[tuple[ConfigFile, ...]]:
    """The question."""
    return Asked("configuration files", command(patterns), parse)
