"""PRE-NFT: nft is new enough for kube-proxy's nftables mode, where that is declared."""

from __future__ import annotations

from collections.abc import Iterable

from inventory.models.cluster import ProxyMode
from inventory.models.finding import Finding, Severity
from inventory.models.verdict import Verdict
from tasks.checks.admission.looking import Judged, each_host
from tasks.checks.context import Admission
from tasks.checks.registry import Check
from tasks.facts import nft_version
from tasks.facts.nft_version import Nft

CODE = "PRE-NFT"
MINIMUM = (1, 0, 1)  # kube-proxy's own check at its start, from Kubernetes 1.31 on


def judge(mode: ProxyMode, found: Nft) -> Judged:
    """kube-proxy in nftables mode runs `nft`, and ends at once with an older one."""
    if mode is not ProxyMode.NFTABLES:
        return Judged(Verdict.PASS, f"kube-proxy's mode is {mode}: it needs no nft")
    least = ".".join(map(str, MINIMUM))
    if found.version is None:
        remedy = f"run on the host: apt-get update; its distribution must have nftables {least} or newer"
        return Judged(Verdict.WARN, "nft is not installed, and no package of it is known", remedy)
    version = ".".join(map(str, found.version))
    if found.version < MINIMUM:
        remedy = "Debian 12, Ubuntu 22.04 or nftables of backports; or declare kube_proxy.mode: iptables"
        what = f"nft {version}" if found.installed else f"the package of nft is {version}, which"
        return Judged(Verdict.FAIL, f"{what} is older than {least}", remedy)
    return Judged(Verdict.PASS, f"nft {version}" if found.installed else f"nft {version}, by prepare")


def run(context: Admission) -> Iterable[Finding]:
    """Judge every host."""
    mode = context.site.target.cluster.kube_proxy.mode
    expected = f"nft {'.'.join(map(str, MINIMUM))} or newer where kube-proxy's mode is nftables"

    def by_mode(_: str, found: Nft) -> Judged:
        return judge(mode, found)

    return each_host(context, CODE, expected, Severity.HIGH, nft_version.ask(), by_mode)


CHECK = Check(CODE, "nft is new enough for kube-proxy", "preflight", Severity.HIGH, run)
