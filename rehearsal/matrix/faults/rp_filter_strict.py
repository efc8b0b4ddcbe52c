"""Strict reverse-path filtering, as some distributions and hardening guides set it."""

from __future__ import annotations

from rehearsal.matrix.fault import Fault
from rehearsal.matrix.settings import setting

_CREATE, _UNDO = setting("net.ipv4.conf.all.rp_filter", "1")

FAULT = Fault(
    name="rp-filter-strict",
    what="net.ipv4.conf.all.rp_filter = 1 on a node",
    primary="DP-RPF",
    create=_CREATE,
    undo=_UNDO,
)
