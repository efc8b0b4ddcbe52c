"""Who else sets what a profile sets, and wins: by the rules of the programs, with file and line."""

from __future__ import annotations

import pytest

from inventory.models.tuning import HostSize
from inventory.models.verdict import Verdict
from inventory.profile_files import load_profile
from tasks.checks.admission.conflicts import judge
from tasks.facts.cloud_init import Line
from tasks.facts.config_files import ConfigFile
from tasks.operations import assigned, conflicts, limits, sysctl, tuned

PROFILE = load_profile("web")
SIZE = HostSize(2, 4 << 20, 110, 3)
FORWARD = "net.ipv4.ip_forward=0\n"
CONF = "/etc/sysctl.conf"


def file(path: str, text: str, real: str = "") -> ConfigFile:
    return ConfigFile(path, real or path, text)


def later(*files: ConfigFile) -> list[str]:
    return [each.what for each in conflicts.later_files(PROFILE, files, SIZE)]


@pytest.mark.parametrize(
    ("files", "place"),
    [
        ([file("/etc/sysctl.d/95-x.conf", "# why\n" + FORWARD)], "/etc/sysctl.d/95-x.conf:2"),
        ([file("/usr/lib/sysctl.d/99-x.conf", FORWARD)], "/usr/lib/sysctl.d/99-x.conf:1"),
        ([file("/run/sysctl.d/91-x.conf", "net/ipv4/ip_forward = 0")], "/run/sysctl.d/91-x.conf:1"),
        ([file("/etc/sysctl.conf", FORWARD)], "/etc/sysctl.conf:1"),
        (
            [file("/etc/sysctl.d/99-sysctl.conf", FORWARD, CONF), file(CONF, FORWARD)],
            "/etc/sysctl.d/99-sysctl.conf:1",
        ),
        (
            [
                file("/etc/sysctl.d/95-x.conf", "net.ipv4.ip_forward=1"),
                file("/etc/sysctl.d/96-x.conf", "-" + FORWARD),
            ],
            "/etc/sysctl.d/96-x.conf:1",
        ),
    ],
)
def test_a_sysctl_that_is_read_later(files: list[ConfigFile], place: str) -> None:
    (said,) = later(*files)
    assert said == f"{place} sets net.ipv4.ip_forward = 0, and is read after {sysctl.PATH}"


@pytest.mark.parametrize(
    "files",
    [
        [file("/etc/sysctl.d/10-x.conf", FORWARD)],
        [file("/etc/sysctl.d/95-x.conf", "net.ipv4.ip_forward = 1")],
        [file("/etc/sysctl.d/95-x.conf", "#" + FORWARD)],
        [file("/etc/sysctl.d/95-x.conf", "net.ipv4.conf.*.rp_filter = 1")],
        [file("/etc/sysctl.d/95-x.conf", "net.core.somaxconn = 65535")],
        # /etc hides the file of the same name, and ours the one of its own.
        [file("/usr/lib/sysctl.d/95-x.conf", FORWARD), file("/etc/sysctl.d/95-x.conf", "")],
        [file("/usr/lib/sysctl.d/90-safe-harbor.conf", FORWARD)],
        [file(sysctl.PATH, FORWARD)],
    ],
)
def test_what_does_not_win_is_no_conflict(files: list[ConfigFile]) -> None:
    assert later(*files) == []


def test_a_floor_that_is_undercut_and_a_value_that_is_no_number() -> None:
    said = later(
        file("/etc/sysctl.d/95-x.conf", "net.core.somaxconn = 128\nfs.inotify.max_user_instances = x\n")
    )
    assert len(said) == 2
    assert said[0].startswith("/etc/sysctl.d/95-x.conf:1 sets net.core.somaxconn = 128")


def test_module_options_limits_and_services() -> None:
    said = later(
        file("/etc/modprobe.d/zz.conf", "options nf_conntrack acct=1 hashsize=1024\n"),
        file("/etc/security/limits.conf", "root hard nofile 10\n"),  # read before ours
        file("/etc/security/limits.d/95-x.conf", "root soft nofile 10\nroot - nofile 20\n* hard nofile -1\n"),
        file("/usr/lib/systemd/system/kubelet.service", "[Service]\nLimitNOFILE=10\n"),  # drop-ins come after
        file("/run/systemd/system/kubelet.service.d/99-x.conf", "[Service]\nLimitNOFILE=1024\n"),
    )
    assert [each.partition(" sets ")[0] for each in said] == [
        "/etc/modprobe.d/zz.conf:1",
        "/etc/security/limits.d/95-x.conf:2",
        "/run/systemd/system/kubelet.service.d/99-x.conf:2",
    ]
    assert said[2].endswith(f"is read after {limits.drop_in('kubelet.service')}")


