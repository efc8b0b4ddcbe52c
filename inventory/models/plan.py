"""What an exit will create, move and change, before anything is touched."""

from __future__ import annotations

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from inventory.models.finding import Finding, Waiver


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PlannedNode(_Frozen):
    """A host that is prepared."""

    name: str
    address: str
    roles: tuple[str, ...]


class PlannedImage(_Frozen):
    """An image that is copied; `size_bytes` is None where the source's registry did not say."""

    source: str
    target: str
    size_bytes: int | None


class PlannedTable(_Frozen):
    """A table of the database that moves; rows and bytes are the server's own estimate."""

    name: str
    rows: int
    size_bytes: int


class PlannedBucket(_Frozen):
    """The bucket that is copied; the figures are None where it could not be listed."""

    source: str
    target: str
    objects: int | None
    size_bytes: int | None


class PlannedStep(_Frozen):
    """One thing that is changed where the customers see it: what, from what, to what."""

    what: str
    before: str
    after: str


class Remainder(_Frozen):
    """Resources at AWS: how many of a kind, and their names."""

    region: str
    kind: str
    count: int
    names: tuple[str, ...]
    size_gib: int = 0


class Plan(_Frozen):
    """The plan, as `plan.json` has it.

    `transfer_bytes` is the sum of what is known; `unknown` names what is missing from it. `blocking` are the
    findings that would stop the exit as things are now, `warnings` those that are shown and let it go on.
    """

    schema_: str = Field(default="safe-harbor/plan/v1", alias="schema", serialization_alias="schema")
    site: str
    policy: str
    profile: str
    surveyed_at: AwareDatetime
    nodes: tuple[PlannedNode, ...]
    cluster: dict[str, str]
    images: tuple[PlannedImage, ...]
    objects: dict[str, int]  # of the namespaces that move: kind -> how many
    tables: tuple[PlannedTable, ...]
    bucket: PlannedBucket
    steps: tuple[PlannedStep, ...]
    transfer_bytes: int
    unknown: tuple[str, ...]
    ends: tuple[Remainder, ...]  # what `finalize` ends at the source
    outside: tuple[Remainder, ...]  # what this exit leaves alone
    blocking: tuple[Finding, ...]
    warnings: tuple[Finding, ...]
    waivers: tuple[Waiver, ...]
