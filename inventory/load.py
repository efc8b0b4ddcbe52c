"""Reads a site file: YAML -> Site, or everything that is wrong with it, each with line and column.

The only place of the room that reads files. Nothing is opened beyond the site file itself; the files that it
names are looked at (there, and secrets for the owner alone), not read.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

from inventory.errors import BadInput, Problem
from inventory.models.site import Site
from inventory.schema_errors import Model, validate
from inventory.site_files import make_absolute, problems_of_files
from inventory.site_rules import problems_of_rules
from inventory.yaml_tree import Tree, parse

MAX_BYTES = 256 * 1024
ROOM = Path(__file__).resolve().parent
SITES = ROOM / "sites"
SITE_FILE = "site.yaml"


def load_site(path: Path, *, check_files: bool = True) -> Site:
    """The site of a file. Raises BadInput with all that is wrong; nothing else is touched.

    Relative paths in it are relative to its folder. `check_files=False` leaves out whether the files that it
    names are there, for a look at a site that is not set up yet.
    """
    path = path.absolute()
    tree = read_tree(path)
    make_absolute(tree, path.parent)
    if isinstance(tree.value, dict) and (path.parent / "profiles").is_dir():
        tree.value.setdefault("profiles", str(path.parent / "profiles"))
    site, problems = validate(Site, tree)
    problems = [*tree.problems, *problems]
    problems += problems_of_rules(tree)
    problems += _unknown_files(tree)
    if check_files:
        problems += problems_of_files(tree)
    if problems or site is None:
        raise BadInput.listing(path, _once(problems))
    return site


def load_model(model: type[Model], path: Path) -> Model:
    """Any other model of a YAML file (a policy, a kernel profile). Raises BadInput as `load_site` does."""
    tree = read_tree(path)
    loaded, problems = validate(model, tree)
    if loaded is None or tree.problems:
        raise BadInput.listing(path, [*tree.problems, *problems])
    return loaded


def read_tree(path: Path) -> Tree:
    """The tree of a YAML file; duplicate keys and the like are in its `problems`.

    Raises BadInput where there is no tree: it cannot be read, is too large, or is not YAML that we take.
    """
    try:
        if path.is_dir():
            raise BadInput("is a folder, not a file", path)
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}", path) from error
    if len(raw) > MAX_BYTES:
        raise BadInput(f"is larger than {MAX_BYTES // 1024} KiB, the most that is read", path)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        what = f"is not UTF-8 text: byte {error.start} is {raw[error.start]:#04x}"
        raise BadInput(what, path, line) from error
    tree = parse(text)
    if tree.problems and tree.value is None:
        raise BadInput.listing(path, tree.problems)
    return tree


def find_site(name_or_path: str, search_path: Sequence[Path] = ()) -> Path:
    """The site file of a name (a folder of the search path or of `inventory/sites`), or of a path.

    Raises BadInput, listing the known names, where there is none.
    """
    folders = [*search_path, SITES]
    plain = Path(name_or_path).name == name_or_path and not name_or_path.startswith(".")
    if plain and name_or_path:
        for folder in folders:
            if (found := folder / name_or_path / SITE_FILE).is_file():
                return found
    path = Path(name_or_path).expanduser() if name_or_path else None
    if path is not None and path.is_file():
        return path
    if path is not None and (path / SITE_FILE).is_file():
        return path / SITE_FILE
    known = known_sites(search_path)
    close = difflib.get_close_matches(name_or_path, known, n=1)
    meant = f"; did you mean {close[0]}?" if close else ""
    listed = ", ".join(known) or "none"
    raise BadInput(
        f"there is no site {name_or_path!r}{meant} (known: {listed}; or the path of a {SITE_FILE})"
    )


def known_sites(search_path: Sequence[Path] = ()) -> list[str]:
    """The names that `find_site` knows."""
    folders = [*search_path, SITES]
    return sorted({found.parent.name for folder in folders for found in folder.glob(f"*/{SITE_FILE}")})


def _unknown_files(tree: Tree) -> list[Problem]:
    """`profile` and `policy` name files of this room, or a profile of the site's own."""
    problems = []
    own = tree.get(("profiles",))
    profiles = [ROOM / "profiles", *([Path(own)] if isinstance(own, str) and own else [])]
    for key, folders in (("profile", profiles), ("policy", [ROOM / "policies"])):
        known = sorted({file.stem for folder in folders for file in folder.glob("*.yaml")})
        value = tree.get((key,))
        if isinstance(value, str) and value not in known:
            what = f"{key}: there is no {key} {value!r}; known: {', '.join(known) or 'none'}"
            problems.append(Problem(*tree.place((key,)), what))
    return problems


def _once(problems: Sequence[Problem]) -> list[Problem]:
    """Without what a model says of its whole as well, where a rule names the very value."""
    worded = [problem.what for problem in problems]
    kept = []
    for problem in problems:
        place, _, what = problem.what.partition(": ")
        is_echo = any(
            other is not problem.what and other.startswith(f"{place}.") and _same(what, other)
            for other in worded
        )
        if not is_echo:
            kept.append(problem)
    return kept


def _same(what: str, other: str) -> bool:
    """Whether both are about the same two nodes, or the same address in the same network."""
    marks = ("lies in", "two nodes have the")
    return any(mark in what and mark in other for mark in marks)
