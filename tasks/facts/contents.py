"""Small files as they are, to the byte, with mode and owner: what a record of them needs, and a diff."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from inventory.models.command import Script, Shellable
from tasks.facts.asked import Asked, fields

# A settings file is a page of text. A link is read as one; of a missing file, which folders are missing too.
_PROGRAM = """
coded() { base64 -w0; }
for path do
  if [ -L "$path" ]; then
    printf '%s\\tlink\\t%s\\t\\t\\n' "$path" "$(readlink "$path" | coded)"
  elif [ -f "$path" ]; then
    [ "$(stat -c %s "$path")" -le 262144 ] || { echo "$path is larger than 256 KiB" >&2; exit 1; }
    printf '%s\\tfile\\t%s\\t%s\\n' "$path" "$(coded < "$path")" "$(stat -c '%a\t%u:%g' "$path")"
  elif [ -e "$path" ]; then echo "$path is neither a file nor a link" >&2; exit 1
  else
    missing= folder=$(dirname "$path")
    while [ ! -d "$folder" ]; do missing="$folder $missing"; folder=$(dirname "$folder"); done
    printf '%s\\tmissing\\t%s\\t\\t\\n' "$path" "${missing% }"
  fi
done
"""


@dataclass(frozen=True)
class Content:
    """A path: a regular file (`data` is set), a link (`link` is set), or missing (neither).

    `owner` is `uid:gid`. `no_folders` are the folders above a missing path that are missing too, the
    outermost first.
    """

    path: str
    data: bytes | None = field(default=None, repr=False)
    mode: int = 0
    owner: str = ""
    link: str = ""
    no_folders: tuple[str, ...] = ()

    @property
    def exists(self) -> bool:
        """Whether anything is there."""
        return self.data is not None or bool(self.link)

    @property
    def text(self) -> str:
        """What a person reads in a diff."""
        return f"link to {self.link}\n" if self.link else (self.data or b"").decode("utf-8", "replace")


def command(paths: Sequence[str]) -> Shellable:
    """Ask for these paths. Fails where one is no small file."""
    return Script.of(_PROGRAM, *paths)


def parse(output: str) -> Mapping[str, Content]:
    """Raises ValueError where a line is no file's."""
    found: dict[str, Content] = {}
    for line in output.splitlines():
        path, kind, value, mode, owner = fields(line, 5)
        match kind:
            case "missing":
                found[path] = Content(path, no_folders=tuple(value.split()))
            case "link":
                found[path] = Content(path, link=base64.b64decode(value, validate=True).decode().rstrip("\n"))
            case "file":
                data = base64.b64decode(value, validate=True)
                found[path] = Content(path, data, int(mode, 8), owner)
            case _:
                raise ValueError(f"unknown kind {kind!r} of {path}")
    return found


def ask(paths: Sequence[str]) -> Asked[Mapping[str, Content]]:
    """The question."""
    return Asked("contents of files", command(paths), parse)
