"""Who else sets the card, and what a tuned as Debian ships it sets: by recorded profiles and real formats."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from inventory.models.tuning import HostSize, LinkSetting
from inventory.profile_files import load_profile
from tasks.facts import network_manager
from tasks.facts.config_files import ConfigFile
from tasks.facts.link_settings import LinkSettings
from tasks.operations import conflicts, link_rivals, tuned

DATA = Path(__file__).parents[1] / "data" / "tuned"
MAC = "52:54:00:00:00:01"
SIZE = HostSize(4, 8 << 20, 110, 3)
CARD = LinkSettings(
    "eth0",
    MAC,
    udev=True,
    tool=True,
    sized={"ring-rx": (256, 4096), "channels-combined": (4, 4)},
    features={"generic-segmentation-offload": (True, True)},
    rps={"rx-0": ("f", True)},
)
GSO = LinkSetting(
    name="feature-generic-segmentation-offload", exact="on", why="for a test", source="this test"
)
WEB = load_profile("web")
PROFILE = WEB.model_copy(update={"links": (*WEB.links, GSO)})


def file(path: str, text: str) -> ConfigFile:
    return ConfigFile(path, path, text)


SHIPPED = [
    file(f"/usr/lib/tuned/{path.parent.name}/tuned.conf", path.read_text())
    for path in DATA.glob("*/tuned.conf")
]


def of_tuned(name: str, *files: ConfigFile, profile: str = "", size: HostSize = SIZE) -> list[str]:
    active = file(tuned.ACTIVE, f"{name}\n")
    chosen = load_profile(profile) if profile else PROFILE
    found = conflicts.tuned(chosen, [active, *SHIPPED, *files], size, CARD, running=True)
    return [f"{each.what.partition(': ')[2]} {each.wins}" for each in found]


@pytest.mark.parametrize("name", ["openshift", "virtual-guest", "throughput-performance"])
def test_a_shipped_profile_that_sets_nothing_lower_is_no_conflict(name: str) -> None:
    assert of_tuned(name) == []


def test_a_shipped_profile_includes_what_a_guest_gets_and_skips_other_processors() -> None:
    found = tuned.options("openshift", SHIPPED)
    assert [each.assigned.value for each in found if each.assigned.key == "vm.swappiness"] == ["10", "30"]
    assert not [each for each in found if each.assigned.key == "kernel.numa_balancing"]
    assert "cgroup_ps_blacklist" in [each.assigned.key for each in found if each.plugin == "scheduler"]


def test_a_shipped_profile_on_a_host_that_needs_more() -> None:
    said = of_tuned("openshift", profile="large", size=HostSize(64, 256 << 20, 110, 3))
    assert said == [
        "/usr/lib/tuned/openshift/tuned.conf:19 sets net.netfilter.nf_conntrack_max = 1048576, and puts "
        "sysctl.d back after it False",
        "/usr/lib/tuned/openshift/tuned.conf:13 sets nf_conntrack.hashsize = 1048576 True",
    ]


OWN = """[main]
include=openshift
[net]
devices=eth*,!eth1
ring=rx 128 tx 64
channels=combined 1
features=gso off gro off
[rps]
type=sysfs
/sys/class/net/eth0/queues/rx-*/rps_cpus=1
/sys/module/nf_conntrack/parameters/hashsize=${size}
"""


def test_tuned_sets_rings_channels_features_steering_and_parameters() -> None:
    place = "/etc/tuned/shop/tuned.conf"
    assert of_tuned("shop", file(place, OWN)) == [
        f"{place}:11 sets nf_conntrack.hashsize = ${{size}} True",
        f"{place}:5 sets ring-rx = 128 True",
        f"{place}:6 sets channels-combined = 1 True",
        f"{place}:7 sets feature-generic-segmentation-offload = off True",
        f"{place}:10 sets rps-cpus = 1 True",
    ]


def test_what_another_card_gets_or_is_enough_is_no_conflict() -> None:
    other = OWN.replace("eth*,!eth1", "ens*").replace("/eth0/", "/ens3/").replace("${size}", "1048576")
    assert of_tuned("shop", file("/etc/tuned/shop/tuned.conf", other)) == []
    enough = (
        OWN.replace("rx 128", "rx 1024").replace("combined 1", "combined 4").replace("gso off", "gso on")
    ).replace("rps_cpus=1", "rps_cpus=0000000f")
    assert of_tuned("shop", file("/etc/tuned/shop/tuned.conf", enough.replace("${size}", "1048576"))) == []


# -- .link files --------------------------------------------------------------------------------------------

LINK = "[Match]\nMACAddress=52:54:00:00:00:01\n\n[Link]\nRxBufferSize=128\nGenericSegmentationOffload=no\n"


def by_link(*files: ConfigFile) -> list[str]:
    found = conflicts.cards(PROFILE, files, (), CARD, SIZE, managed=False)
    assert not any(each.wins for each in found)
    return [each.what for each in conflicts.cards(PROFILE, files, (), CARD, SIZE, managed=False)]


def test_a_link_file_for_this_card_is_named() -> None:
    said = by_link(file("/etc/systemd/network/10-lan.link", LINK))
    assert [each.partition(", and udev")[0] for each in said] == [
        "/etc/systemd/network/10-lan.link:5 sets ring-rx = 128",
        "/etc/systemd/network/10-lan.link:6 sets feature-generic-segmentation-offload = off",
    ]


@pytest.mark.parametrize(
    "text",
    [
        LINK.replace("00:01", "00:02"),
        LINK.replace("MACAddress=52:54:00:00:00:01", "OriginalName=ens*"),
        LINK.replace("=128", "=2048").replace("=no", "=yes"),
        "# [Link]\n#RxBufferSize=128\n",
    ],
)
def test_a_link_file_that_does_not_compete(text: str) -> None:
    assert by_link(file("/etc/systemd/network/10-lan.link", text)) == []


def test_a_link_file_is_hidden_by_one_of_the_same_name() -> None:
    shipped, own = (
        f"{folder}/99-default.link" for folder in ("/usr/lib/systemd/network", "/etc/systemd/network")
    )
    assert by_link(file(shipped, LINK), file(own, "[Match]\nOriginalName=*\n")) == []


# -- NetworkManager -----------------------------------------------------------------------------------------

CONNECTION = """[connection]
id=lan
type=ethernet
interface-name=eth0

