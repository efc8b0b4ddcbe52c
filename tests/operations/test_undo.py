"""Whatever was there before: a second plan is empty, undo brings it back to the byte, once."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inventory.models.change import PutFile
from inventory.profile_files import known_profiles, load_profile
from tasks.facts import before as record_facts
from tasks.facts.asked import FactUnreadable
from tasks.facts.before import PATH as RECORD
from tasks.facts.modules import State
from tasks.operations import interrupts, limits, links, module_options, modules, sysctl
from tests.operations.machine import File, Machine, prepare, undo
from tests.operations.places import preparation

PROFILES = {name: load_profile(name) for name in known_profiles()}
READY = {name: replace(preparation(), profile=profile) for name, profile in PROFILES.items()}
NODE = preparation().site.target.nodes[0]
WIDEST = PROFILES["large"]
PATHS = (modules.PATH, module_options.PATH, sysctl.PATH, links.PATH, *limits.paths(WIDEST), *interrupts.PATHS)
AFFORDABLE = settings(max_examples=60, deadline=None)
NAMES = st.sampled_from(sorted(PROFILES))

_numbers = st.integers(0, 10**7).map(str)
_files = st.one_of(
    st.builds(
        File,
        st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), max_size=40).map(str.encode),
        st.sampled_from([0o644, 0o600, 0o640]),
        st.sampled_from(["0:0", "0:42", "1000:1000"]),
    ),
    st.builds(File, link=st.sampled_from(["/dev/null", "../elsewhere.conf"])),
)


@st.composite
def machines(draw: st.DrawFn) -> Machine:
    """Any host: each file there or not, each value higher, lower or read-only, each module in any state."""
    machine = Machine(
        folders={"/etc", "/etc/sysctl.d", "/etc/modprobe.d", "/etc/systemd", "/etc/systemd/system"},
        capable=draw(st.booleans()),
        tool=draw(st.booleans()),
        memory_kib=draw(st.integers(1 << 20, 64 << 20)),
        processors=draw(st.integers(1, 70)),
    )
    machine.files = draw(st.dictionaries(st.sampled_from(PATHS), _files))
    for path in machine.files:
        parts = path.split("/")[1:-1]
        machine.folders |= {"/" + "/".join(parts[:n]) for n in range(1, len(parts) + 1)}
    values = st.tuples(_numbers, st.booleans())
    machine.modules = {name: draw(st.sampled_from(State)) for name in WIDEST.modules}
    machine.sysctls = {key: draw(values) for key in draw(st.sets(st.sampled_from(WIDEST.keys)))}
    if "net.ipv4.ip_local_reserved_ports" in machine.sysctls:
        machine.sysctls["net.ipv4.ip_local_reserved_ports"] = ("", True)  # as on a fresh machine
    machine.parameters = {"nf_conntrack.hashsize": draw(values)}
    machine.sized = draw(
        st.dictionaries(
            st.sampled_from(["ring-rx", "ring-tx", "channels-combined"]),
            st.integers(1, 8192).flatmap(lambda most: st.tuples(st.integers(1, most), st.just(most))),
        )
    )
    machine.rps = ["0"] * draw(st.integers(0, 3))
    queues = draw(st.integers(0, 4))
    places = st.sampled_from(["0", "0-1", "3"])
    machine.interrupts = {
        f"virtio0-{way}.{number}": draw(places) for number in range(queues) for way in ("input", "output")
    }
    machine.balanced = draw(st.booleans())
    return machine


@AFFORDABLE
@given(machines(), NAMES)
def test_a_second_plan_is_empty(machine: Machine, name: str) -> None:
    prepare(machine, READY[name], NODE)
    assert prepare(machine, READY[name], NODE) == []


@AFFORDABLE
@given(machines(), NAMES)
def test_undo_brings_back_what_was_there(machine: Machine, name: str) -> None:
    before = copy.deepcopy(machine.seen())
    changed = prepare(machine, READY[name], NODE)
    undone = undo(machine)
    assert machine.seen() == before
    assert bool(undone) is bool(changed)
    assert RECORD not in machine.files
    assert undo(machine) == []


@AFFORDABLE
@given(machines(), NAMES, NAMES, st.integers(0, 60))
def test_undo_after_any_number_of_runs_and_a_kill(
    machine: Machine, first: str, second: str, killed_after: int
) -> None:
    before = copy.deepcopy(machine.seen())
    prepare(machine, READY[first], NODE)
    prepare(machine, READY[second], NODE, stop_after=killed_after)
    after_the_kill = copy.deepcopy(machine)
    undo(machine)
    assert machine.seen() == before
    prepare(after_the_kill, READY[second], NODE)
    assert prepare(after_the_kill, READY[second], NODE) == []


@AFFORDABLE
@given(machines(), NAMES)
def test_no_floor_lowers_a_value(machine: Machine, name: str) -> None:
    before = {key: machine.value(key, machine.sysctls) for key in machine.sysctls}
    prepare(machine, READY[name], NODE)
    for rule in PROFILES[name].sysctls:
        was, now = before.get(rule.key), machine.sysctls.get(rule.key, ("", False))[0]
        if rule.floor is not None and was is not None:
            assert int(now) >= int(was)


def test_the_record_is_private_comes_first_and_shows_no_content() -> None:
    machine = Machine(modules=dict.fromkeys(WIDEST.modules, State.PRESENT))
    machine.folders = {"/etc"}
    changes = prepare(machine, READY["article-2016"], NODE)
    assert changes[0].subject == f"record {RECORD}"
    (put,) = changes[0].apply
    assert isinstance(put, PutFile)
    assert put.mode == 0o600
    document = json.loads(put.content)
    assert {item["name"] for item in document["items"]} == {modules.PATH, module_options.PATH}
    assert document["boot"] == "boot-1"


def test_a_change_in_a_later_boot_is_noted_and_replaces_no_entry() -> None:
    machine = Machine(modules=dict.fromkeys(WIDEST.modules, State.PRESENT), folders={"/etc"})
    machine.sysctls = {"net.ipv4.ip_forward": ("0", True)}
    prepare(machine, READY["article-2016"], NODE)
    _, first = record_facts.parse("boot-1\n" + machine.files[RECORD].data.decode())
    machine.sysctls["net.ipv4.ip_forward"] = ("7", True)
    machine.boot = "boot-2"
    assert [each.subject for each in prepare(machine, READY["article-2016"], NODE)] == [
        f"record {RECORD}",
        "sysctl net.ipv4.ip_forward",
    ]
    _, second = record_facts.parse("boot-2\n" + machine.files[RECORD].data.decode())
    assert (second.items, second.boot) == (first.items, "boot-2")


def test_a_floor_against_what_is_no_number_names_host_and_setting() -> None:
    machine = Machine(modules=dict.fromkeys(WIDEST.modules, State.PRESENT), folders={"/etc"})
    machine.sysctls = {"net.core.somaxconn": ("128 256", True)}
    with pytest.raises(
        FactUnreadable, match=r"oslo-1: net\.core\.somaxconn is '128 256': a floor needs one num"
    ):
        prepare(machine, READY["web"], NODE)


def test_a_host_that_may_raise_no_limit_gets_none() -> None:
    """pam_limits would refuse every login, and systemd every start."""
    machine = Machine(modules=dict.fromkeys(WIDEST.modules, State.PRESENT), capable=False)
    prepare(machine, READY["web"], NODE)
    assert not any(path in machine.files for path in limits.paths(WIDEST))
    machine.capable = True
    prepare(machine, READY["web"], NODE)
    text = machine.files[limits.drop_in("containerd.service")].data.decode()
    assert "[Service]\n" in text
    assert "LimitNOFILE=1048576\n" in text


def test_another_profile_takes_away_what_only_the_earlier_one_had() -> None:
    machine = Machine(
        modules=dict.fromkeys(WIDEST.modules, State.PRESENT), rps=["0"], sized={"ring-rx": (256, 512)}
    )
    prepare(machine, READY["large"], NODE)
    assert machine.sized["ring-rx"] == (512, 512)  # what the card has, not the 4096 of the floor
    assert {links.PATH, limits.PATH} <= set(machine.files)
    prepare(machine, READY["article-2016"], NODE)
    assert not {links.PATH, limits.PATH} & set(machine.files)


@pytest.mark.parametrize(
    "text",
    ['{"schema": "other/v1"}', "{",
     '{"schema": "safe-harbor/before/v1", "boot": "", "items": [{"kind": "x"}]}',
     '{"schema": "safe-harbor/before/v1", "boot": "", "items": [{"kind": "file", "folders": []}]}'],
)  # fmt: skip
def test_a_broken_record_is_not_taken_for_an_empty_one(text: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        record_facts.parse(f"boot-1\n{text}")
