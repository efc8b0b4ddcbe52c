"""What a dry run shows: a unified diff for each host, with the reason of every change, and no secret."""

from __future__ import annotations

from inventory.models.change import Change
from tasks.operations.diff import by_host

FILE = Change(
    "b", "file /etc/x", "because", "4 bytes, mode 644", "sha256", (), (), ("one\ntwo\n", "one\n2\n")
)


def test_a_file_shows_its_lines() -> None:
    assert by_host([FILE])["b"].splitlines() == [
        "# /etc/x: because",
        "--- b:/etc/x",
        "+++ b:/etc/x",
        "@@ -1,2 +1,2 @@",
        " one",
        "-two",
        "+2",
    ]


def test_a_value_and_a_file_whose_text_is_not_shown() -> None:
    value = Change("a", "sysctl net.ipv4.ip_forward", "a node forwards", "0", "1", ())
    secret = Change("a", "file /etc/key", "TLS", "", "sha256 abc, mode 600", ())
    assert list(by_host([value, FILE, secret])) == ["a", "b"]
    assert by_host([value, secret])["a"].splitlines() == [
        "# sysctl net.ipv4.ip_forward: a node forwards",
        "--- a:sysctl net.ipv4.ip_forward",
        "+++ a:sysctl net.ipv4.ip_forward",
        "@@ -1 +1 @@",
        "-0",
        "+1",
        "# /etc/key: TLS",
        "--- /dev/null",
        "+++ a:/etc/key",
        "@@ -0,0 +1 @@",
        "+sha256 abc, mode 600",
    ]


def test_another_mode_alone_is_seen_and_an_escape_code_is_not() -> None:
    mode = Change("a", "file /x", "private", "3 bytes, mode 644", "mode 600", (), (), ("abc", "abc"))
    assert by_host([mode])["a"].splitlines()[-2:] == ["-3 bytes, mode 644", "+mode 600"]
    hostile = Change("a", "file /x", "why", "there", "", (), (), ("\x1b[31mred\x1b[0m\n", ""))
    assert "-red" in by_host([hostile])["a"].splitlines()
    assert "\x1b" not in by_host([hostile])["a"]
