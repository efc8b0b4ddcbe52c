"""`network`: the stage, and the recommendation before it."""

from __future__ import annotations

from cyclopts import App

from flows.cli.exits import Exit, print_json
from flows.cli.running import site_file
from flows.cli.stages import NO_OPTIONS, Common, Site, run_stage
from flows.cli.terminal import Terminal


def register(app: App) -> None:
    """Add `network` with its sub-command."""
    group = App(name="network")
    group.default(network)
    group.command(recommend)
    app.command(group)


def network(site: Site, options: Common = NO_OPTIONS) -> int:
    """Stand up the pod network and kube-proxy, then prove every path of them.

    Nodes whose pods are on another network are emptied and changed one by one, under a load.

    Example: safe-harbor network oslo
    """
    return run_stage("network", site, options)


def recommend(site: Site, *, json: bool = False) -> int:
    """Ask the nodes and the network beneath them, and say which pod network to take and why. Changes nothing.

    Example: safe-harbor network recommend oslo
    """
    from tasks.steps.recommend import advise
    from tasks.steps.workplace import opened

    terminal = Terminal()
    try:
        with opened(site_file(site), progress=terminal):
            advice = advise()
    finally:
        terminal.close()
    if json:
        print_json(advice.as_json())
    else:
        print("\n".join(advice.lines()))  # noqa: T201 - the answer of the command
    return Exit.DONE if advice.recommendation.kind else Exit.NOT_A_PASS
