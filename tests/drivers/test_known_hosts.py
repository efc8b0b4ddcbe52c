"""known_hosts is read as OpenSSH reads it: against lines that ssh-keygen wrote, and by examples."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from inventory.errors import BadInput
from tasks.drivers.known_hosts import Known, matches, read
from tests.drivers.sshd import make_key


@pytest.mark.parametrize(
    ("patterns", "name", "found"),
    [
        ("10.60.0.11", "10.60.0.11", True),
        ("10.60.0.11", "10.60.0.110", False),
        ("oslo-1,10.60.0.11", "10.60.0.11", True),
        ("10.60.0.*", "10.60.0.11", True),
        ("10.60.0.1?", "10.60.0.11", True),
        ("10.60.0.*,!10.60.0.11", "10.60.0.11", False),
        ("!10.60.0.11,*", "10.60.0.11", False),
        ("[10.60.0.11]:2222", "[10.60.0.11]:2222", True),
        ("[10.60.0.11]:2222", "10.60.0.11", False),
        ("[1]", "1", False),
        ("OSLO-1", "oslo-1", True),
        ("|1|broken", "oslo-1", False),
        ("|1|!!|!!", "oslo-1", False),
    ],
)
def test_patterns(patterns: str, name: str, found: bool) -> None:
    assert matches(patterns, name) is found


def test_names_that_openssh_hashed(tmp_path: Path) -> None:
    make_key(tmp_path / "key")
    file = tmp_path / "known_hosts"
    file.write_text(f"[10.60.0.11]:2222 {(tmp_path / 'key.pub').read_text()}")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(file)], check=True, capture_output=True)
    assert file.read_text().startswith("|1|")
    assert len(read(file, ("10.60.0.11",), 2222).keys) == 1
    assert read(file, ("10.60.0.11",), 22) == Known()
    assert read(file, ("10.60.0.12",), 2222) == Known()


def test_markers(tmp_path: Path) -> None:
    make_key(tmp_path / "key")
    words = " ".join((tmp_path / "key.pub").read_text().split()[:2])
    file = tmp_path / "known_hosts"
    file.write_text(
        f"# ours\n\n@cert-authority *.example,10.60.0.* {words}\n@revoked 10.60.0.11 {words} old\n"
    )
    found = read(file, ("oslo-1", "10.60.0.11"), 22)
    assert (found.keys, len(found.authorities), found.revoked) == ((), 1, found.authorities)
    assert read(file, ("oslo-2.example",), 22).revoked == ()


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("@trusted * ssh-ed25519 AAAA", "unknown marker @trusted; allowed: @cert-authority or @revoked"),
        ("oslo-1 ssh-ed25519", "a line has names, the key's kind and the key"),
        ("oslo-1 ssh-ed25519 ?", "the key is not base64"),
        ("oslo-1 ssh-ed25519 AAAA", "the key cannot be read"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, line: str, why: str) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(f"# first\n{line}\n")
    with pytest.raises(BadInput) as caught:
        read(file, ("oslo-1",), 22)
    assert str(caught.value) == f"{file}:2: {why}"


def test_a_kind_that_we_do_not_speak_is_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text("oslo-1 ssh-dss AAAAB3NzaC1kc3MAAAAA\n")
    assert read(file, ("oslo-1",), 22) == Known()
