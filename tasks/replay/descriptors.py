"""The limit of open files: each connection is one, and a run that meets the limit measures the limit."""

from __future__ import annotations

import resource

from inventory.errors import BadInput

BESIDE_CONNECTIONS = 64  # the program's own files, with room


def allow_descriptors(connections: int, each: int = 1) -> None:
    """Raises this process's soft limit as needed, `each` files a connection; the generator inherits it.

    Raises BadInput where the hard limit is below the need; nothing has been opened then.
    """
    needed = connections * each + BESIDE_CONNECTIONS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        fewer = max(hard - BESIDE_CONNECTIONS, 0) // each
        raise BadInput(
            f"{connections} connections need {needed} open files and {hard} are allowed; lower --connections "
            f"to {fewer}, or raise the hard limit: as root `ulimit -Hn {needed}` in this shell, LimitNOFILE= "
            "in a systemd unit, or nofile in /etc/security/limits.conf"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
