"""What the residency controls share: making a finding, judging statements, asking hosts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any, TypeVar

from inventory.models.finding import Evidence, Finding, Grade, Severity
from inventory.models.statement import Signed
from inventory.models.verdict import Verdict
from tasks.checks.context import Residency
from tasks.checks.evidence import observed
from tasks.drivers.errors import OutsideError
from tasks.facts.asked import Asked

T = TypeVar("T")
Judged = tuple[Verdict, str]


@dataclass(frozen=True)
class Control:
    """One control of the catalogue: what its findings have in common."""

    code: str
    severity: Severity
    expected: str

    def finding(
        self,
        subject: str,
        verdict: Verdict,
        said: str,
        evidence: Sequence[Evidence] = (),
        remedy: str = "",
    ) -> Finding:
        """A finding of this control; a pass has no remedy."""
        return Finding(
            code=self.code,
            subject=subject,
            verdict=verdict,
            observed=said,
            expected=self.expected,
            evidence=tuple(evidence),
            remedy="" if verdict is Verdict.PASS else remedy,
            severity=self.severity,
        )

    def newest(self, context: Residency, subject: str) -> Signed | None:
        """The newest signed statement on a subject; of two on the same day the one that does not hold."""
        mine = (self.code, subject)
        found = [
            each for each in context.statements if (each.statement.control, each.statement.subject) == mine
        ]
        return max(
            found, key=lambda each: (each.statement.dated, not each.statement.holds, each.file), default=None
        )

    def stated(
        self,
        context: Residency,
        subject: str,
        facts: Sequence[str] = (),
        judge: Callable[[Mapping[str, str]], Judged] | None = None,
        documents: int = 0,
    ) -> Finding:
        """What the newest signed statement on a subject says; `nodata` where none is, or it is not whole.

        `facts` must stand in it, and at least so many `documents`; `judge` says what its facts come to, where
        the statement holds.
        """
        newest = self.newest(context, subject)
        if newest is None:
            said = f"nobody has signed a statement on {subject}"
            remedy = f"have it stated (control {self.code}, subject {subject}): safe-harbor residency sign"
            return self.finding(subject, Verdict.NODATA, said, (), remedy)
        statement = newest.statement
        absent = [name for name in facts if not statement.facts.get(name, "").strip()]
        remedy = "mend what it speaks of, and have it stated anew"
        if not statement.holds:
            verdict, said = Verdict.FAIL, f"{statement.signer} states that it does not hold: {statement.says}"
        elif absent:
            verdict, said = Verdict.NODATA, f"{newest.file} does not state {', '.join(absent)}"
            remedy = f"state under facts: {', '.join(facts)}"
        elif len(statement.documents) < documents:
            verdict, said = Verdict.NODATA, f"{newest.file} names no document"
            remedy = "name the document that it stands on, with its SHA-256"
        else:
            verdict, said = judge(statement.facts) if judge else (Verdict.PASS, statement.says)
            said = f"{statement.signer} states: {said}"
        return self.finding(subject, verdict, said, (of_statement(newest),), remedy)


def of_statement(signed: Signed) -> Evidence:
    """Evidence of grade E4: the statement's file, as of the day on which it was made."""
    statement = signed.statement
    return Evidence(
        source=f"statement {signed.file}, signed by {statement.signer}, expires {statement.expires}",
        grade=Grade.E4,
        observed_at=datetime.combine(statement.dated, time(), UTC),
        digest=signed.digest,
        excerpt=statement.says,
    )


def on_hosts(
    context: Residency,
    control: Control,
    asked: Asked[T],
    judge: Callable[[str, T, Evidence], Finding],
    *,
    shown: Callable[[T], str] | None = None,
    among: Collection[str] | None = None,
) -> Iterator[Finding]:
    """A finding for each host, by name; `error` for one that cannot be asked or understood.

    `shown` makes the evidence of an answer that may hold secrets out of what was read of it; `among` are the
    hosts that are asked, all where it is None.
    """
    names = sorted(name for name in context.hosts if among is None or name in among)
    if not names:
        yield control.finding("hosts", Verdict.NODATA, "no host can be asked", (), "declare the nodes")
    for name in names:
        subject = f"{name}/{asked.subject}"
        remedy = f"make {name} answer, and judge again"
        try:
            text = context.hosts[name].check(asked.command)
            fact = asked.parse(text)
        except OutsideError as error:
            yield control.finding(subject, Verdict.ERROR, str(error), (), error.remedy or remedy)
        except ValueError as error:
            said = f"cannot be understood: {error}"
            yield control.finding(subject, Verdict.ERROR, said, (), remedy)
        else:
            raw = text if shown is None else shown(fact)
            evidence = observed(context.clock, f"{name}: {asked.subject}", raw)
            yield judge(subject, fact, evidence)


def pods_of(context: Residency, namespaces: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The target's pods, of these namespaces or of all."""
    pods = context.target.list("v1", "Pod")
    return [p for p in pods if not namespaces or p["metadata"].get("namespace") in namespaces]


def containers_of(pod: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All containers of a pod."""
    spec = pod.get("spec") or {}
    return [c for which in ("initContainers", "containers") for c in spec.get(which) or ()]


def api_server_flags(context: Residency) -> dict[str, str] | None:
    """The flags of the API servers, joined; None where none of their pods is seen."""
    flags: dict[str, str] = {}
    seen = False
    for pod in pods_of(context, ("kube-system",)):
        if not str(pod["metadata"].get("name", "")).startswith("kube-apiserver"):
            continue
        seen = True
        for container in containers_of(pod):
            for word in (*(container.get("command") or ()), *(container.get("args") or ())):
                name, _, value = str(word).partition("=")
                if name.startswith("--"):
                    flags[name[2:]] = value
    return flags if seen else None
