"""Finds and reads kernel profiles: those of `inventory/profiles/`, and a site's own beside its site file."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

from inventory.errors import BadInput, Problem
from inventory.load import load_model, read_tree
from inventory.profile import Profile

FOLDER = Path(__file__).resolve().parent / "profiles"


@dataclass(frozen=True)
class _Named:
    """Who names a profile: the place that a message points to."""

    file: Path | None = None
    key: str = ""

    def refuse(self, what: str) -> BadInput:
        if self.file is None:
            return BadInput(what)
        line, column = read_tree(self.file).place((self.key,))
        return BadInput.listing(self.file, [Problem(line, column, f"{self.key}: {what}")])


def known_profiles(own: Path | None = None) -> dict[str, Path]:
    """The profiles that there are, by name. Raises BadInput where a site's own is named as a shipped one."""
    shipped = {file.stem: file for file in FOLDER.glob("*.yaml")}
    owned = {file.stem: file for file in own.glob("*.yaml")} if own is not None else {}
    for name in sorted(set(shipped) & set(owned)):
        raise _Named(owned[name], "name").refuse(
            f"{name} is a profile that comes with the project: take another"
        )
    return dict(sorted({**shipped, **owned}.items()))


def load_profile(name: str, own: Path | None = None) -> Profile:
    """The profile with all that it inherits; `own` is the folder of the site's own profiles.

    Raises BadInput, with file and line, where there is none of that name, a file is wrong, or profiles extend
    one another in a circle.
    """
    chain: list[Profile] = []
    named = _Named()
    known = known_profiles(own)
    while name:
        if name in (seen := [profile.name for profile in chain]):
            circle = " -> ".join([*seen[seen.index(name) :], name])
            raise named.refuse(f"the profiles extend one another in a circle: {circle}")
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            meant = f"; did you mean {close[0]}?" if close else ""
            raise named.refuse(f"there is no kernel profile {name!r}{meant} (known: {', '.join(known)})")
        chain.append(_read(known[name]))
        name, named = chain[-1].extends, _Named(known[name], "extends")
    whole = chain.pop()
    while chain:
        child = chain.pop()
        try:
            whole = child.extended(whole)
        except ValueError as error:
            raise _Named(known[child.name], "drops").refuse(str(error)) from None
    return whole


def _read(file: Path) -> Profile:
    profile = load_model(Profile, file)
    if profile.name != file.stem:
        raise _Named(file, "name").refuse(
            f"{profile.name} is not the file's name {file.stem}: make them the same"
        )
    return profile
