"""Hosts that failed in the middle of a stage: the others go on, and in the end the stage names them all."""

from __future__ import annotations

from collections.abc import Mapping

from tasks.drivers.errors import OutsideError
from tasks.steps.stage import Draft

FIGURE = "failed_hosts"  # in the stage's result: host -> {phase, why}


class FailedHosts:
    """Who failed, at what, and why. A host that is in here is asked and changed no more."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._errors: dict[str, OutsideError] = {}

    def __contains__(self, host: object) -> bool:
        return host in self._errors

    def add(self, phase: str, errors: Mapping[str, OutsideError | None]) -> None:
        """Take what came of a phase; None where a host did not fail."""
        for host, error in errors.items():
            if error is not None:
                self._errors[host] = error
                figure = self._draft.figures.setdefault(FIGURE, {})
                figure[host] = {"phase": phase, "why": str(error)}

    def refuse(self, hosts: int) -> None:
        """Raises OutsideError naming every one of them, out of so many, where there are any."""
        refuse("the stage", self._errors, hosts)


def refuse(what: str, errors: Mapping[str, OutsideError | None], hosts: int) -> None:
    """Raises the error of the one host that failed, or one that names all of them."""
    failed = {name: error for name, error in errors.items() if error is not None}
    if len(failed) == 1:
        raise next(iter(failed.values()))
    if failed:
        raise OutsideError(
            ", ".join(failed),
            f"{what} failed on {len(failed)} of {hosts} hosts: {'; '.join(map(str, failed.values()))}",
            "mend them and run the stage again: what is done is not done twice",
        )