[ethtool]
ring-rx=128
feature-gso=false
coalesce-rx-usecs=3

[802-1x]
password=hunter2
"""


def by_manager(text: str, *, managed: bool = True) -> list[str]:
    rows = "".join(
        f"/etc/NetworkManager/system-connections/lan\t{number}\t{section}\t{line}\n"
        for number, section, line in _numbered(text)
    )
    entries = network_manager.parse(rows)
    return [each.what for each in conflicts.cards(PROFILE, (), entries, CARD, SIZE, managed=managed)]


def _numbered(text: str) -> list[tuple[int, str, str]]:
    found, section = [], ""
    for number, line in enumerate(text.splitlines(), 1):
        section = line.strip("[]") if line.startswith("[") else section
        if "=" in line:
            found.append((number, section, line))
    return found


def test_a_connection_for_this_card_is_named_where_it_runs() -> None:
    said = by_manager(CONNECTION)
    assert [each.rpartition("/")[2] for each in said] == [
        "lan:7 sets ring-rx = 128, whenever it brings the connection up",
        "lan:8 sets feature-generic-segmentation-offload = off, whenever it brings the connection up",
    ]
    assert by_manager(CONNECTION, managed=False) == []
    assert by_manager(CONNECTION.replace("interface-name=eth0", "interface-name=eth1")) == []
    assert by_manager(CONNECTION.replace("type=ethernet", "type=wifi")) == []
    assert by_manager(CONNECTION.replace("=128", "=4096").replace("=false", "=true")) == []


def test_the_host_shows_no_secret_of_a_connection(tmp_path: Path) -> None:
    folder = tmp_path / "etc/NetworkManager/system-connections"
    folder.mkdir(parents=True)
    (folder / "lan.nmconnection").write_text(CONNECTION)
    words = network_manager._PROGRAM.replace("/etc /run /usr/lib", str(tmp_path / "etc"))
    ran = subprocess.run(["sh", "-c", words], capture_output=True, text=True, check=True)
    found = network_manager.parse(ran.stdout)
    assert [(each.line, each.section, each.key, each.value) for each in found][-3:] == [
        (7, "ethtool", "ring-rx", "128"),
        (8, "ethtool", "feature-gso", "false"),
        (9, "ethtool", "coalesce-rx-usecs", "3"),
    ]
    assert "hunter2" not in ran.stdout


def test_a_value_that_is_no_number_is_a_conflict_of_its_own() -> None:
    given = list(link_rivals.of_link_files([file("/etc/systemd/network/1.link", LINK)], "eth0", MAC))
    assert given[0].key == "ring-rx"
    assert by_link(file("/etc/systemd/network/1.link", LINK.replace("=128", "=max")))[0].startswith(
        "/etc/systemd/network/1.link:5 sets ring-rx = max"
    )
