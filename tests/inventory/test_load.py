"""A site file becomes a Site, or a message that says what is wrong, where, and what is allowed."""

from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path

import pytest
from pydantic import BaseModel

from inventory.errors import BadInput
from inventory.load import MAX_BYTES, SITES, find_site, known_sites, load_site
from inventory.models.site import Site
from inventory.schema_errors import model_in
from inventory.site_files import FILES, Kind
from inventory.yaml_tree import parse
from tests.inventory.sites import changed, folder_with, refusal, snapshot, whole


def test_a_whole_site_loads_and_its_paths_are_below_its_folder(tmp_path: Path) -> None:
    site = load_site(whole(tmp_path))
    assert site.name == "whole"
    assert site.target.cluster.pod_cidr == IPv4Network("10.244.0.0/16")
    assert site.target.ssh.identity_file == tmp_path / "secret"
    assert site.state == tmp_path / "state"
    assert not site.state.exists()


# What is replaced by what, and the exact message.
WRONG = {
    "unknown key": (
        "controller: Fjordshop AS",
        "controller: Fjordshop AS\npolicies: strict",
        "site.yaml:4:1: unknown key policies; did you mean policy? (known: schema, name, controller, "
        "profile, profiles, policy, state, source, target, dns, workload, processing, replay, latency, "
        "capacity, cutover, approval, waivers)",
    ),
    "unknown key inside a list": (
        "address: 10.60.0.12}",
        "address: 10.60.0.12, role: worker}",
        "site.yaml:27:43: unknown key target.nodes[1].role; did you mean roles? "
        "(known: name, address, roles, host_key, interface)",
    ),
    "duplicate key": (
        "    service_cidr: 10.96.0.0/16",
        "    service_cidr: 10.96.0.0/16\n    pod_cidr: 10.245.0.0/16",
        "site.yaml:36:5: duplicate key target.cluster.pod_cidr: it stands in line 34 already",
    ),
    "missing key": (
        "  zone: fjordshop.example\n",
        "",
        "site.yaml:49:3: missing key dns.zone",
    ),
    "a mode that is only recognised": (
        "    service_cidr: 10.96.0.0/16",
        "    service_cidr: 10.96.0.0/16\n    kube_proxy: {mode: userspace}",
        "site.yaml:36:5: target.cluster.kube_proxy: mode userspace is only recognised; "
        "choose iptables or nftables",
    ),
    "wrong CIDR": (
        "pod_cidr: 10.244.0.0/16",
        "pod_cidr: 10.244.0.0/33",
        'site.yaml:34:15: target.cluster.pod_cidr: "10.244.0.0/33" is not an IPv4 network '
        "(allowed: address/prefix, such as 10.244.0.0/16)",
    ),
    "CIDR with host bits": (
        "pod_cidr: 10.244.0.0/16",
        "pod_cidr: 10.244.1.0/16",
        'site.yaml:34:15: target.cluster.pod_cidr: "10.244.1.0/16" has bits set behind its prefix: '
        "the network is 10.244.0.0/16",
    ),
    "pod and service networks overlap": (
        "service_cidr: 10.96.0.0/16",
        "service_cidr: 10.244.128.0/17",
        "site.yaml:34:15: target.cluster.pod_cidr 10.244.0.0/16 "
        "overlaps target.cluster.service_cidr 10.244.128.0/17 [PRE-OVERLAP]",
    ),
    "pod network overlaps the underlay": (
        "pod_cidr: 10.244.0.0/16",
        "pod_cidr: 10.60.0.192/26\n    subnet_len: 28\n    max_pods: 10",
        "site.yaml:34:15: target.cluster.pod_cidr 10.60.0.192/26 overlaps target.underlay 10.60.0.0/24 "
        "[PRE-OVERLAP]",
    ),
    "pod network overlaps the source's": (
        "10.45.0.0/16]",
        "10.244.4.0/22]",
        "site.yaml:34:15: target.cluster.pod_cidr 10.244.0.0/16 overlaps source.networks[2] 10.244.4.0/22 "
        "[PRE-OVERLAP]",
    ),
    "node outside the underlay": (
        "address: 10.60.0.13",
        "address: 10.61.0.13",
        "site.yaml:28:31: target.nodes[2].address: the address 10.61.0.13 lies outside "
        "target.underlay 10.60.0.0/24",
    ),
    "wrong address": (
        "address: 10.60.0.13",
        "address: 10.60.0.300",
        'site.yaml:28:31: target.nodes[2].address: "10.60.0.300" is not an IPv4 address '
        "(allowed: such as 10.60.0.11)",
    ),
    "the same address twice": (
        "address: 10.60.0.13",
        "address: 10.60.0.12",
        "site.yaml:28:31: target.nodes[2].address: two nodes have the address 10.60.0.12 "
        "(the other: line 27)",
    ),
    "no key to log in with": (
        "ssh: {identity_file: secret, known_hosts: plain}",
        "ssh: {known_hosts: plain}",
        "site.yaml:30:3: target.ssh: name an identity_file, or set agent: true",
    ),
    "two passphrases": (
        "ssh: {identity_file: secret,",
        "ssh: {identity_file: secret, passphrase_file: secret, passphrase_env: OSLO,",
        "site.yaml:30:3: target.ssh: give passphrase_file or passphrase_env, not both",
    ),
    "a sudo password of root": (
        "ssh: {identity_file: secret,",
        "ssh: {identity_file: secret, sudo_password_file: secret,",
        "site.yaml:30:3: target.ssh: root needs no sudo_password_file",
    ),
    "wrong port": (
        "  server: 198.18.0.53",
        "  server: 198.18.0.53\n  port: 65536",
        "site.yaml:50:9: dns.port: 65536 is too large: the most is 65535",
    ),
    "port as text": (
        "  server: 198.18.0.53",
        '  server: 198.18.0.53\n  port: "53"',
        'site.yaml:50:9: dns.port: "53" is not a whole number',
    ),
    "wrong port in an address": (
        '"198.18.0.12:5000"',
        '"198.18.0.12:0"',
        "site.yaml:21:23: source.registry.address: '198.18.0.12:0' is not accepted; "
        "allowed: HOST:PORT, the port from 1 to 65535",
    ),
    "number where text belongs": (
        'account: "123456789012"',
        "account: 123456789012",
        "site.yaml:9:14: source.aws.account: 123456789012 is not text: put it in quotes",
    ),
    "text where a list belongs": (
        "roles: [control-plane, edge, data]",
        "roles: control-plane",
        'site.yaml:26:50: target.nodes[0].roles: "control-plane" is not a list',
    ),
    "unknown role": (
        "roles: [control-plane, edge, data]",
        "roles: [control-plane, edge, database]",
        'site.yaml:26:72: target.nodes[0].roles[2]: "database" is not known; '
        "allowed: 'control-plane', 'worker', 'edge' or 'data'",
    ),
    "edge on a node that is not declared": (
        "ssh://oslo-1/run",
        "ssh://oslo-9/run",
        "site.yaml:38:19: target.edge.runtime: no node of target.nodes has the name oslo-9 "
        "(declared: oslo-1, oslo-2, oslo-3)",
    ),
    "name outside the zone": (
        "name: shop.fjordshop.example",
        "name: shop.fjordshop.test",
        "site.yaml:51:9: dns.name: shop.fjordshop.test is not in the zone fjordshop.example",
    ),
    "password in a URL": (
        '"http://10.60.0.11:9000"',
        '"http://me:secret@10.60.0.11:9000"',
        "site.yaml:47:39: target.bucket.endpoint_url: 'http://me:secret@10.60.0.11:9000' is not accepted; "
        "allowed: http:// or https://, a host, and no user or password",
    ),
    "missing file": (
        "capture: plain",
        "capture: absent.log",
        "site.yaml:55:12: replay.capture: there is no file absent.log",
    ),
    "unknown policy": (
        "policy: safe-harbor-2015",
        "policy: safe-harbour",
        "site.yaml:5:9: policy: there is no policy 'safe-harbour'; "
        "known: datatilsynet, dpf, safe-harbor-2015, strict",
    ),
    "alias": (
        "policy: safe-harbor-2015",
        "policy: &p safe-harbor-2015\nprofile2: *p",
        "site.yaml:6:11: the alias *p is not allowed here: write the value out",
    ),
    "object from a tag": (
        "controller: Fjordshop AS",
        "controller: !!python/object/apply:os.system [id]",
        "site.yaml:3:13: controller: a list is not text",
    ),
    "two documents": (
        "replay:",
        "---\nreplay:",
        "site.yaml:54:1: not YAML: expected a single document in the stream, but found another document",
    ),
    "no YAML": (
        "controller: Fjordshop AS",
        "controller: [Fjordshop AS",
        "site.yaml:4:8: not YAML: while parsing a flow sequence, expected ',' or ']', but got ':'",
    ),
    "tab": (
        "  zone: fjordshop.example",
        "\tzone: fjordshop.example",
        "site.yaml:50:1: not YAML: while scanning for the next token, "
        "found character '\\t' that cannot start any token",
    ),
    "key that is not text": (
        "controller: Fjordshop AS",
        "controller: Fjordshop AS\non: 1",
        "site.yaml:4:1: on: a key must be text; put it in quotes if it is meant as text",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_said_with_its_place_and_nothing_is_touched(what: str, tmp_path: Path) -> None:
    old, new, message = WRONG[what]
    assert refusal(changed(tmp_path, old, new)) == message


def test_everything_wrong_is_listed_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = whole(tmp_path).read_text()
    text = text.replace("controller: Fjordshop AS\n", "").replace("10.244.0.0/16", "10.244.0.0/99")
    text = text.replace("capture: plain", "capture: absent")
    text = text.replace("name: whole", "name: whole\nname: twice")
    lines = refusal(folder_with(tmp_path, text)).splitlines()
    assert [line.split(":")[1] for line in lines] == ["1", "3", "34", "55"]
    assert "missing key controller" in lines[0]
    assert "duplicate key name" in lines[1]
    assert "is not an IPv4 network" in lines[2]
    assert "there is no file" in lines[3]


def test_a_secret_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = changed(tmp_path, "tsig_key_file: secret", "tsig_key_file: open")
    (tmp_path / "open").write_text("hidden\n")
    (tmp_path / "open").chmod(0o640)
    message = refusal(file)
    assert message == (
        "site.yaml:53:18: dns.tsig_key_file: open holds a secret and has mode 0640: "
        "others can read it (chmod 600 open)"
    )
    assert "hidden" not in message


def test_an_empty_secret_and_a_folder_for_a_file_are_refused(tmp_path: Path) -> None:
    file = changed(tmp_path, "tsig_key_file: secret", "tsig_key_file: void")
    (tmp_path / "void").touch(mode=0o600)
    assert "holds no secret: the file is empty" in refusal(file)
    assert "is not a file" in refusal(changed(tmp_path / "two", "capture: plain", "capture: ."))


def test_files_need_not_be_there_where_the_site_is_only_looked_at(tmp_path: Path) -> None:
    file = changed(tmp_path, "capture: plain", "capture: absent.log")
    assert load_site(file, check_files=False).replay.capture == tmp_path / "absent.log"


def test_a_large_a_binary_an_empty_and_an_absent_file_are_refused(tmp_path: Path) -> None:
    large = folder_with(tmp_path / "large", "#" * (MAX_BYTES + 1))
    assert refusal(large) == "site.yaml: is larger than 256 KiB, the most that is read"
    latin = folder_with(tmp_path / "latin", "")
    latin.write_bytes(b"schema: x\nname: \xe6\n")
    assert refusal(latin) == "site.yaml:2: is not UTF-8 text: byte 16 is 0xe6"
    assert refusal(folder_with(tmp_path / "empty", "# nothing\n")) == "site.yaml:1:1: the file is empty"
    assert "not YAML: the character #x0000" in refusal(folder_with(tmp_path / "nul", "a: \0\n"))
    with pytest.raises(BadInput, match="cannot be read: No such file"):
        load_site(tmp_path / "absent.yaml")


def test_an_alias_bomb_and_deep_nesting_are_refused_without_being_built(tmp_path: Path) -> None:
    bomb = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 30))
    assert "the alias *a0 is not allowed here" in refusal(folder_with(tmp_path / "bomb", bomb))
    deep = "a: " + "[" * 5000 + "]" * 5000
    assert "nested deeper than 32 levels" in refusal(folder_with(tmp_path / "deep", deep))


