"""The seed: the same bytes every time, read back by the rules of ISO 9660 with Joliet."""

from __future__ import annotations

import json
import struct
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.models.cluster import Node
from inventory.models.machines import KvmNetwork
from inventory.models.secret import Secret
from tasks.operations.cloud_init import Identity, seed, user_data
from tasks.operations.iso9660 import SECTOR, image

NODE = Node(name="oslo-1", address=IPv4Address("10.60.0.11"))
WHO = Identity("root", ("ssh-ed25519 AAAA me",), Secret("PRIVATE\nKEY\n"), "ssh-ed25519 BBBB oslo-1")
NETWORK = KvmNetwork(gateway=IPv4Address("10.60.0.1"), nameservers=(IPv4Address("10.60.0.53"),))
MAC = "52:54:00:01:02:03"


def read(iso: bytes) -> tuple[str, dict[str, bytes]]:
    """Label and files by the Joliet descriptor."""
    number = 16
    while (sector := iso[number * SECTOR : (number + 1) * SECTOR])[0] != 2:
        assert sector[1:6] == b"CD001"
        assert sector[0] != 255, "no Joliet descriptor before the end"
        number += 1
    label = sector[40:72].decode("utf-16-be").rstrip()
    start, size = struct.unpack_from("<I", sector, 158)[0], struct.unpack_from("<I", sector, 166)[0]
    folder = iso[start * SECTOR : start * SECTOR + size]
    files, place = {}, 0
    while folder[place]:
        record = folder[place : place + folder[place]]
        at, length = struct.unpack_from("<I", record, 2)[0], struct.unpack_from("<I", record, 10)[0]
        assert struct.unpack_from(">I", record, 6)[0] == at
        if not record[25] & 2:
            name = record[33 : 33 + record[32]].decode("utf-16-be")
            files[name] = iso[at * SECTOR : at * SECTOR + length]
        place += folder[place]
    return label, files


@given(
    st.dictionaries(
        st.sampled_from(["meta-data", "user-data", "network-config", "x"]), st.binary(max_size=5000)
    )
)
def test_files_come_back_whole(files: dict[str, bytes]) -> None:
    iso = image("cidata", files)
    assert read(iso) == ("cidata", files)
    assert len(iso) % SECTOR == 0
    assert struct.unpack_from("<I", iso, 16 * SECTOR + 80)[0] * SECTOR == len(iso)


def test_a_label_that_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 32"):
        image("x" * 40, {})


def test_the_seed_is_what_nocloud_reads() -> None:
    label, files = read(seed("oslo", NODE, 24, NETWORK, MAC, WHO))
    assert label == "cidata"
    assert sorted(files) == ["meta-data", "network-config", "user-data"]
    card = json.loads(files["network-config"])["ethernets"]["underlay"]
    assert card["match"] == {"macaddress": MAC}
    assert card["addresses"] == ["10.60.0.11/24"]
    assert card["set-name"] == "eth0"
    assert card["routes"] == [{"to": "0.0.0.0/0", "via": "10.60.0.1"}]
    assert card["nameservers"] == {"addresses": ["10.60.0.53"]}
    head, _, config = files["user-data"].decode().partition("\n")
    assert head == "#cloud-config"
    told = json.loads(config)
    assert told["users"] == [{"name": "root", "ssh_authorized_keys": ["ssh-ed25519 AAAA me"]}]
    assert told["ssh_keys"]["ed25519_private"] == "PRIVATE\nKEY\n"
    assert (told["ssh_pwauth"], told["ssh_deletekeys"]) == (False, True)


def test_the_seed_is_the_same_for_the_same_input_and_another_instance_for_another_key() -> None:
    assert seed("oslo", NODE, 24, NETWORK, MAC, WHO) == seed("oslo", NODE, 24, NETWORK, MAC, WHO)
    other = Identity(WHO.user, WHO.authorized_keys, WHO.host_key, "ssh-ed25519 CCCC oslo-1")
    ids = [
        json.loads(read(seed("oslo", NODE, 24, NETWORK, MAC, who))[1]["meta-data"])["instance-id"]
        for who in (WHO, other)
    ]
    assert ids[0] != ids[1]


def test_another_user_than_root_gets_sudo_and_no_password() -> None:
    told = user_data(NODE, Identity("ops", ("k",), Secret("x"), "y"))
    (account,) = told["users"]
    assert (account["name"], account["lock_passwd"]) == ("ops", True)
    assert told["disable_root"]


def test_the_private_key_is_not_shown() -> None:
    assert "PRIVATE" not in repr(WHO)
