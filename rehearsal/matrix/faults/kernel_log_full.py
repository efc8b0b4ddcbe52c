"""A table that was full some time ago, and is not now: only the kernel's log still tells."""

from __future__ import annotations

from rehearsal.matrix.fault import Fault, on_node
from rehearsal.matrix.kernel_log import FORGET, OWN_KERNEL, WILL_SAY

FAULT = Fault(
    name="table-was-full",
    what="the kernel's log says that connection tracking was full",
    primary="CT-LOG",
    create=on_node(f"{WILL_SAY} && echo 'nf_conntrack: table full, dropping packet (sh-fault)' > /dev/kmsg"),
    undo=on_node(FORGET),
    needs=OWN_KERNEL,
)
