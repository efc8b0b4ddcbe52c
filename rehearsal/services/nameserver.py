"""knot as the authoritative server of the shop's zone; it takes updates signed with TSIG (RFC 2136, 8945)."""

from __future__ import annotations

from pathlib import Path

import dns.exception
import dns.message
import dns.query
import dns.rcode

from rehearsal.plan import Plan
from rehearsal.services.files import TSIG_KEY, read_secret, write_private
from rehearsal.state import State

NAME = "nameserver"
TSIG_NAME = "safe-harbor"
TSIG_ALGORITHM = "hmac-sha256"
TTL_S = 300


def start_nameserver(plan: Plan, state: State) -> None:
    """Start knot with the zone as it is before the exit. Raises OutsideError."""
    folder = plan.state / "knot"
    for part in ("run", "data", "zones"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    zone = folder / "zones" / f"{plan.zone}.zone"
    if not zone.exists():
        zone.write_text(_zone(plan))
    config = folder / "knot.conf"
    write_private(config, _config(plan, folder).encode())
    running = state.run_process(NAME, ["knotd", "-c", config], netns=plan.wan_netns)
    state.wait_until(running, lambda: _answers(plan), what="answering for the zone", within_s=15)


def _answers(plan: Plan) -> bool:
    query = dns.message.make_query(f"{plan.zone}.", "SOA")
    try:
        answer = dns.query.udp(query, plan.dns_address, port=plan.dns_port, timeout=0.5)
    except (dns.exception.DNSException, OSError):
        return False
    return answer.rcode() == dns.rcode.NOERROR and bool(answer.answer)


def _config(plan: Plan, folder: Path) -> str:
    return f"""# Written by the rehearsal.
server:
    rundir: "{folder}/run"
    user: root:root
    listen: {plan.dns_address}@{plan.dns_port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1

log:
  - target: stderr
    any: info

database:
    storage: "{folder}/data"

key:
  - id: {TSIG_NAME}
    algorithm: {TSIG_ALGORITHM}
    secret: {read_secret(plan, TSIG_KEY)}

acl:
  - id: exit
    key: {TSIG_NAME}
    action: [update, transfer]

zone:
  - domain: {plan.zone}
    storage: "{folder}/zones"
    file: "{plan.zone}.zone"
    acl: exit
    zonefile-sync: 0
    serial-policy: increment
"""


def _zone(plan: Plan) -> str:
    return f"""$ORIGIN {plan.zone}.
$TTL {TTL_S}
@     SOA ns1 hostmaster 1 3600 600 604800 5
@     NS ns1
@     MX 10 mail
@     TXT "v=spf1 mx -all"
ns1   A {plan.dns_address}
mail  A {plan.wan_address}
shop  A {plan.elb_public}
www   A {plan.elb_public}
"""
