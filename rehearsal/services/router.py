"""The router at the top of Oslo's rack: BIRD in the link's namespace, which is the nodes' way out already.

It takes the pods' subnets from any node of Oslo's network, and tells each node of the others'.
"""

from __future__ import annotations

import subprocess
from ipaddress import IPv4Network

from rehearsal.plan import Plan
from rehearsal.state import State
from tasks.drivers.errors import ServiceFailed

NAME = "router"

_CONFIG = """\
log stderr all;
router id {address};
protocol device {{ }}
protocol kernel {{ ipv4 {{ import none; export where source = RTS_BGP; }}; }}
protocol bgp nodes {{
  local {address} as {own};
  neighbor range {nodes} as {theirs};
  ipv4 {{
    import where net ~ [ {pods}{{24,28}} ];
    export where source = RTS_BGP;
  }};
}}
"""


def config(*, address: str, own: int, nodes: IPv4Network, theirs: int, pods: IPv4Network) -> str:
    """Its configuration: `own` and `theirs` are AS numbers, `nodes` the network that they may come from."""
    return _CONFIG.format(address=address, own=own, nodes=nodes, theirs=theirs, pods=pods)


def start_router(plan: Plan, state: State) -> None:
    """Start it. Raises OutsideError where it does not come up."""
    folder = plan.state / "router"
    folder.mkdir(parents=True, exist_ok=True)
    text = config(
        address=plan.oslo_gateway,
        own=plan.router_as,
        nodes=IPv4Network(plan.oslo_network),
        theirs=plan.nodes_as,
        pods=IPv4Network(plan.oslo_pod_network),
    )
    file = folder / "bird.conf"
    file.write_text(text)
    (folder / "ctl").unlink(missing_ok=True)
    argv = ["bird", "-f", "-c", str(file), "-s", str(folder / "ctl"), "-P", str(folder / "pid")]
    running = state.run_process(NAME, argv, netns=plan.wan_netns)
    state.wait_until(running, lambda: (folder / "ctl").exists(), what="answering", within_s=10)


def ask_router(plan: Plan, *words: str) -> str:
    """What birdc says, like `show route`. Raises ServiceFailed where it does not."""
    argv = ["birdc", "-s", str(plan.state / "router" / "ctl"), *words]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=20)
    if done.returncode:
        raise ServiceFailed(NAME, f"{' '.join(argv)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