def test_a_higher_limit_of_others_is_kept() -> None:
    others = [
        file("/etc/security/limits.d/50-x.conf", "root - nofile 2000000\n"),
        file(limits.PATH, "root - nofile 65536\n"),
        file("/etc/systemd/system/containerd.service", "[Service]\nLimitNOFILE=infinity\n"),
    ]
    assert limits.value_beside_ours(others, "root:nofile") == "2000000"
    wanted = {
        each.path: each.content.decode() for each in limits.wanted(PROFILE, others, SIZE, frozenset({24}))
    }
    assert "root - nofile 2000000\n" in wanted[limits.PATH]
    assert "LimitNOFILE=infinity\n" in wanted[limits.drop_in("containerd.service")]


# -- tuned and cloud-init -----------------------------------------------------------------------------------

TUNED = [
    file(tuned.ACTIVE, "shop\n"),
    file("/etc/tuned/shop/tuned.conf", "[main]\ninclude=base\n[sysctl]\nnet.core.somaxconn=>128\n"),
    file(
        "/usr/lib/tuned/base/tuned.conf",
        "[main]\ninclude=shop\n[cpu]\nnet.x=1\n[sysctl]\nnet.ipv4.ip_forward=0\n",
    ),
]


def test_an_active_tuned_is_named_with_file_and_line() -> None:
    (said,) = conflicts.tuned(PROFILE, TUNED, SIZE, running=True)
    assert said.what == (
        "tuned runs with profile shop: /usr/lib/tuned/base/tuned.conf:6 sets net.ipv4.ip_forward = 0, "
        "and puts sysctl.d back after it"
    )
    assert not said.wins
    off = file("/etc/tuned/tuned-main.conf", "reapply_sysctl = 0\n")
    (said,) = conflicts.tuned(PROFILE, [*TUNED, off], SIZE, running=True)
    assert said.wins
    assert list(conflicts.tuned(PROFILE, TUNED, SIZE, running=False)) == []


def test_cloud_init_lines() -> None:
    lines = [
        Line("/var/lib/cloud/instance/user-data.txt", 4, "  - path: /etc/sysctl.d/90-safe-harbor.conf"),
        Line(
            "/etc/cloud/cloud.cfg.d/9.cfg",
            2,
            ' - sysctl -w net.ipv4.ip_forward=0 "net.core.somaxconn = 65000"',
        ),
        Line("/etc/cloud/cloud.cfg", 7, "# net.ipv4.ip_forward = 0"),
    ]
    found = list(conflicts.cloud_init(PROFILE, lines, SIZE))
    assert [each.what for each in found] == [
        f"cloud-init may rewrite {sysctl.PATH} (/var/lib/cloud/instance/user-data.txt:4)",
        "cloud-init sets net.ipv4.ip_forward = 0 (/etc/cloud/cloud.cfg.d/9.cfg:2)",
    ]
    assert not any(each.wins for each in found)


def test_the_verdict() -> None:
    winning = list(conflicts.later_files(PROFILE, [file("/etc/sysctl.d/95-x.conf", FORWARD)], SIZE))
    assert judge(winning, tuned=False).verdict is Verdict.FAIL
    assert judge(winning, tuned=False).remedy == "take the line out of /etc/sysctl.d/95-x.conf, or correct it"
    assert (
        judge(list(conflicts.tuned(PROFILE, TUNED, SIZE, running=True)), tuned=True).verdict is Verdict.WARN
    )
    assert judge([], tuned=True).observed.endswith("tuned runs, and sets none of them")
    assert judge([], tuned=False).verdict is Verdict.PASS


def test_a_link_and_its_goal_count_once() -> None:
    linked = [
        file("/lib/sysctl.d/1.conf", "", "/usr/lib/sysctl.d/1.conf"),
        file("/usr/lib/sysctl.d/1.conf", ""),
    ]
    assert [each.path for each in assigned.in_order(linked, assigned.SYSCTL_FOLDERS)] == [
        "/usr/lib/sysctl.d/1.conf"
    ]