def test_every_path_of_the_model_is_made_absolute_and_looked_at() -> None:
    def paths(model: type[BaseModel], above: str = "") -> set[str]:
        found = set()
        for name, field in model.model_fields.items():
            here = f"{above}{field.alias or name}"
            inner = model_in(field.annotation)
            found |= paths(inner, f"{here}.") if inner else set()
            found |= {here} if "Path" in str(field.annotation) and inner is None else set()
        return found

    assert paths(Site) == set(FILES)
    written = {name for name, kind in FILES.items() if kind is Kind.WRITTEN}
    assert written == {"state", "target.cluster.kubeconfig"}
    plain = {name.rpartition(".")[2] for name, kind in FILES.items() if kind is Kind.FILE}
    tables = {"countries", "countries_again", "registrants"}
    assert plain == {"ca_file", "certificate_file", "known_hosts", "capture", "manifests", "file"} | tables
    secret = {name.rpartition(".")[2] for name, kind in FILES.items() if kind is Kind.SECRET}
    assert {"identity_file", "tsig_key_file", "key_file", "app_password_file", "kubeconfig"} <= secret


def test_the_example_loads_and_shows_every_key_of_the_model() -> None:
    file = SITES / "example" / "site.yaml"
    assert load_site(file, check_files=False).name == "example"
    text = file.read_text().replace("# approval:\n#", "approval:\n ").replace("approval: null", "")
    text = text.replace("#   ", "    ").replace("# waivers:", "waivers:").replace("waivers: []", "")
    tree = parse(text)
    assert not tree.problems

    def keys(model: type[BaseModel], value: object) -> list[str]:
        absent = []
        one = value[0] if isinstance(value, list) else value
        assert isinstance(one, dict), (model, value)
        for name, field in model.model_fields.items():
            key = field.alias or name
            inner = model_in(field.annotation)
            if key not in one:
                absent.append(f"{model.__name__}.{key}")
            elif inner is not None and one[key]:
                absent += keys(inner, one[key])
        return absent

    # Services that `prepare` installs have keys that those of the source have not, and the other way round:
    # the target's services have the source's keys, which stand there with their meaning.
    short = {
        "Database.port",
        "Database.name",
        "Database.replication_user",
        "Database.app_user",
        "Database.seen_as",
    }
    short |= {"Bucket.region", "Bucket.profile", "Bucket.ca_file"}
    short |= {
        f"{s}.{key}" for s in ("Database", "Registry", "Bucket") for key in ("certificate_file", "key_file")
    }
    assert set(keys(Site, tree.value)) - short == set()
    for name in ("certificate_file:", "key_file:", "ca_file:", "seen_as:", "reachable_as:"):
        assert name in text


