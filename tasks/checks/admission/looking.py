"""Asks every host one question and makes a finding of each answer; a host that is silent is an error."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from inventory.printable import printable
from tasks.checks.asking import ask_hosts
from tasks.checks.context import Admission
from tasks.checks.evidence import observed
from tasks.checks.unseen import unseen
from tasks.drivers.errors import OutsideError
from tasks.facts.asked import Asked
from tasks.facts.gather import Facts

T = TypeVar("T")
NAMED_AT_MOST = 4


@dataclass(frozen=True)
class Judged:
    """What a check says of one host."""

    verdict: Verdict
    observed: str
    remedy: str = ""


def named(names: Sequence[str]) -> str:
    """A few of them."""
    more = len(names) - NAMED_AT_MOST
    return ", ".join(names[:NAMED_AT_MOST]) + (f" and {more} more" if more > 0 else "")


def answers(context: Admission, asked: Sequence[Asked[Any]]) -> dict[str, Facts | OutsideError]:
    """Each host's answers, or why there are none; all hosts are asked at once."""
    return gathered(context, dict.fromkeys(context.hosts, asked))


def gathered(
    context: Admission, asked: Mapping[str, Sequence[Asked[Any]]]
) -> dict[str, Facts | OutsideError]:
    """As `answers`, with questions of its own for each host; only hosts that there are, are asked."""
    return ask_hosts(context.hosts, {name: asked[name] for name in context.hosts})


def each_host(
    context: Admission,
    code: str,
    expected: str,
    severity: Severity,
    asked: Asked[T],
    judge: Callable[[str, T], Judged],
) -> Iterator[Finding]:
    """One finding a host, with the raw answer as its evidence."""
    return each_asked(context, code, expected, severity, dict.fromkeys(context.hosts, asked), judge)


def each_asked(
    context: Admission,
    code: str,
    expected: str,
    severity: Severity,
    asked: Mapping[str, Asked[T]],
    judge: Callable[[str, T], Judged],
) -> Iterator[Finding]:
    """As `each_host`, with a question of its own for each host."""
    for name, facts in gathered(context, {name: (each,) for name, each in asked.items()}).items():
        try:
            if isinstance(facts, OutsideError):
                raise facts
            said = judge(name, facts.of(asked[name]))
        except OutsideError as error:
            yield unseen(code, name, expected, severity, error)
            continue
        yield finding(context, code, name, expected, severity, said, asked[name], facts)


def finding(
    context: Admission,
    code: str,
    subject: str,
    expected: str,
    severity: Severity,
    said: Judged,
    asked: Asked[Any],
    facts: Facts,
) -> Finding:
    """A finding whose evidence is the answer to `asked`."""
    raw = facts.answers[asked.command.render()]
    evidence = observed(context.clock, f"{subject}: {printable(str(asked.command), 300)}", raw)
    evidence = evidence.model_copy(update={"excerpt": printable(evidence.excerpt)})
    return Finding(
        code=code,
        subject=subject,
        verdict=said.verdict,
        observed=said.observed,
        expected=expected,
        evidence=(evidence,),
        remedy=said.remedy,
        severity=severity,
    )
