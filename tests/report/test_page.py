"""report.html: self-contained, escaped, readable without colour; shows what is missing as missing."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from inventory.models.finding import Evidence, Grade
from inventory.models.site import LatencyGate
from inventory.models.verdict import Verdict
from tasks.gates.latency import judge
from tasks.gates.rounds_file import Round
from tasks.report.environment import MARKS
from tasks.report.page import render
from tasks.report.write import write_report
from tests.report import sample
from tests.report.conftest import Build

VOID = {"meta", "br", "link", "img", "hr", "input"}
EVIL = "<script>alert(1)</script>\"'&{{ 7*7 }}"


class Reader(HTMLParser):
    """Collects tags, ids and references, and sees to it that every tag is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.ids: list[str] = []
        self.references: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src", "xlink:href", "action", "data", "srcset"):
                self.references.append(value or "")
            assert not name.startswith("on"), f"{tag} has the handler {name}"

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data + " "


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    return reader


def test_the_page_loads_nothing(build: Build) -> None:
    page = render(build(None))
    reader = read(page)
    assert not reader.tags & {"script", "link", "img", "iframe", "object", "embed", "form"}
    assert "://" not in page
    assert not re.search(r"@import|url\((?!#)", page)
    assert "default-src 'none'" in page
    beside = [reference for reference in reader.references if not reference.startswith("#")]
    assert beside == ["replay.html"]  # a link to follow by hand, never loaded
    local = [reference.removeprefix("#") for reference in reader.references if reference not in beside]
    assert set(local) <= set(reader.ids)
    assert len(reader.ids) == len(set(reader.ids))


def test_every_picture_is_there_and_follows_the_theme(build: Build) -> None:
    page = render(build(None))
    assert page.count('<svg class="plot" role="img" aria-label="') == 6
    for name in ("text", "source", "target", "good", "grid"):
        assert f"var(--{name})" in page
        assert len(re.findall(rf"--{name}: #", page)) == 3  # light, dark, print
    assert "#0102" not in page  # no place holder is left
    assert "prefers-color-scheme: dark" in page


def test_text_of_the_outside_is_text(build: Build) -> None:
    chosen = sample.results()
    evidence = Evidence(source=EVIL, grade=Grade.E2, observed_at=sample.START, digest="0" * 64, excerpt=EVIL)
    finding = sample.finding(EVIL, EVIL, Verdict.FAIL, EVIL, expected=EVIL, remedy=EVIL)
    chosen["gate"] = chosen["gate"].model_copy(
        update={
            "findings": (finding.model_copy(update={"evidence": (evidence,)}),),
            "figures": {
                "latency": {
                    "verdict": "pass",
                    "reasons": [EVIL],
                    "routes": {EVIL: sample.figures()["gate"]["latency"]["routes"]["*"]},
                },
                "decision": {"go": False, "digest": EVIL, "reasons": [EVIL]},
            },
        }
    )
    chosen["move"] = chosen["move"].model_copy(update={"figures": {EVIL: {EVIL: EVIL}}})
    chosen["network"] = chosen["network"].model_copy(
        update={"figures": {"data_plane": {EVIL: {"requests_per_s": 1.0, EVIL: EVIL}}}}
    )
    report = build(chosen).model_copy(update={"site": EVIL, "controller": EVIL})
    page = render(report)
    assert "<script" not in page
    text = read(page).text
    assert text.count(EVIL) > 12


def rows_of(page: str, caption: str) -> list[list[str]]:
    """The cells of the table with this caption, as text."""
    (table,) = re.findall(rf"<caption>{caption}[^<]*</caption>(.*?)</table>", page, re.S)
    body = table.partition("<tbody>")[2]
    return [
        [" ".join(read(cell).text.split()) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S)]
        for row in re.findall(r"<tr>(.*?)</tr>", body, re.S)
    ]


def test_rounds_bounds_and_verdict_of_the_gate_stand_on_the_page(build: Build) -> None:
    report = build(None)
    page = render(report)
    section = page[page.index('id="latency"') : page.index('id="capacity"')]
    assert "pass</span>" in section
    assert report.replay is not None
    rounds = rows_of(section, "Every round over all requests")
    assert [(row[0], row[1]) for row in rounds] == [(str(r.round), r.side) for r in report.replay.rounds]
    bounds = rows_of(section, "What the gate judged")
    ratio, lower, upper = (f"{0.71 * k:.3f}" for k in (1, 0.95, 1.06))
    assert ["all requests", "p99", ratio, lower, upper, "15 %", "8"] in [
        [row[0], row[1], *row[5:10]] for row in bounds
    ]
    assert [row[-1] for row in rows_of(section, "The looks")] == [
        "\N{ALMOST EQUAL TO} inconclusive",
        "✓ pass",
    ]
    assert rows_of(section, "How much rounds of one side") == [
        ["all requests", "p99", "0.046", "5", "1.003", "0.970", "1.040"]
    ]
    assert rows_of(section, "Runs that were discarded") == [["5", "target", "backlog of 3 requests"]]


