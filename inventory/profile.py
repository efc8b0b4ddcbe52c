"""Kernel profiles: which settings a node needs, and why; how one extends another. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self, TypeVar

from pydantic import Field, model_validator

from inventory.models.cluster import Declared
from inventory.models.tuning import Law, Limit, LinkSetting, ModuleOption, Rule, UnitSetting

NAME = r"^[a-z0-9][a-z0-9-]{0,39}$"
_Law = TypeVar("_Law", bound=Law)


class Profile(Declared):
    """A profile as its file declares it, or, after `extended`, with all that it inherits.

    A setting of a profile replaces the one of the same identity in the profile that it extends; `drops`
    leaves out inherited ones (settings by identity, modules by name).
    """

    schema_: Literal["safe-harbor/profile/v1"] = Field(alias="schema")
    name: str = Field(pattern=NAME)
    about: str = Field(min_length=10)
    extends: str = Field(default="", pattern=r"^([a-z0-9][a-z0-9-]{0,39})?$")
    drops: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    module_options: tuple[ModuleOption, ...] = ()
    sysctls: tuple[Rule, ...] = ()
    limits: tuple[Limit, ...] = ()
    units: tuple[UnitSetting, ...] = ()
    links: tuple[LinkSetting, ...] = ()

    @model_validator(mode="after")
    def _no_key_twice(self) -> Self:
        for laws in (self.module_options, self.sysctls, self.limits, self.units, self.links):
            names = [law.identity for law in laws]
            for name in names:
                if names.count(name) > 1:
                    raise ValueError(f"{name} stands twice")
        if self.drops and not self.extends:
            raise ValueError("drops needs a profile that is extended")
        if not self.extends and not (self.modules and self.sysctls):
            raise ValueError("a profile that extends none needs modules and sysctls")
        return self

    @property
    def keys(self) -> tuple[str, ...]:
        """The names of its sysctls."""
        return tuple(rule.key for rule in self.sysctls)

    @property
    def identities(self) -> tuple[str, ...]:
        """Everything that `drops` may name."""
        laws = (*self.module_options, *self.sysctls, *self.limits, *self.units, *self.links)
        return (*self.modules, *(law.identity for law in laws))

    def extended(self, parent: Profile) -> Profile:
        """This profile with what it inherits; the parent has inherited already.

        Raises ValueError where it drops what the parent does not have.
        """
        unknown = [name for name in self.drops if name not in parent.identities]
        if unknown:
            raise ValueError(f"{parent.name} has no {unknown[0]} to drop")
        inherited = tuple(m for m in parent.modules if m not in (*self.drops, *self.modules))
        return self.model_copy(
            update={
                "modules": (*inherited, *self.modules),
                "module_options": _merged(parent.module_options, self.module_options, self.drops),
                "sysctls": _merged(parent.sysctls, self.sysctls, self.drops),
                "limits": _merged(parent.limits, self.limits, self.drops),
                "units": _merged(parent.units, self.units, self.drops),
                "links": _merged(parent.links, self.links, self.drops),
            }
        )


def _merged(inherited: Sequence[_Law], own: Sequence[_Law], drops: Sequence[str]) -> tuple[_Law, ...]:
    """In the parent's order, replaced in place, what is new at the end."""
    replaced = {law.identity: law for law in own}
    kept = [
        replaced.pop(law.identity, law)
        for law in inherited
        if law.identity not in drops or law.identity in replaced
    ]
    return (*kept, *replaced.values())
