"""A name is whose it is where it is asked for: in a pod another one than on a machine."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from inventory.models.site import Exchange
from inventory.models.verdict import Verdict
from tasks.checks.residency.destination import whose
from tasks.checks.residency.observation import host_of
from tests.checks.residency.world import world


@pytest.mark.parametrize(
    ("host", "of_machine", "of_pod"),
    [
        ("collector", Verdict.NODATA, Verdict.PASS),
        ("loki.logs.svc", Verdict.PASS, Verdict.PASS),
        ("loki.logs.svc.cluster.local.", Verdict.PASS, Verdict.PASS),
        ("printer.local", Verdict.NODATA, Verdict.NODATA),
        ("localhost", Verdict.PASS, Verdict.PASS),
        ("nolocalhost", Verdict.NODATA, Verdict.PASS),
        ("::1", Verdict.PASS, Verdict.PASS),
        ("fe80::1%eth0", Verdict.PASS, Verdict.PASS),
        ("2001:db8::1", Verdict.NODATA, Verdict.NODATA),
        ("", Verdict.NODATA, Verdict.NODATA),
        (".", Verdict.NODATA, Verdict.NODATA),
        ("logs.eu-north-1.amazonaws.com", Verdict.FAIL, Verdict.FAIL),
    ],
)
def test_whose_a_name_is(host: str, of_machine: Verdict, of_pod: Verdict, tmp_path: Path) -> None:
    context = world(tmp_path)
    assert whose(context, host)[0] is of_machine
    assert whose(context, host, of_pod=True)[0] is of_pod


@pytest.mark.parametrize(
    ("place", "host"),
    [
        ("https://user:word@logs.example:6514/path?x", "logs.example"),
        ("logs.example:514", "logs.example"),
        ("[2001:db8::1]:514", "2001:db8::1"),
        ("udp://[2001:db8::1]", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("collector", "collector"),
        ("", ""),
    ],
)
def test_the_host_of_a_place(place: str, host: str) -> None:
    assert host_of(place) == host


def test_a_declared_exchange_may_be_measured(tmp_path: Path) -> None:
    context = world(tmp_path)
    exchange = Exchange(name="NIX1", address=IPv4Address("193.156.90.1"), max_min_ms=1, max_p99_ms=9)
    latency = context.site.latency.model_copy(update={"exchanges": (exchange,)})
    assert whose(context, "193.156.90.1")[0] is Verdict.NODATA
    declared = replace(context, site=context.site.model_copy(update={"latency": latency}))
    assert whose(declared, "193.156.90.1") == (
        Verdict.PASS,
        "193.156.90.1 is NIX1, whose distance is measured",
    )
