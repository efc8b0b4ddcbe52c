"""The files that a site names: made absolute, and looked at before anything is begun.

A secret's file (a password, a key, credentials) must be readable by its owner alone; the source's kubeconfig
counts as one. What the project writes itself (the target's kubeconfig, the state folder) need not be there
yet.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path

from pydantic import BaseModel

from inventory.errors import Problem
from inventory.models.site import Site
from inventory.schema_errors import dotted, model_in
from inventory.yaml_tree import KeyPath, Tree


class Kind(Enum):
    """What must be at a path."""

    FILE = "file"
    SECRET = "secret"  # noqa: S105 - a kind of file, not a password
    FOLDER = "folder"
    WRITTEN = "written"  # by the project itself, later


_WRITTEN = ("state", "target.cluster.kubeconfig")
_FOLDERS = ("profiles", "processing.statements", "processing.checkpoints", "target.cluster.programs")
_SECRETS = ("password_file", "passphrase_file", "credentials_file", "identity_file", "key_file", "kubeconfig")


def _kind(name: str) -> Kind:
    if name in _WRITTEN:
        return Kind.WRITTEN
    if name in _FOLDERS:
        return Kind.FOLDER
    return Kind.SECRET if name.endswith(_SECRETS) else Kind.FILE


def _paths_in(model: type[BaseModel], above: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        here = f"{above}{field.alias or name}"
        inner = model_in(field.annotation)
        if inner is not None and not str(field.annotation).startswith("tuple"):
            yield from _paths_in(inner, f"{here}.")
        elif field.annotation in (Path, Path | None):
            yield here


def files_of(model: type[BaseModel]) -> dict[str, Kind]:
    """Every path of a model, so that none is forgotten when it gets a new one."""
    return {name: _kind(name) for name in _paths_in(model)}


FILES = files_of(Site)


def make_absolute(tree: Tree, folder: Path, files: Mapping[str, Kind] = FILES) -> None:
    """Turn every relative path of the tree into one below the site file's folder; `~` is the home folder."""
    for name in files:
        *above, last = name.split(".")
        holder = tree.get(above)
        if isinstance(holder, dict) and isinstance(holder.get(last), str) and holder[last]:
            holder[last] = str(folder / Path(holder[last]).expanduser())


def problems_of_files(tree: Tree, files: Mapping[str, Kind] = FILES) -> list[Problem]:
    """Every named file that is missing, of the wrong kind, or a secret that others can read."""
    problems = []
    for name, kind in files.items():
        path: KeyPath = tuple(name.split("."))
        value = tree.get(path)
        if kind is Kind.WRITTEN or value is None or not isinstance(value, str):
            continue
        what = "is empty: name a file" if not value else _wrong(Path(value), kind)
        if what:
            problems.append(Problem(*tree.place(path), f"{dotted(path)}: {what}"))
    return problems


def _wrong(path: Path, kind: Kind) -> str:
    try:
        status = path.stat()
    except FileNotFoundError:
        return f"there is no {'folder' if kind is Kind.FOLDER else 'file'} {path}"
    except OSError as error:
        return f"{path} cannot be looked at: {error.strerror}"
    if kind is Kind.FOLDER:
        return "" if stat.S_ISDIR(status.st_mode) else f"{path} is not a folder"
    if not stat.S_ISREG(status.st_mode):
        return f"{path} is not a file"
    mode = stat.S_IMODE(status.st_mode)
    if kind is Kind.SECRET and mode & 0o077:
        return f"{path} holds a secret and has mode {mode:04o}: others can read it (chmod 600 {path})"
    if kind is Kind.SECRET and status.st_size == 0:
        return f"{path} holds no secret: the file is empty"
    return ""
