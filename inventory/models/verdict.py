"""A verdict and the rule by which many become one."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Verdict(StrEnum):
    """What a check says. Only `pass` and `warn` let a stage go on; no data is never a pass."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    WARN = "warn"
    INCONCLUSIVE = "inconclusive"
    NODATA = "nodata"
    FAIL = "fail"
    ERROR = "error"

    @property
    def lets_go_on(self) -> bool:
        """Whether the stage may go on."""
        return self in (Verdict.PASS, Verdict.WARN)


_WORST_LAST = list(Verdict)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of them; `nodata` where there is none, because nothing judged is not a pass."""
    return max(verdicts, key=_WORST_LAST.index, default=Verdict.NODATA)
