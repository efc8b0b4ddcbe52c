"""`doctor SITE`: what it is given, what it shows, and the code that the shell sees."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from flows.cli import diagnosis
from inventory.models.finding import Finding
from inventory.models.verdict import Verdict
from tasks.steps import examination
from tasks.steps.examination import Examination, LeftOut, Row
from tests.cli.conftest import Command, untouched


def finding(code: str, subject: str, verdict: Verdict, **more: Any) -> Finding:
    remedy = "" if verdict is Verdict.PASS else f"mend {code}"
    return Finding(
        code=code, subject=subject, verdict=verdict, observed=f"{code} seen", remedy=remedy, **more
    )


def round_of(*findings: Finding) -> Examination:
    left = (LeftOut("target", "PATH-PODS", "there are no probe pods; network runs it"),)
    return Examination("oslo", tuple(Row("target", each) for each in findings), left, 4.2)


def shown(found: Examination, width: int = 160) -> str:
    out = io.StringIO()
    diagnosis.show(found, console=Console(file=out, width=width, highlight=False))
    return out.getvalue()


PASS = finding("ADM-SWAP", "oslo-1", Verdict.PASS)
WARN = finding("ADM-CGROUP", "oslo-1", Verdict.WARN)
FAIL = finding("CLU-PROXY", "aws-1", Verdict.FAIL)
WAIVED = finding("ADM-VIRT", "oslo-1", Verdict.FAIL, waived_by="Kari")
DEAD = finding("DOC-HOST", "oslo-2", Verdict.ERROR)


@pytest.mark.parametrize(
    ("findings", "verdict", "code"),
    [
        ((PASS,), Verdict.PASS, 0),
        ((PASS, WARN, WAIVED), Verdict.WARN, 0),
        ((PASS, FAIL), Verdict.FAIL, 1),
        ((finding("CLU-PROXY", "a", Verdict.NODATA),), Verdict.NODATA, 1),
        ((FAIL, DEAD), Verdict.ERROR, 3),
        ((), Verdict.NODATA, 1),
    ],
)
def test_the_exit_code_follows_the_verdict(
    findings: tuple[Finding, ...], verdict: Verdict, code: int
) -> None:
    found = round_of(*findings)
    assert (found.verdict, diagnosis.exit_code(found)) == (verdict, code)


def test_every_finding_is_shown_with_its_fix_and_the_worst_first() -> None:
    text = shown(round_of(WARN, WAIVED, FAIL, PASS, DEAD))
    for each in (WARN, WAIVED, FAIL, DEAD):
        assert f"{each.subject}: {each.observed}" in text
        assert (each.remedy in text) is (each.waived_by is None)
    places = [text.index(each.code) for each in (DEAD, FAIL, WARN, WAIVED)]
    assert places == sorted(places)
    assert PASS.observed not in text
    assert "waived by Kari" in text
    assert "not looked at  PATH-PODS: there are no probe pods; network runs it" in text
    assert text.splitlines()[-1].startswith(
        "oslo: 5 checks, 1 ERROR, 2 FAIL, 1 warn, 1 pass, in 4.2 s: ERROR"
    )


def test_the_same_said_of_many_nodes_is_one_line() -> None:
    many = [finding("ADM-CGROUP", f"oslo-{n}", Verdict.WARN) for n in range(1, 4)]
    text = shown(round_of(*many))
    assert text.count("ADM-CGROUP seen") == 1
    assert all(f"oslo-{n}" in text for n in range(1, 4))


def on_a_terminal(found: Examination, columns: int = 80) -> list[str]:
    out = io.StringIO()
    plain = Console(file=out, width=columns, highlight=False, force_terminal=True, color_system=None)
    diagnosis.show(found, console=plain)
    return [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in out.getvalue().splitlines()]


LONG = "kubectl -n kube-flannel delete pod -l app=flannel --field-selector spec.nodeName={}"


def long_ones(count: int, *, differing: bool = False) -> list[Finding]:
    return [
        Finding(
            code="KP-ENDPOINTS",
            subject=f"node-{n}",
            verdict=Verdict.FAIL,
            observed=f"node-{n} has {n if differing else 0} of the rules that kube-proxy makes",
            remedy=LONG.format(f"node-{n}"),
        )
        for n in range(1, count + 1)
    ]


def test_on_80_columns_a_line_is_whole_words_and_a_fix_is_shown_once() -> None:
    lines = on_a_terminal(round_of(*long_ones(20), WARN))
    assert max(len(line) for line in lines) <= 80
    text = " ".join(" ".join(lines).split())
    assert text.count("fix: kubectl -n kube-flannel delete pod") == 1
    assert "spec.nodeName=NODE" in text
    assert "node-1, node-2," in text
    assert "and 8 more: NODE has 0 of the rules that kube-proxy makes" in text
    assert len(lines) < 16


def test_where_each_of_many_says_something_else_the_first_are_shown_and_the_others_named() -> None:
    text = " ".join(" ".join(on_a_terminal(round_of(*long_ones(6, differing=True)))).split())
    assert "node-1: node-1 has 1 of the rules" in text
    assert "node-3: node-3 has 3 of the rules" in text
    assert "node-4, node-5, node-6 the like" in text
    assert text.count("fix:") == 1


def test_a_name_within_another_is_not_taken_for_it() -> None:
    odd = finding("KP-DIAL", "n1", Verdict.FAIL).model_copy(update={"observed": "n10 and n1.example say n1"})
    both = round_of(odd, odd.model_copy(update={"subject": "n2", "observed": "n10 and n1.example say n2"}))
    assert "n1, n2: n10 and n1.example say NODE" in " ".join(shown(both).split())


def test_the_side_is_named_where_there_are_two() -> None:
    rows = (Row("source", FAIL), Row("target", WARN))
    text = shown(Examination("oslo", rows, (LeftOut("source", "PATH-PODS", "it needs probe pods"),), 1.0))
    assert "source: aws-1: CLU-PROXY seen" in text
    assert "target: oslo-1: ADM-CGROUP seen" in text
    assert "source: PATH-PODS: it needs probe pods" in text


def test_markup_in_what_a_host_says_is_text() -> None:
    said = "[bold red]x[/] \x1b]0;title\x07 \x1b[2J"
    odd = finding("ADM-SSH", "oslo-1", Verdict.FAIL).model_copy(update={"observed": said})
    text = shown(round_of(odd))
    assert "[bold red]x[/]" in text
    assert "\x1b" not in text


def test_json_is_one_document(command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = written(tmp_path, kubeconfig="secret")
    monkeypatch.setattr(examination, "examine", lambda path, told: round_of(FAIL))
    said = command("doctor", file, "--json")
    document = json.loads(said.out)
    assert said.code == 1
    assert (document["schema"], document["verdict"]) == ("safe-harbor/doctor/v1", "fail")
    assert document["findings"][0]["side"] == "target"
    assert document["left_out"][0]["what"] == "PATH-PODS"


def written(folder: Path, **keys: Any) -> Path:
    (folder / "secret").write_text("x\n")
    (folder / "secret").chmod(0o600)
    file = folder / "cluster.yaml"
    file.write_text(json.dumps({"schema": "safe-harbor/cluster/v1", "name": "shop"} | keys))
    return file


NODE = {"name": "n1", "address": "10.0.0.1"}


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({}, "name a kubeconfig, or nodes with ssh, or both"),
        ({"kubeconfig": "nosuch"}, "there is no file"),
        ({"kubeconfig": "secret", "kubconfig": "x"}, "kubconfig"),
        ({"nodes": [NODE]}, "nodes need ssh"),
        ({"nodes": [NODE], "ssh": {"identity_file": "secret"}}, "without a kubeconfig give cluster"),
        ({"nodes": [NODE, NODE], "kubeconfig": "secret", "ssh": {"identity_file": "secret"}}, "two nodes"),
        ({"kubeconfig": "secret"}, "not a usable kubeconfig"),
    ],
)
def test_a_bad_file_ends_with_2_and_touches_nothing(
    command: Command, tmp_path: Path, keys: dict[str, Any], says: str
) -> None:
    file = written(tmp_path, **keys)
    with untouched(tmp_path):
        said = command("doctor", file)
    assert (said.code, said.out) == (2, "")
    assert says in said.err
    assert "Traceback" not in said.err


def test_an_unknown_site_ends_with_2(command: Command) -> None:
    assert command("doctor", "nosuch").code == 2


def test_an_api_that_does_not_answer_is_a_finding_and_ends_with_3(command: Command, tmp_path: Path) -> None:
    file = written(tmp_path, kubeconfig="secret")
    (tmp_path / "secret").write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:9"}}],
                "users": [{"name": "u", "user": {"token": "t"}}],
                "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
                "current-context": "here",
            }
        )
    )
    said = command("doctor", file, "--json")
    document = json.loads(said.out)
    assert said.code == 3
    assert [each["code"] for each in document["findings"]] == ["DOC-API"]
    assert "does not answer" in document["findings"][0]["observed"]
