"""What edges tell, and what is recorded of it: pure; real edges are in test_recording_at_edges.py."""

from __future__ import annotations

import base64
import io
import json
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.errors import BadInput
from tasks.replay.edges.catalog import EDGES, edge_named, told_by
from tasks.replay.edges.edge import TOLD_HEADERS
from tasks.replay.formats import goreplay
from tasks.replay.formats.entry import BrokenLine, Entry
from tasks.replay.recording import LeftOut, Recording
from tasks.replay.selection import Selection

AT_S = 1_795_478_039.75
FORM = {"content-type": "application/x-www-form-urlencoded", "content-length": "7"}
values = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=40)
told = st.dictionaries(st.sampled_from(TOLD_HEADERS), values.filter(bool))


def haproxy(method: str, target: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    fields = {"method": method, "target": target, "host": "Shop.example", **headers}
    coded = {name: base64.b64encode(value.encode("latin-1")) for name, value in fields.items()}
    coded["body"] = base64.b64encode(body)
    text = " ".join(f'{name}="{value.decode() or "-"}"' for name, value in coded.items())
    head = "<134>1 2026-11-23T23:53:59.818821+00:00 - haproxy 31607 - "
    return f'{head}[safe-harbor@32473 at="{round(AT_S * 1e6)}" {text}] "GET /[safe-harbor@32473 x'.encode()


def nginx(method: str, target: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    fields = {"at_s": f"{AT_S + 0.25}", "took_s": "0.250", "method": method, "target": target}
    fields |= {"host": "Shop.example", **headers, "body": body.decode("latin-1")}
    head = b"<190>Nov 23 23:55:24 safe_harbor: "
    return head + json.dumps(fields, ensure_ascii=False).encode("latin-1")


BUILT = {"haproxy": haproxy, "nginx": nginx}


@pytest.mark.parametrize("edge", BUILT)
@given(headers=told, body=st.binary(max_size=60))
def test_what_a_customer_sends_arrives_byte_for_byte(edge: str, headers: dict[str, str], body: bytes) -> None:
    entry = told_by(BUILT[edge]("POST", "/cart?a=1", headers, body))
    assert (entry.method, entry.target, entry.host, entry.at_s) == ("POST", "/cart?a=1", "shop.example", AT_S)
    assert (dict(entry.headers), entry.body) == (headers, body)


@pytest.mark.parametrize("edge", BUILT)
def test_a_request_without_an_end_is_broken(edge: str) -> None:
    for datagram in (BUILT[edge]("", "", {}), BUILT[edge]("GET", "/" * 90, {})[:120]):
        with pytest.raises(BrokenLine):
            told_by(datagram)


@pytest.mark.parametrize("datagram", [b"", b"<190>Nov 23 23:55:24 kernel: hello", b"\xff" * 2000])
def test_a_datagram_of_another_program_is_of_no_edge(datagram: bytes) -> None:
    with pytest.raises(BrokenLine, match="of no edge"):
        told_by(datagram)


@pytest.mark.parametrize("edge", EDGES, ids=lambda edge: edge.name)
def test_no_line_asks_for_a_right_and_only_bodies_ask_for_bodies(edge) -> None:  # type: ignore[no-untyped-def]
    for bodies in (True, False):
        lines = edge.lines("127.0.0.1:5514", bodies).lower()
        assert not any(name in lines for name in ("authorization", "cookie", "api-key", "csrf"))
        assert ("body" in lines) == bodies


@pytest.mark.parametrize("edge", EDGES, ids=lambda edge: edge.name)
def test_the_way_back_leaves_the_file_as_it_was(edge, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """The command that is printed, on a file in which all that is printed was pasted."""
    lines = edge.lines("127.0.0.1:5514", True).rpartition("\n\n")[2]
    before = "frontend shop\n    bind :80\n    # safe-harbor capture: by hand\n    default_backend shop\n"
    file = tmp_path / "edge.cfg"
    file.write_text(before.replace(":80\n", f":80\n{lines}\n"))
    out = next(line for line in lines.splitlines() if "# Out: " in line).partition("# Out: ")[2]
    subprocess.run([*shlex.split(out.partition(" && ")[0])[:-1], file], check=True)
    assert file.read_text() == before


def test_an_unknown_edge_lists_the_known_ones() -> None:
    with pytest.raises(BadInput, match="'apache'; known: haproxy, nginx"):
        edge_named("apache")


def recording(bodies: bool = True, share: float = 1, key: bytes = b"k", **selected: object) -> Recording:
    return Recording(Selection(unsafe=bodies, **selected), share, key)  # type: ignore[arg-type]


LEFT_OUT = [
    (b"junk", LeftOut.UNREADABLE),
    (haproxy("", "", {}), LeftOut.UNREADABLE),
    (haproxy("OPTIONS", "/", {}), LeftOut.METHOD),
    (haproxy("GET", "/admin", {}), LeftOut.NOT_SELECTED),
    (haproxy("POST", "/", FORM | {"content-length": "8"}, b"a=1&b=2"), LeftOut.BODY_CUT),
    (haproxy("POST", "/", FORM | {"content-length": "70000"}), LeftOut.BODY_CUT),
    (haproxy("POST", "/", {"content-type": FORM["content-type"]}, b"a=1&b=2"), LeftOut.BODY_CUT),
    (haproxy("POST", "/", FORM | {"content-encoding": "gzip"}, b"a=1&b=2"), LeftOut.BODY_CODED),
    (haproxy("POST", "/", FORM | {"transfer-encoding": "chunked"}, b"a=1&b=2"), LeftOut.BODY_CUT),
    (haproxy("POST", "/", FORM | {"content-type": "multipart/form-data"}, b"a=1&b=2"), LeftOut.BODY_TYPE),
    (haproxy("POST", "/", FORM | {"content-type": "multipart/form-data"}), LeftOut.BODY_TYPE),
    (haproxy("POST", "/", FORM | {"content-type": "application/jsonish"}, b"a=1&b=2"), LeftOut.BODY_TYPE),
    (haproxy("POST", "/", FORM, b"a=1\0b=2"), LeftOut.BODY_TYPE),
    (
        haproxy("POST", "/", FORM | {"content-length": "14"}, b"\n" + goreplay.SEPARATOR + b"\n"),
        LeftOut.BODY_TYPE,
    ),
]


@pytest.mark.parametrize(("datagram", "reason"), LEFT_OUT)
def test_what_cannot_be_recorded_is_counted(datagram: bytes, reason: LeftOut) -> None:
    found = recording(without=("^/admin",))
    assert found.block(datagram) == b""
    assert (found.received, found.recorded, dict(found.left_out)) == (1, 0, {reason: 1})


def test_bodies_and_unsafe_methods_want_the_opt_in() -> None:
    datagram = haproxy("POST", "/cart", FORM, b"a=1&b=2")
    assert recording(bodies=False).block(datagram) == b""
    assert b"a=1&b=2" in recording().block(datagram)


def client_in(block: bytes) -> str:
    ((_, entry),) = goreplay.FORMAT.entries(io.BytesIO(block))
    assert isinstance(entry, Entry)
    return entry.client


def test_a_client_keeps_one_number_that_does_not_lead_back() -> None:
    """One key, one number: of another recording it is another."""
    found, other = recording(), recording(key=b"l")
    asked = [haproxy("GET", "/", {"client": client}) for client in ("10.1.2.3", "10.1.2.4", "10.1.2.3")]
    first, second, again = (client_in(found.block(each)) for each in asked)
    assert first == again != second
    assert first.startswith("2001:db8:")
    assert client_in(other.block(asked[0])) != first
    forwarded = haproxy("GET", "/", {"client": "10.0.0.1", "x-forwarded-for": "10.1.2.3, 10.0.0.9"})
    assert client_in(found.block(forwarded)) == first


def test_a_share_of_the_clients_is_drawn_each_with_all_that_it_asks() -> None:
    found = recording(share=0.1)
    drawn = [
        {bool(found.block(haproxy("GET", f"/{n}", {"client": f"10.0.{client}"}))) for n in range(3)}
        for client in range(1000)
    ]
    assert all(len(each) == 1 for each in drawn)
    assert 60 < drawn.count({True}) < 140
    assert found.left_out[LeftOut.NOT_DRAWN] == 3 * drawn.count({False})


def test_a_request_without_a_body_is_whole() -> None:
    found = recording()
    for datagram in (haproxy("DELETE", "/a", {}), haproxy("POST", "/b", {"content-length": "0"})):
        assert found.block(datagram)


@given(st.lists(st.one_of(st.binary(max_size=80), st.sampled_from([d for d, _ in LEFT_OUT]))))
def test_every_datagram_is_accounted_for(datagrams: list[bytes]) -> None:
    found = recording()
    blocks = b"".join(found.block(each) for each in (*datagrams, haproxy("GET", "/a", {})))
    assert found.received == len(datagrams) + 1 == found.recorded + found.left_out.total()
    entries = [entry for _, entry in goreplay.FORMAT.entries(io.BytesIO(blocks))]
    assert len(entries) == found.recorded


@given(
    st.lists(
        st.builds(
            lambda at_s, body: Entry(
                at_s, "POST", "/a?b", 0, "shop", (("accept", "*/*"),), body, "2001:db8::1"
            ),
            st.floats(1e9, 2e9).map(lambda at_s: round(at_s, 3)),
            st.binary().filter(lambda body: goreplay.SEPARATOR not in body),
        )
    )
)
def test_a_block_is_read_as_it_was_written(written: list[Entry]) -> None:
    blocks = b"".join(goreplay.block_of(number, entry) for number, entry in enumerate(written))
    read = [entry for _, entry in goreplay.FORMAT.entries(io.BytesIO(blocks))]
    assert len(read) == len(written)
    for back, entry in zip(read, written, strict=True):
        assert isinstance(back, Entry)
        assert back[2:5] + back[6:] == entry[2:5] + entry[6:]
        assert back.at_s == pytest.approx(entry.at_s, abs=1e-6)
        assert dict(back.headers)["accept"] == "*/*"
