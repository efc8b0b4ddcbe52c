"""Rules of Kubernetes in the variant of iptables that is not in use."""

from __future__ import annotations

from rehearsal.matrix.fault import Fault, on_node

_OTHER = """
case "$(iptables --version)" in *nf_tables*) other=iptables-legacy ;; *) other=iptables-nft ;; esac
"""

FAULT = Fault(
    name="mixed-iptables",
    what="a KUBE- chain in the legacy tables beside those in nft",
    primary="DP-MIXED",
    create=on_node(_OTHER + '"$other" -w -t nat -N KUBE-FAULT'),
    undo=on_node(_OTHER + '! "$other-save" | grep -q KUBE-FAULT || "$other" -w -t nat -X KUBE-FAULT'),
)
