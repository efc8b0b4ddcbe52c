"""A change: the one way in which anything outside is altered."""

from __future__ import annotations

from dataclasses import dataclass, field

from inventory.models.command import Shellable


@dataclass(frozen=True)
class Run:
    """Run a command on the host; a non-zero exit fails the change. `stdin` is for content and secrets."""

    command: Shellable
    stdin: bytes = field(default=b"", repr=False)
    timeout_s: float = 120.0


@dataclass(frozen=True)
class PutFile:
    """Write a file atomically (temporary name, fsync, rename), with mode and owner root."""

    path: str
    content: bytes = field(repr=False)
    mode: int = 0o644


@dataclass(frozen=True)
class PutProgram:
    """Upload a program from the lead's machine; the host verifies `sha256` before it puts it in place."""

    path: str
    source: str  # a path on the lead's machine
    sha256: str
    mode: int = 0o755


@dataclass(frozen=True)
class RemoveFile:
    """Remove a file if it is there."""

    path: str


Action = Run | PutFile | PutProgram | RemoveFile


@dataclass(frozen=True)
class Change:
    """What will be altered on one host, why, how, and how to go back.

    `before` and `after` are what a person reads as a diff; `apply` runs in order; `undo` (in order) restores
    what was there before. A second plan after `apply` must not contain the change again. `text` is a file's
    whole text before and after, where it may be shown.
    """

    host: str
    subject: str  # the file, setting, unit or object: "sysctl net.ipv4.ip_forward"
    why: str
    before: str
    after: str
    apply: tuple[Action, ...]
    undo: tuple[Action, ...] = ()
    text: tuple[str, str] | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"{self.host}: {self.subject}: {self.before or '(absent)'} -> {self.after} ({self.why})"
