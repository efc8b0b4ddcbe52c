"""What a surveyor of an AWS service is, how it asks, and how what it asked becomes coverage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import tasks.survey
from inventory.models.resource import Coverage, CoverageStatus, Resource
from inventory.models.site import Site
from tasks.drivers.errors import Denied, LoginRefused, OutsideError, Throttled
from tasks.drivers.ports import Aws, Json
from tasks.registered import modules_with

MESSAGE_CHARS = 500
_WORST_LAST = list(CoverageStatus)


class Ask:
    """Asks one service in one region, and keeps the coverage of each operation.

    An operation that fails gives nothing, and a row that says so; the other operations go on. Where an
    operation is asked once for each thing (the images of every repository), its row counts all of them and
    has the worst status among them.
    """

    def __init__(self, aws: Aws, service: str, region: str) -> None:
        self._aws = aws
        self._service = service
        self.region = region
        self._rows: dict[str, Coverage] = {}
        self.failed = False  # whether the last question got no answer

    def items(
        self, client: str, operation: str, key: str, parameters: Json | None = None, *, region: str = ""
    ) -> list[dict[str, Any]]:
        """All items of all pages; an empty list where the operation failed."""
        return self._listed(client, operation, key, parameters, region)

    def names(self, client: str, operation: str, key: str) -> list[str]:
        """As `items`, of an operation that lists names instead of objects."""
        return [str(each) for each in self._listed(client, operation, key, None, "")]

    def one(
        self,
        client: str,
        operation: str,
        parameters: Json | None = None,
        *,
        absent: Sequence[str] = (),
        region: str = "",
    ) -> dict[str, Any] | None:
        """One answer; None where the service has no such thing, and where the operation failed."""
        try:
            answer = self._aws.call(client, region or self.region, operation, parameters, absent=absent)
        except OutsideError as error:
            self._note(operation, status_of(error), 0, str(error))
            return None
        there = answer is not None
        self._note(operation, CoverageStatus.OK if there else CoverageStatus.EMPTY, int(there))
        return answer

    def misread(self, message: str) -> None:
        """Note that an answer came and could not be understood."""
        self._note("read", CoverageStatus.ERROR, 0, message)

    def coverage(self) -> list[Coverage]:
        """One row for each operation that was asked."""
        return list(self._rows.values())

    def _listed(
        self, client: str, operation: str, key: str, parameters: Json | None, region: str
    ) -> list[Any]:
        try:
            found = self._aws.items(client, region or self.region, operation, key, parameters)
        except OutsideError as error:
            self._note(operation, status_of(error), 0, str(error))
            return []
        self._note(operation, CoverageStatus.OK if found else CoverageStatus.EMPTY, len(found))
        return found

    def _note(self, operation: str, status: CoverageStatus, count: int, message: str = "") -> None:
        self.failed = not status.complete
        before = self._rows.get(operation)
        if before is None:
            merged = status
        elif {before.status, status} <= {CoverageStatus.OK, CoverageStatus.EMPTY}:
            merged = CoverageStatus.OK if CoverageStatus.OK in (before.status, status) else status
        else:
            merged = max(before.status, status, key=_WORST_LAST.index)
        told = before.message if before else ""
        if message and message not in told:
            told = f"{told}; {message}" if told else message
        self._rows[operation] = Coverage(
            service=self._service,
            region=self.region,
            operation=operation,
            status=merged,
            count=count + (before.count if before else 0),
            message=told[:MESSAGE_CHARS],
        )


@dataclass(frozen=True)
class Surveyor:
    """A module of this room that defines `SURVEYOR` is one.

    `actions` are the IAM actions that it needs, all of them reading. `collect` yields what it finds; what it
    could not see stands in the coverage of its `Ask`.
    """

    service: str
    scope: Literal["region", "global"]
    actions: tuple[str, ...]
    collect: Callable[[Ask, Site], Iterable[Resource]]


@cache
def all_surveyors() -> tuple[Surveyor, ...]:
    """Every surveyor, by service. Raises ValueError where two have the same service."""
    found: dict[str, Surveyor] = {}
    for module in modules_with(tasks.survey, "SURVEYOR"):
        surveyor: Surveyor = module.SURVEYOR
        if surveyor.service in found:
            raise ValueError(f"two surveyors have the service {surveyor.service}")
        found[surveyor.service] = surveyor
    return tuple(found[service] for service in sorted(found))


def status_of(error: OutsideError) -> CoverageStatus:
    """How an enumeration ended that raised this."""
    if isinstance(error, Denied | LoginRefused):
        return CoverageStatus.DENIED
    return CoverageStatus.THROTTLED if isinstance(error, Throttled) else CoverageStatus.ERROR


def tags_of(found: Json, key: str = "Tags") -> dict[str, str]:
    """AWS's list of Key and Value as a mapping."""
    return {str(tag["Key"]): str(tag.get("Value", "")) for tag in found.get(key) or ()}


def chosen(found: Json, **names: str) -> dict[str, Any]:
    """The attributes that later stages read: `instance_type="InstanceType"`; absent ones are left out."""
    return {ours: plain(found[theirs]) for ours, theirs in names.items() if found.get(theirs) is not None}


def plain(value: Any) -> Any:
    """A value as JSON has it: times become ISO 8601 texts."""
    return value.isoformat() if hasattr(value, "isoformat") else value


def batches(values: Sequence[str], size: int) -> Iterator[list[str]]:
    """The values in lists of at most `size`, for operations that take so many."""
    for start in range(0, len(values), size):
        yield list(values[start : start + size])