def test_what_the_machines_had_to_do_stands_beside_each_round(build: Build) -> None:
    page = render(build(None))
    rounds = rows_of(page, "Every round over all requests")
    source, target = (next(row[5:] for row in rounds if row[1] == side) for side in ("source", "target"))
    dash = "\N{EN DASH}"
    assert source == [dash, dash, dash, dash, "42.0 %", "0.1 %"]  # never zero
    assert target == ["33.0 %", "2.7 %", "65.0 %", "6", "42.0 %", "0.1 %"]
    assert page.count("Not read: source nodes: source: Denied: pods/exec") == 1


def test_rounds_without_readings_say_so(build: Build) -> None:
    chosen = sample.results()
    figures = {k: v for k, v in chosen["replay"].figures.items() if k not in ("readings", "pilot", "page")}
    chosen["replay"] = chosen["replay"].model_copy(update={"figures": figures})
    page = render(build(chosen))
    assert "No machine was read beside these rounds." in page
    assert "The pilot" not in page
    assert "replay.html" not in page


def test_every_route_of_both_sides(build: Build) -> None:
    rows = rows_of(render(build(None)), "Every route over all valid rounds")
    assert [row[:2] for row in rows] == [
        [route, side] for route in ("all requests", "/product/{id}") for side in ("source", "target")
    ]
    assert rows[1][3:] == ["0", "6.48", "17.28", "36.72"]
    assert rows[1][2] == "40 000"


def test_a_verdict_is_told_in_words(build: Build) -> None:
    page = render(build(None))
    for badge in re.findall(r'<span class="badge[^"]*">(.*?)</span>(.*?)</span>', page):
        assert badge[1].strip() in {words for _, words in MARKS.values()}
    assert len({mark for mark, _ in MARKS.values()}) >= 7


@pytest.mark.parametrize(
    "missing", ["replay", "capacity", "gate", "cutover", "move", "network", "prepare", "finalize"]
)
def test_a_stage_that_has_not_run_is_said(build: Build, missing: str) -> None:
    chosen = {name: result for name, result in sample.results().items() if name != missing}
    page = render(build(chosen))
    row = re.search(rf'<th scope="row">{missing}</th>(.*?)</tr>', page, re.S)
    assert row is not None
    assert "not run" in row.group(1)
    assert "\N{EN DASH}" in row.group(1)


def test_an_empty_exit_shows_no_figure(build: Build) -> None:
    report = build({})
    page = render(report.model_copy(update={"survey": None}))
    assert "<svg" not in page
    assert read(page).text.count("Not run:") >= 5


def test_what_stands_in_the_way_comes_first(build: Build) -> None:
    chosen = sample.results()
    bad = sample.finding("LAT-P99", "*", Verdict.FAIL, "ratio 1.62", remedy="make it faster")
    chosen["gate"] = chosen["gate"].model_copy(update={"verdict": Verdict.FAIL, "findings": (bad,)})
    page = render(build(chosen))
    assert page.index("What stands in the way") < page.index("Waivers:") < page.index('id="stages"')
    assert "ADM-KVM" not in page[: page.index("Waivers:")]  # waived: it stands in nobody's way


def test_nothing_stands_in_the_way_of_a_pass(build: Build) -> None:
    assert "What stands in the way" not in render(build(None))


def test_the_waivers_box_is_there_without_a_waiver(build: Build) -> None:
    report = build(None).model_copy(update={"waivers": ()})
    assert "Waivers: none" in read(render(report)).text


def test_both_files_are_written_and_say_the_same(build: Build, tmp_path: Path) -> None:
    report = build(None)
    written = write_report(report, tmp_path / "out")
    content = json.loads(written.json.read_text())
    assert content["schema"] == "safe-harbor/report/v1"
    assert content == json.loads(report.model_dump_json(by_alias=True))
    page = written.html.read_text()
    assert content["ledger"]["root"] in page
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["report.html", "report.json"]


def test_the_gates_own_document_is_shown(build: Build) -> None:
    recorded = [Round(**row) for row in sample.figures()["replay"]["rounds"]]
    report = build(None)
    for rounds in (recorded, recorded[:4]):  # with every round, and with too few to judge
        document = judge(rounds, 8, LatencyGate()).document()
        page = render(report.model_copy(update={"latency": document}))
        judged = [row[1] for row in rows_of(page, "What the gate judged") if row[0] == "all requests"]
        assert judged == ["p50", "p95", "p99", "errors"]


def test_the_same_report_is_the_same_page(build: Build) -> None:
    report = build(None)
    assert render(report) == render(report)
