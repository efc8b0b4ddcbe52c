"""Every command, put together."""

from __future__ import annotations

from cyclopts import App

from flows.cli import audit, cluster, machine, networks, provision, rehearse, residency, stages, standalone

app = App(
    name="safe-harbor",
    help="Move a Kubernetes shop from AWS to KVM servers in Oslo, with a trail that auditors can verify.\n\n"
    "Example: safe-harbor rehearse   (a whole site and the whole exit, on this machine)\n\n"
    "Example: safe-harbor run oslo   (the exit of the site inventory/sites/oslo)",
    version_flags=["--version"],
    result_action="return_value",  # the exit code is ours to give, and Ctrl-C ours to answer
    suppress_keyboard_interrupt=False,
)
for group in (stages, networks, provision, cluster, standalone, residency, audit, rehearse, machine):
    group.register(app)
