"""The ARP probe: what it prints, and that it sees a second holder of an address on a real wire."""

from __future__ import annotations

import os
import subprocess

import pytest

from tasks.facts import address_claims
from tasks.facts.address_claims import Claims

# Two machines at the ends of a cable; the far one has the address that is given as $1, the near one 10.9.8.1.
_WIRE = """
set -e
mount -t sysfs none /sys
ip link set lo up
unshare --net sleep 30 & far=$!
while [ "$(readlink /proc/$far/ns/net)" = "$(readlink /proc/$$/ns/net)" ]; do sleep 0.05; done
ip link add near type veth peer name far netns $far
nsenter --net=/proc/$far/ns/net ip address add "$1/24" dev far
nsenter --net=/proc/$far/ns/net ip link set far address 02:00:00:00:00:07 up
ip address add 10.9.8.1/24 dev near
ip link set near up
ip link add twin type veth peer name other
sleep 0.2
eval "$2" || code=$?
kill $far
exit ${code:-0}
"""


def test_what_it_prints() -> None:
    assert address_claims.parse("asked 10.9.8.1\n") == Claims()
    assert address_claims.parse("asked 10.9.8.1\nclaimed 02:00:00:00:00:07\n").others == (
        "02:00:00:00:00:07",
    )
    assert address_claims.parse("unasked there is no perl\n").unasked == "there is no perl"
    for nonsense in ("", "claimed 02:00:00:00:00:07\n", "asked 10.9.8.1\nclaimed \x1b[31m\n"):
        with pytest.raises(ValueError, match="not the answer"):
            address_claims.parse(nonsense)


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="makes network namespaces")
@pytest.mark.parametrize(
    ("far", "claims"), [("10.9.8.1", Claims(("02:00:00:00:00:07",))), ("10.9.8.2", Claims())]
)
def test_a_second_holder_on_a_real_wire_is_seen(far: str, claims: Claims) -> None:
    question = address_claims.command("near", "10.9.8.1").render()
    ran = subprocess.run(
        ["unshare", "--net", "--mount", "sh", "-c", _WIRE, "sh", far, question],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert address_claims.parse(ran.stdout) == claims


@pytest.mark.slow
def test_a_link_that_is_not_there_is_not_asked() -> None:
    question = address_claims.command("nowhere0", "10.9.8.1").render()
    ran = subprocess.run(question, shell=True, capture_output=True, text=True, check=True)  # noqa: S602
    assert address_claims.parse(ran.stdout).unasked == "there is no link nowhere0"
