"""Files: SHA-256 and mode of regular ones, the target of links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inventory.models.command import Script, Shellable
from tasks.facts.asked import Asked, fields

# openssl digests with the processor's own instructions, five times as fast as sha256sum; a bare host need not
# have it. For small files its start costs more than it saves.
_PROGRAM = """
digest_of() {
  if [ "$(stat -c %s "$1")" -gt 1000000 ] && command -v openssl >/dev/null; then
    openssl dgst -sha256 -r < "$1"
  else sha256sum < "$1"
  fi
}
for path do
  if [ -L "$path" ]; then printf '%s\\tlink\\t%s\\t\\n' "$path" "$(readlink "$path")"
  elif [ -f "$path" ]; then
    digest=$(digest_of "$path") || exit 1
    printf '%s\\tfile\\t%s\\t%s\\n' "$path" "${digest%% *}" "$(stat -c %a "$path")"
  elif [ -e "$path" ]; then printf '%s\\tother\\t\\t\\n' "$path"
  else printf '%s\\tmissing\\t\\t\\n' "$path"
  fi
done
"""


@dataclass(frozen=True)
class FileFact:
    """A path. A regular file has `sha256` (hex) and `mode`; a link has `link`; a missing path has nothing."""

    path: str
    exists: bool
    sha256: str = ""
    mode: int = 0
    link: str = ""

    def __str__(self) -> str:
        if not self.exists:
            return ""
        return f"link to {self.link}" if self.link else f"sha256 {self.sha256[:12]}, mode {self.mode:o}"


def command(paths: Sequence[str]) -> Shellable:
    """Ask for these paths."""
    return Script.of(_PROGRAM, *paths)


def parse(output: str) -> Mapping[str, FileFact]:
    """Raises ValueError where a line is no file's."""
    found: dict[str, FileFact] = {}
    for line in output.splitlines():
        path, kind, value, mode = fields(line, 4)
        match kind:
            case "missing":
                found[path] = FileFact(path, exists=False)
            case "link":
                found[path] = FileFact(path, exists=True, link=value)
            case "file":
                if len(value) != 64:
                    raise ValueError(f"no SHA-256 of {path}: {value!r}")
                found[path] = FileFact(path, exists=True, sha256=value, mode=int(mode, 8))
            case "other":
                found[path] = FileFact(path, exists=True)
            case _:
                raise ValueError(f"unknown kind {kind!r} of {path}")
    return found


def ask(paths: Sequence[str]) -> Asked[Mapping[str, FileFact]]:
    """The question."""
    return Asked("files", command(paths), parse)
