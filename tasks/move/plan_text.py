"""A plan as text for a person: one page, nothing left out without saying so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from inventory.models.plan import Plan, Remainder

COLUMNS = 110
LINES = 66  # a page
_LISTED = 4  # of each group; the rest is counted, and stands in plan.json


def render(plan: Plan) -> str:
    """The page: at most `LINES` lines of at most `COLUMNS` characters."""
    lines = [*_head(plan), *_create(plan), *_move(plan), *_change(plan), *_source(plan), *_judged(plan)]
    return "\n".join(_cut(line) for line in lines) + "\n"


def size(count: int | None) -> str:
    """Bytes for people: `1.4 MiB`; `unknown` for None."""
    if count is None:
        return "unknown"
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def _head(plan: Plan) -> Iterator[str]:
    yield f"Plan of the exit {plan.site}: nothing has been touched yet"
    yield f"from the survey of {plan.surveyed_at:%Y-%m-%d %H:%M} UTC; policy {plan.policy}"


def _create(plan: Plan) -> Iterator[str]:
    cluster = plan.cluster
    yield f"CREATE  cluster {cluster['name']}, Kubernetes {cluster['version']}"
    yield (
        f"  pods {cluster['pods']}; services {cluster['services']}; "
        f"{cluster['network']}, kube-proxy {cluster['kube_proxy']}"
    )
    if "clients" in cluster:
        yield f"  clients' addresses: {cluster['clients']} (masquerade_all), new connections slower"
    yield f"  on {len(plan.nodes)} nodes, each with the kernel profile {plan.profile}:"
    yield from _listed(
        [f"{n.name} {n.address} ({', '.join(n.roles)})" for n in plan.nodes], "nodes", at_most=6
    )


def _move(plan: Plan) -> Iterator[str]:
    about = "" if not plan.unknown else ", and what is not known"
    yield f"MOVE    about {size(plan.transfer_bytes)}{about}"
    yield f"  {len(plan.images)} images"
    yield from _listed([f"{i.source} -> {i.target} ({size(i.size_bytes)})" for i in plan.images], "images")
    counted = ", ".join(f"{count} {kind}" for kind, count in plan.objects.items())
    yield f"  {sum(plan.objects.values())} objects: {counted or 'none seen'}"
    yield f"  {len(plan.tables)} tables, {size(sum(t.size_bytes for t in plan.tables))}"
    largest = sorted(plan.tables, key=lambda table: (-table.size_bytes, table.name))
    yield from _listed([f"{t.name} (about {t.rows} rows, {size(t.size_bytes)})" for t in largest], "tables")
    bucket = plan.bucket
    count = "an unknown number of" if bucket.objects is None else str(bucket.objects)
    yield f"  {bucket.source} -> {bucket.target}: {count} objects, {size(bucket.size_bytes)}"
    yield from _listed([f"not known: {what}" for what in plan.unknown], "unknown sizes")


def _change(plan: Plan) -> Iterator[str]:
    yield "CHANGE  for the customers, in this order"
    for number, step in enumerate(plan.steps, 1):
        yield f"  {number}. {step.what}: {step.before} -> {step.after}"


def _source(plan: Plan) -> Iterator[str]:
    yield "END     at the source, by finalize"
    yield from _listed(_remainders(plan.ends), "kinds", at_most=10)
    yield "LEAVE   outside of this exit"
    yield from _listed(_remainders(plan.outside), "kinds", at_most=5)


def _remainders(remainders: Iterable[Remainder]) -> list[str]:
    lines = []
    for each in remainders:
        names = ", ".join(each.names[:_LISTED]) + (", ..." if each.count > _LISTED else "")
        gib = f", {each.size_gib} GiB" if each.size_gib else ""
        lines.append(f"{each.region}: {each.count} {each.kind}{gib} ({names})")
    return lines


def _judged(plan: Plan) -> Iterator[str]:
    yield f"STOPS   {len(plan.blocking)} findings would stop it as things are"
    blocking = [f"{f.code} {f.subject}: {f.verdict}, {f.observed}" for f in plan.blocking]
    yield from _listed(blocking, "findings", at_most=5)
    yield f"WARNS   {len(plan.warnings)} findings"
    yield from _listed([f"{f.code} {f.subject}: {f.observed}" for f in plan.warnings], "findings")
    yield f"WAIVED  {len(plan.waivers)}, each by name"
    waivers = [f"{w.check} {w.subject} until {w.expires}, {w.approver}: {w.reason}" for w in plan.waivers]
    yield from _listed(waivers, "waivers")


def _listed(lines: Sequence[str], what: str, at_most: int = _LISTED) -> Iterator[str]:
    """Each in a line of its own, as many as fit; then how many more stand in plan.json."""
    if not lines:
        return
    shown = lines if len(lines) <= at_most else lines[: at_most - 1]
    yield from (f"    {line}" for line in shown)
    if len(shown) < len(lines):
        yield f"    and {len(lines) - len(shown)} more {what}: see plan.json"


def _cut(line: str) -> str:
    flat = " ".join(line.split("\n")).rstrip()
    return flat if len(flat) <= COLUMNS else flat[: COLUMNS - 3] + "..."
