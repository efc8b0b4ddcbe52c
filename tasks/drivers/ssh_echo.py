"""Round trips through a host's SSH session, to one process that was started before the first is measured.

The session's keys are signed by the host key, so nobody on the way can answer in the host's stead.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import paramiko

from tasks.drivers.errors import CommandFailed

WITHIN_S = 10.0  # for each


def echo_s(part: str, channel: paramiko.Channel, nonces: Sequence[bytes]) -> list[float]:
    """Seconds of each round trip. Raises CommandFailed where another thing comes back, or nothing in time."""
    channel.settimeout(WITHIN_S)
    channel.exec_command("exec cat")
    seconds = []
    for nonce in nonces:
        start, left = time.perf_counter(), nonce
        channel.sendall(nonce)
        while left:
            try:
                arrived = channel.recv(len(left))
            except TimeoutError:
                raise CommandFailed(part, f"a nonce did not come back within {WITHIN_S:g} s") from None
            if not arrived or not left.startswith(arrived):
                raise CommandFailed(part, "something else than the nonce came back")
            left = left[len(arrived) :]
        seconds.append(time.perf_counter() - start)
    return seconds
