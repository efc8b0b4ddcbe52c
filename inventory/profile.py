"""Kernel profiles: which settings a node needs, and why. Read from `inventory/profiles/*.yaml`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from inventory.errors import BadInput
from inventory.models.cluster import Declared

FOLDER = Path(__file__).parent / "profiles"


class Rule(Declared):
    """One setting: either `exact`, or at least `floor` (and at least `floor_per_core` a processor)."""

    key: str = Field(pattern=r"^[a-z0-9_]+(\.[a-z0-9_-]+)+$")
    exact: str | None = None
    floor: int | None = Field(default=None, ge=0)
    floor_per_core: int = Field(default=0, ge=0)
    why: str = Field(min_length=5)

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.exact is None) == (self.floor is None):
            raise ValueError(f"{self.key}: give either exact or floor")
        return self

    def floor_for(self, processors: int) -> int:
        """The floor on a host with so many processors. Raises ValueError for an exact rule."""
        if self.floor is None:
            raise ValueError(f"{self.key} has no floor")
        return max(self.floor, self.floor_per_core * processors)


class Profile(Declared):
    """A profile: modules and settings, in the order in which they are shown."""

    schema_: Literal["safe-harbor/profile/v1"] = Field(alias="schema")
    name: str = Field(pattern=r"^[a-z0-9-]{1,40}$")
    about: str = Field(min_length=10)
    modules: tuple[str, ...] = Field(min_length=1)
    sysctls: tuple[Rule, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _no_key_twice(self) -> Self:
        keys = [rule.key for rule in self.sysctls]
        for key in keys:
            if keys.count(key) > 1:
                raise ValueError(f"{key} stands twice")
        return self

    @property
    def keys(self) -> tuple[str, ...]:
        """The names of its settings."""
        return tuple(rule.key for rule in self.sysctls)


def known() -> tuple[str, ...]:
    """The names of the profiles that there are."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


def load_profile(name: str) -> Profile:
    """The profile. Raises BadInput where there is none, or its file is wrong."""
    path = FOLDER / f"{name}.yaml"
    if name not in known():
        raise BadInput(f"no kernel profile is called {name!r}; known: {', '.join(known())}")
    return read_profile(path.read_text(), path)


def read_profile(text: str, path: Path) -> Profile:
    """The profile in this text. Raises BadInput with the file, and the line where YAML itself is broken."""
    try:
        return Profile.model_validate(yaml.safe_load(text))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise BadInput(f"not YAML: {error.problem}", path, line) from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "profile"
        raise BadInput(f"{place}: {first['msg']}", path) from None
