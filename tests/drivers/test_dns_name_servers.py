"""The name servers of a zone, from a real knot."""

from __future__ import annotations

import shutil

import pytest

from tasks.drivers.errors import HostUnreachable, ServiceFailed
from tests.drivers.real_edge import free_port
from tests.drivers.test_dns import Knot, knot

__all__ = ["knot"]  # the fixture, for the tests below

pytestmark = pytest.mark.skipif(shutil.which("knotd") is None, reason="knot is not installed")


def test_the_zone_names_its_servers(knot: Knot) -> None:
    assert knot.zone().name_servers() == ("ns.fjordshop.example",)


def test_a_server_without_authority_is_an_error(knot: Knot) -> None:
    with pytest.raises(ServiceFailed, match=r"does not answer for other\.example"):
        knot.zone("other.example").name_servers()


def test_no_server_is_unreachable() -> None:
    with pytest.raises(HostUnreachable):
        Knot(free_port()).zone().name_servers()
