"""The settings by real programs: a mount and network namespace of its own, with a copy of /etc.

Only what belongs to the network namespace can be set in there: the rest of /proc/sys and /sys is read-only,
as in a container, so that nothing of this machine is changed.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from inventory.models.change import Change
from inventory.models.command import Command, Script, Shellable
from inventory.models.tuning import LinkSetting
from inventory.profile_files import load_profile
from tasks.drivers.ports import Output
from tasks.drivers.put import put
from tasks.facts import before, config_files
from tasks.facts.gather import gather
from tasks.operations import conflicts, sysctl
from tasks.operations.apply import apply_all
from tasks.operations.node import SETTINGS
from tasks.operations.settings import undo_asked, undo_plan
from tests.move.local import LocalHost
from tests.operations.places import preparation

pytestmark = [pytest.mark.slow]

_SET_UP = """
set -e
mount -t tmpfs none "$1"
mkdir "$1/net" && mount --bind /proc/sys/net "$1/net"
mount --bind /proc/sys /proc/sys && mount -o remount,ro,bind /proc/sys && mount --bind "$1/net" /proc/sys/net
mount -t sysfs -o ro none /sys
cp -a /etc "$1/etc" && mount --bind "$1/etc" /etc
mount -t tmpfs none /var/lib && mount -t tmpfs none /run
ip link add eth0 type veth peer name peer0
echo ready; cat
"""
# No module is loaded, and no service restarted: those are this machine's own.
_GSO = LinkSetting(
    name="feature-generic-segmentation-offload", exact="off", why="for a test", source="this test"
)
PROFILE = load_profile("web").model_copy(
    update={"modules": (), "module_options": (), "units": (), "limits": (), "links": (_GSO,)}
)
READY = replace(preparation(), profile=PROFILE)
NODE = READY.site.target.nodes[0]


class Inside(LocalHost):
    """A host whose commands run in the namespaces of a process."""

    name = "oslo-1"

    def __init__(self, pid: int) -> None:
        self.pid = str(pid)

    def run(self, command: Shellable, *, stdin: bytes = b"", timeout_s: float = 60.0) -> Output:
        words = ("nsenter", "-t", self.pid, "-m", "-n", "sh", "-c", command.render())
        return super().run(Command.of(*words), stdin=stdin, timeout_s=timeout_s)

    def put_file(self, path: str, content: bytes, *, mode: int = 0o644) -> None:
        self.check(put(path, content, mode), stdin=content)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Inside]:
    argv = ["unshare", "-m", "-n", "--propagation", "private", "sh", "-c", _SET_UP, "sh", str(tmp_path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield Inside(process.pid)
        process.communicate()


_SEEN = """
find /etc -xdev -printf "%p %y %m %U:%G %l\\n" | grep -v "^/etc d" | sort
find /etc/sysctl.d /etc/udev /etc/modprobe.d -type f -exec sha256sum {} + 2>/dev/null | sort
sysctl -a -r "^net[.]" 2>/dev/null | grep -v -e nf_conntrack_count
ethtool -k eth0
"""


def seen(host: Inside) -> str:
    return host.check(Script.of(_SEEN))


def prepare(host: Inside) -> list[Change]:
    made = []
    for phase in SETTINGS:
        facts = {node.name: gather(host, phase.asked(READY, NODE)) for node in phase.nodes(READY)}
        changes = [change for change in phase.plan(READY, facts) if change.host == host.name]
        outcome = apply_all(host, changes)
        assert outcome.ok, outcome.error
        made += changes
    return made


def undo(host: Inside) -> list[Change]:
    record = before.ask()
    _, known = gather(host, (record,)).of(record)
    changes = undo_plan(host.name, known, gather(host, undo_asked(known)))
    outcome = apply_all(host, changes)
    assert outcome.ok, outcome.error
    return changes


def test_settings_are_made_once_and_undone_once(host: Inside) -> None:
    host.check(
        Script.of('umask 077; echo \'mine = 1\' > "$1"; chown 1:2 "$1"; rm -rf /etc/udev', sysctl.PATH)
    )
    had = seen(host)
    made = [change.subject for change in prepare(host)]
    expected = ("net.ipv4.ip_forward", "net.ipv4.ip_local_reserved_ports", "net.ipv4.ip_local_port_range")
    assert {f"file {sysctl.PATH}", *(f"sysctl {key}" for key in expected)} <= set(made)
    assert "interface eth0 feature-generic-segmentation-offload" in made
    assert "sysctl fs.inotify.max_user_instances" not in made  # not this network namespace's: read-only
    assert host.check(Command.of("stat", "-c", "%a %u", before.PATH)) == "600 0\n"
    assert host.check(Command.of("sysctl", "-n", "net.ipv4.ip_local_reserved_ports")) == "30000-32767\n"
    assert seen(host) != had
    assert prepare(host) == []
    assert undo(host)
    assert seen(host) == had
    assert undo(host) == []


def test_a_later_file_is_named_with_its_line_and_truly_wins(host: Inside) -> None:
    host.put_file(
        "/etc/sysctl.d/95-mine.conf", b"# mine\nnet/ipv4/ip_forward = 0\nnet.core.somaxconn=999999\n"
    )
    host.put_file("/etc/sysctl.d/10-early.conf", b"net.ipv4.conf.all.rp_filter = 1\n")
    asked = config_files.ask(conflicts.sources(PROFILE))
    size = READY.site.target.size(2, 4 << 20)
    found = list(conflicts.later_files(PROFILE, gather(host, (asked,)).of(asked), size))
    assert [each.what for each in found] == [
        "/etc/sysctl.d/95-mine.conf:2 sets net.ipv4.ip_forward = 0, and is read after "
        "/etc/sysctl.d/90-safe-harbor.conf"
    ]
    prepare(host)
    host.check(Script.of("sysctl -q --system 2>/dev/null; true"))  # what a boot does, by procps
    assert host.check(Command.of("sysctl", "-n", "net.ipv4.ip_forward")) == "0\n"
    assert host.check(Command.of("sysctl", "-n", "net.ipv4.conf.all.rp_filter")) == "2\n"
