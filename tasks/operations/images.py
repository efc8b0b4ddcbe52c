"""The images that a node starts with, imported into containerd from archives of ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from inventory.models.change import Change, PutFile, PutProgram, RemoveFile, Run
from inventory.models.cluster import Node, Role
from inventory.models.command import Command, Script
from tasks.facts.files import FileFact
from tasks.operations.files import STATE, Wanted
from tasks.operations.images_archive import CONTROL_PLANE, PAUSE, REGISTRY
from tasks.operations.preparation import BIN, Preparation
from tasks.operations.units import APPLIED

# The archive is removed whatever the import says: it is as large as the programs in it.
_IMPORT = 'trap \'rm -f "$2"\' EXIT; "$1" -n k8s.io images import --local "$2"'


def archives(preparation: Preparation, node: Node) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """(archive, the images in it) that this node needs."""
    version = preparation.site.target.cluster.version
    plane = tuple(f"{REGISTRY}/{name}:v{version}" for name in CONTROL_PLANE)
    both = (("pause", (PAUSE,)), ("control-plane", plane))
    return both if Role.CONTROL_PLANE in node.roles else both[:1]


def stamp(preparation: Preparation, archive: str) -> Wanted:
    """The file on the node that says which archive was imported."""
    content = f"{preparation.archives[archive].sha256}\n".encode()
    return Wanted(f"{APPLIED}/images-{archive}", content)


def plan(
    preparation: Preparation, node: Node, present: Sequence[str], stamps: Mapping[str, FileFact]
) -> list[Change]:
    """Import what is missing, or was made of other programs."""
    changes = []
    for archive, references in archives(preparation, node):
        mark = stamp(preparation, archive)
        missing = [reference for reference in references if reference not in present]
        if not missing and stamps[mark.path].sha256 == mark.sha256:
            continue
        local = preparation.archives[archive]
        path = f"{STATE}/images/{archive}.tar"
        changes.append(
            Change(
                node.name,
                f"images {archive}",
                "the node starts without a registry",
                f"missing: {', '.join(missing)}" if missing else "made of other programs",
                ", ".join(references),
                (
                    PutProgram(path, local.path, local.sha256, 0o600),
                    Run(Script.of(_IMPORT, f"{BIN}/ctr", path), timeout_s=180.0),
                    PutFile(mark.path, mark.content, mark.mode),
                ),
                (
                    Run(Command.of(f"{BIN}/ctr", "-n", "k8s.io", "images", "rm", *references)),
                    RemoveFile(mark.path),
                ),
            )
        )
    return changes
