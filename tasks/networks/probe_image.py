"""The image of the probe pods: one static program, imported into each node, so that no registry is needed."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inventory.errors import BadInput
from inventory.models.change import Change, PutFile, RemoveFile, Run
from inventory.models.command import Command, Script
from tasks.facts.asked import Asked
from tasks.facts.gather import Facts
from tasks.operations.images_archive import Entry, Image, write_archive

REPOSITORY = "safe-harbor.local/probe"
_ARCHIVE = "/var/lib/safe-harbor/probe.tar"
_CTR = ("ctr", "--namespace", "k8s.io", "images")


def probe_image(programs: Path) -> Image:
    """The image; its tag is the program's digest, so another program is another image.

    Raises BadInput where the folder has no program `probe`.
    """
    program = programs / "probe"
    if not program.is_file():
        raise BadInput("there is no program `probe` in the folder of programs: build the parts", program)
    digest = hashlib.sha256(program.read_bytes()).hexdigest()[:16]
    return Image(f"{REPOSITORY}:{digest}", (Entry("probe", program),), ("/probe",))


def _parse(output: str) -> Mapping[str, bool]:
    return {line.strip(): True for line in output.splitlines() if line.strip()}


def _ask() -> Asked[Mapping[str, bool]]:
    return Asked("images", Command.of(*_CTR, "list", "--quiet"), _parse)


def questions() -> tuple[Asked[Any], ...]:
    """What must be known of a node."""
    return (_ask(),)


def plan_node(host: str, image: Image, facts: Facts) -> list[Change]:
    """The import of the image, where the node has not got it."""
    if image.reference in facts.of(_ask()):
        return []
    content = io.BytesIO()
    write_archive(content, [image])
    bring_in = Script.of(
        'ctr --namespace k8s.io images import --local "$1" > /dev/null && rm -f -- "$1"', _ARCHIVE
    )
    return [
        Change(
            host=host,
            subject=f"image {image.reference}",
            why="the probe pods that prove the network",
            before="",
            after="imported",
            apply=(PutFile(_ARCHIVE, content.getvalue(), 0o600), Run(bring_in)),
            undo=(RemoveFile(_ARCHIVE), Run(Command.of(*_CTR, "remove", image.reference))),
        )
    ]
