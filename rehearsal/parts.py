"""Builds the parts once and keeps them: `~/.cache/safe-harbor/parts/`, one folder a part and digest.

A part's digest covers its go.mod, go.sum, *.go and flags; a second start builds nothing. The nodes see one
folder with a hard link to every program. `ready` takes a folder of programs that somebody else built.
One build at a time: a second one waits for the first, and finds what it has built.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from inventory.errors import BadInput
from rehearsal.bound import bound
from rehearsal.parts_list import PARTS, PROGRAMS, Part
from tasks.drivers import checksums
from tasks.drivers.errors import CommandFailed

SOURCES = Path(__file__).parent / "parts"
_SHOWN_LINES = 15
_SCRATCH = ".scratch-"  # a folder of a build that is under way; where none is, of one that was killed
_LOOK_AGAIN_S = 0.5


class Steps(Protocol):
    """Told what goes on now, again every second while it goes on."""

    def step(self, text: str, done: int = 0, total: int = 0) -> None:
        """See `tasks.steps.progress.Progress`."""


def cache() -> Path:
    """Where built parts are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "safe-harbor" / "parts"


def ready(folder: Path) -> Path:
    """A folder with every program of `PROGRAMS`. Raises BadInput naming those that are missing."""
    if not folder.is_dir():
        raise BadInput("--parts: there is no such folder", folder)
    missing = [name for name in PROGRAMS if not os.access(folder / name, os.X_OK)]
    if missing:
        raise BadInput(
            f"--parts: these programs are missing or not executable: {', '.join(missing)}; "
            f"all of these must be there: {', '.join(PROGRAMS)}",
            folder,
        )
    return folder.resolve()


def digest(part: Part, sources: Path = SOURCES) -> str:
    """16 hex digits that change with anything that the built programs depend on."""
    made = hashlib.sha256()
    folder = sources / part.folder
    files = [folder / "go.mod", folder / "go.sum", *sorted(folder.rglob("*.go"))]
    for file in files:
        if file.is_file() and not file.name.endswith("_test.go"):
            content = file.read_bytes()
            made.update(f"{file.relative_to(folder)} {len(content)}\n".encode() + content)
    flags = (sorted(part.programs.items()), part.tags, part.ldflags, part.cgo, platform.machine())
    made.update(repr(flags).encode())
    return made.hexdigest()[:16]


def missing(parts: Sequence[Part] = PARTS, into: Path | None = None) -> tuple[Part, ...]:
    """The parts that are not in the cache."""
    into = into or cache()
    return tuple(part for part in parts if not _folder(part, into).is_dir())


def build(steps: Steps, parts: Sequence[Part] = PARTS, into: Path | None = None) -> Path:
    """Build what is missing; answers the folder that holds every program.

    Raises CommandFailed with the compiler's last lines where a part does not build.
    """
    into = into or cache()
    whole = _whole(parts, into)
    if whole.is_dir() and not missing(parts, into):
        return whole
    with _alone(into, steps):
        lacking = missing(parts, into)
        for number, part in enumerate(lacking, start=1):
            _build(part, into, f"part {number} of {len(lacking)}, the first time only", steps)
        return whole if whole.is_dir() else _together(parts, into)


def argv(part: Part, program: str, out: Path) -> list[str]:
    """The command that builds one program of a part."""
    tags = ("-tags", ",".join(part.tags)) if part.tags else ()
    package = part.programs[program]
    return ["go", "build", "-trimpath", *tags, "-ldflags", part.ldflags, "-o", str(out / program), package]


def _folder(part: Part, into: Path) -> Path:
    return into / f"{part.folder}-{digest(part)}"


@contextmanager
def _alone(into: Path, steps: Steps) -> Iterator[None]:
    """No other build works in the cache during the block, and nothing of a killed one lies there.

    The lock goes with the process that holds it, however it ends.
    """
    into.mkdir(parents=True, exist_ok=True)
    with into.with_name(f"{into.name}.lock").open("a") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                steps.step("waiting for another build of the parts, which is going on")
                time.sleep(_LOOK_AGAIN_S)
        for left in into.glob(".*/"):
            shutil.rmtree(left)
        yield


def _build(part: Part, into: Path, place: str, steps: Steps) -> None:
    if shutil.which("go") is None:
        raise CommandFailed(
            "go",
            "the Go tool is not installed, and the parts are built with it",
            "install Go 1.26 or newer (https://go.dev/dl/), or give ready programs: --parts DIR",
        )
    text = f"building {part.folder} ({place}, about {_words(part.seconds)})"
    with tempfile.TemporaryDirectory(dir=into, prefix=_SCRATCH) as scratch:
        out = Path(scratch) / "programs"
        out.mkdir()
        for program in part.programs:
            _run(argv(part, program, out), part, text, steps, Path(scratch))
        out.rename(_folder(part, into))


def _run(words: list[str], part: Part, text: str, steps: Steps, scratch: Path) -> None:
    environment = {
        **os.environ,
        "CGO_ENABLED": "1" if part.cgo else "0",
        "GOFLAGS": "-buildvcs=false",
        "GOTMPDIR": str(scratch),  # what a killed compiler leaves is then swept with the rest
    }
    with tempfile.TemporaryFile("w+") as output:
        with bound(words, cwd=SOURCES / part.folder, env=environment, output=output) as child:
            while child.poll() is None:
                steps.step(text)
                time.sleep(0.2 if part.seconds < 10 else 1.0)
        if child.returncode:
            output.seek(0)
            said = "".join(output.readlines()[-_SHOWN_LINES:]).rstrip()
            raise CommandFailed(f"part {part.folder}", f"{' '.join(words)}\n{said}", _remedy(said, part))


def _remedy(said: str, part: Part) -> str:
    if "dial tcp" in said or "no such host" in said:
        return "the Go modules cannot be fetched: check the network and `go env GOPROXY`, then run it again"
    if "No space left" in said or "no space left" in said:
        return "the disk is full: 6 GiB are needed for the Go build cache"
    if part.cgo and ("gcc" in said or "C compiler" in said):
        return "flanneld needs a C compiler: apt-get install gcc libc6-dev"
    if "requires go >=" in said or "toolchain" in said:
        return "install Go 1.26 or newer (https://go.dev/dl/)"
    if "signal: killed" in said:
        return "the compiler was killed, most often for lack of memory: 4 GiB are needed"
    return "run the line above by hand in rehearsal/parts/, or give ready programs: --parts DIR"


def _whole(parts: Sequence[Part], into: Path) -> Path:
    """The folder with every program of these parts."""
    listed = "".join(digest(part) for part in parts) + checksums.NAME
    return into / f"all-{hashlib.sha256(listed.encode()).hexdigest()[:16]}"


def _together(parts: Sequence[Part], into: Path) -> Path:
    folder = _whole(parts, into)
    with tempfile.TemporaryDirectory(dir=into, prefix=_SCRATCH) as scratch:
        out = Path(scratch) / "programs"
        out.mkdir()
        for part in parts:
            for program in part.programs:
                (out / program).hardlink_to(_folder(part, into) / program)
        checksums.write(out)
        out.rename(folder)
    return folder


def _words(seconds: int) -> str:
    return f"{seconds} s" if seconds < 120 else f"{seconds / 60:.0f} min"
