"""The documentation against the code: codes, flows, commands, links and make targets."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclopts import App, CycloptsError, MissingArgumentError

from flows.cli.root import app
from inventory.policy import known_policies, load_policy
from tasks.checks.registry import all_checks

ROOT = Path(__file__).resolve().parents[2]
RUNBOOKS = sorted((ROOT / "runbooks").glob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")), *RUNBOOKS]
CODE = re.compile(r"\b[A-Z]{2,4}-[A-Z0-9]{2,}(?:-[A-Z]+)*\b|\bLATENCY\b")
FENCED = re.compile(r"^```[a-z]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+(?:\n[^`\n]+)?)`")
LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")
# Looks like a code, and is the name of something else.
OTHER_NAMES = {"SHA-256", "UTF-8", "ISO-8601", "KUBE-SVC", "KUBE-SEP"}
_SHELL_END = {"&&", ";", "|", ">", "#"}


def codes_in_code() -> set[str]:
    """Codes of checks, and those that steps, gates and the rehearsal give to findings of their own."""
    found = {check.code for check in all_checks()}
    for folder in ("tasks/steps", "tasks/gates", "rehearsal"):
        for file in sorted((ROOT / folder).glob("*.py")):
            found |= set(_codes_of(ast.parse(file.read_text())))
    return found


def codes_of_policies() -> set[str]:
    """Controls that a residency policy requires; the gate says `nodata` of those that no check observes."""
    return {control.code for name in known_policies() for control in load_policy(name).required}


def _codes_of(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        values: list[ast.expr | None] = []
        if isinstance(node, ast.Assign):
            values = [node.value for t in node.targets if isinstance(t, ast.Name) and t.id == "CODE"]
        elif isinstance(node, ast.keyword) and node.arg == "code":
            values = [node.value]
        elif isinstance(node, ast.Dict):
            keys = zip(node.keys, node.values, strict=True)
            values = [value for key, value in keys if isinstance(key, ast.Constant) and key.value == "code"]
        for value in values:
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield value.value


def test_codes_are_found_in_the_code() -> None:
    found = codes_in_code()
    assert {
        "ADM-VIRT",
        "INV-01",
        "CUT-SHIFT",
        "CUT-REVERTED",
        "MOV-DATABASE",
        "LATENCY",
        "CUS-ORDERS",
    } <= found
    assert all(CODE.fullmatch(code) for code in found), "CODE does not know the form of every code"


def test_every_code_has_a_line_in_a_runbook() -> None:
    rows = {
        code
        for page in RUNBOOKS
        for line in page.read_text().splitlines()
        if (code := _code_of_row(line)) is not None
    }
    assert sorted(codes_in_code() - rows) == []


def _code_of_row(line: str) -> str | None:
    """The code that a table's row explains: `| `CODE` | what it says | what to do |`."""
    cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
    first = cells[0].strip("`")
    return first if len(cells) == 3 and all(cells) and CODE.fullmatch(first) else None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_code_in_a_page_exists(page: Path) -> None:
    named = set(CODE.findall(page.read_text())) - OTHER_NAMES
    assert sorted(named - codes_in_code() - codes_of_policies()) == []


def test_every_control_of_a_policy_stands_in_the_gates_runbook() -> None:
    named = set(CODE.findall((ROOT / "runbooks" / "gate.md").read_text()))
    assert {"LEG-03", "NET-02"} <= codes_of_policies()
    assert sorted(codes_of_policies() - named) == []


def test_every_flow_has_a_runbook() -> None:
    names = set()
    for file in sorted((ROOT / "flows").glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "flow":
                names |= {
                    str(each.value.value) for each in node.keywords if isinstance(each.value, ast.Constant)
                }
    assert {"survey", "cutover", "exit"} <= names
    assert sorted(names - {page.stem for page in RUNBOOKS}) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_named_exists(page: Path) -> None:
    text = page.read_text()
    for command in _examples(text):
        app.parse_args(command, print_error=False, exit_on_error=False)
    for command in _mentions(text):
        try:
            app.parse_args(command, print_error=False, exit_on_error=False)
        except MissingArgumentError:
            continue  # a command that is named in a sentence needs no arguments


def test_a_command_that_does_not_exist_is_noticed() -> None:
    text = "```\nsafe-harbor survey oslo --fast\n```\nand `safe-harbor destroy SITE`"
    for command in (*_examples(text), *_mentions(text)):
        with pytest.raises(CycloptsError):
            app.parse_args(command, print_error=False, exit_on_error=False)


def _examples(text: str) -> list[list[str]]:
    """The commands of fenced blocks: whole ones, with their arguments."""
    lines = [line for block in FENCED.findall(text) for line in block.splitlines()]
    return [words for line in lines for words in _commands(line)]


def _mentions(text: str) -> list[list[str]]:
    """The commands that a sentence names."""
    return [words for span in INLINE.findall(FENCED.sub("", text)) for words in _commands(span)]


def _commands(line: str) -> Iterator[list[str]]:
    words = shlex.split(line.replace("'", " "), comments=True)
    for place, word in enumerate(words):
        if word.removeprefix(".venv/bin/") == "safe-harbor":
            rest = words[place + 1 :]
            end = next(
                (n for n, each in enumerate(rest) if each in _SHELL_END or each == "safe-harbor"), None
            )
            if rest[:end]:
                yield rest[:end]


def test_every_command_stands_in_the_readme() -> None:
    named = {tuple(words[:1]) for words in _mentions((ROOT / "README.md").read_text())}
    commands = {name for name in app if not name.startswith("-")}
    assert len(commands) > 10
    assert sorted(name for name in commands if (name,) not in named) == []


def test_every_command_of_a_group_stands_in_a_runbook() -> None:
    named = {
        tuple(words[:2])
        for page in RUNBOOKS
        for words in (*_examples(page.read_text()), *_mentions(page.read_text()))
    }
    for group in ("audit", "etcd", "rehearse", "replay", "judge", "residency"):
        inner: App = app[group]
        for name in inner:
            assert name.startswith("-") or (group, name) in named, f"{group} {name} is in no runbook"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text()):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        goal = (page.parent / path).resolve() if path else page
        assert goal.exists(), f"{page.name}: {link}"
        if anchor:
            assert anchor in _anchors(goal), f"{page.name}: {link}; known: {sorted(_anchors(goal))}"


def _anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_make_target_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    targets |= {file.stem.replace("_", "-", 1) for file in (ROOT / "benchmarks").glob("bench_*.py")}
    for page in PAGES:
        text = page.read_text()
        spans = [*FENCED.findall(text), *INLINE.findall(text)]
        named = {name for span in spans for name in re.findall(r"^make ([a-z_-]+)", span, re.MULTILINE)}
        assert named <= targets, page.name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_of_the_repository_that_a_page_names_exist(page: Path) -> None:
    rooms = ("inventory", "tasks", "flows", "rehearsal", "docs", "tests")
    for span in INLINE.findall(FENCED.sub("", page.read_text())):
        if re.fullmatch(rf"(?:{'|'.join(rooms)})/[\w./-]+\.(?:py|md|json|yaml)", span):
            assert (ROOT / span).exists() or re.search(r"\b[A-Z]{3,}\b", span), f"{page.name}: {span}"