def test_a_site_is_found_by_name_and_by_path(tmp_path: Path) -> None:
    file = whole(tmp_path / "mine")
    assert find_site("mine", [tmp_path]) == file
    assert find_site(str(file)) == file
    assert find_site(str(file.parent)) == file
    assert find_site("example") == SITES / "example" / "site.yaml"
    assert known_sites([tmp_path]) == sorted({*known_sites(), "mine"})


@pytest.mark.parametrize("name", ["min", "", ".", "/nowhere/site.yaml", "a/../b"])
def test_an_unknown_site_lists_the_known(name: str, tmp_path: Path) -> None:
    file = whole(tmp_path / "mine")
    before = snapshot(file.parent)
    with pytest.raises(BadInput) as refused:
        find_site(name, [tmp_path])
    assert str(refused.value).startswith(f"there is no site {name!r}")
    assert "example" in str(refused.value)
    assert "mine" in str(refused.value)
    assert snapshot(file.parent) == before


def test_a_node_inside_the_pod_network_is_refused_at_its_address(tmp_path: Path) -> None:
    text = whole(tmp_path).read_text().replace("  underlay: 10.60.0.0/24\n", "")
    text = text.replace("pod_cidr: 10.244.0.0/16", "pod_cidr: 10.60.0.0/20")
    assert refusal(folder_with(tmp_path, text)).splitlines() == [
        f"site.yaml:{26 + i}:31: target.nodes[{i}].address: "
        f"the address 10.60.0.1{i + 1} lies in target.cluster.pod_cidr 10.60.0.0/20"
        for i in range(3)
    ]
