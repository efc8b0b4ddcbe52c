"""flanneld as a node's own processes show it."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from inventory.models.command import Script
from tasks.facts import flanneld

BOOT = "booted_s\t1000000\nticks_a_second\t100\n"


def said(*lines: str, subnet_s: int | None = None) -> str:
    written = "" if subnet_s is None else f"subnet_s\t{subnet_s}\n"
    return "".join(f"{line}\n" for line in lines) + BOOT + written


PROGRAM = ("program\tflanneld", "started_ticks\t5000")


@pytest.mark.parametrize(
    ("lines", "health"),
    [
        ((), ""),
        (("flag\tport=0",), ""),
        (("flag\tport=10401", "flag\tip=127.0.0.1"), "127.0.0.1:10401"),
        (("flag\tport=8285",), "127.0.0.1:8285"),
        (("variable\tPORT=8285", "variable\tIP=10.0.0.5"), "10.0.0.5:8285"),
        (("flag\tport=1", "variable\tPORT=2"), "127.0.0.1:1"),
    ],
)
def test_the_health_port_is_where_its_words_say(lines: tuple[str, ...], health: str) -> None:
    found = flanneld.parse(said(*PROGRAM, *lines))
    assert found is not None
    assert (found.program, found.health, found.after_start_s) == ("flanneld", health, None)


@pytest.mark.parametrize(("subnet_s", "after_s"), [(1000052, 2.0), (1000040, -10.0)])
def test_the_subnet_is_of_this_start_or_of_an_earlier_one(subnet_s: int, after_s: float) -> None:
    found = flanneld.parse(said(*PROGRAM, subnet_s=subnet_s))
    assert found is not None
    assert found.after_start_s == after_s


def test_without_a_process_there_is_none() -> None:
    assert flanneld.parse(said(subnet_s=1)) is None
    with pytest.raises(ValueError, match="2 fields"):
        flanneld.parse("nonsense\n")


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Path]:
    """A process that is called flanneld, with a health port in two words; the folder of its subnet."""
    program = tmp_path / "flanneld"
    program.write_text("#!/bin/bash\nread -r _\n")
    program.chmod(0o755)
    argv = [str(program), "--ip-masq", "--healthz-port", "8285", "--etcd-password=secret"]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, env=os.environ | {"FLANNELD_HEALTHZ_IP": "10.0.0.5"}
    ) as it:
        while Path(f"/proc/{it.pid}/comm").read_text() != "flanneld\n":
            time.sleep(0.01)
        yield tmp_path
        it.kill()


def test_a_real_process_is_found_by_its_name(process: Path) -> None:
    subnet = process / "subnet.env"
    subnet.write_text("FLANNEL_MTU=1450\n")
    question = Script.of(flanneld.ask().command.program, str(subnet))  # type: ignore[attr-defined] # a Script
    done = subprocess.run(["sh", "-c", question.render()], capture_output=True, text=True, check=True)
    found = flanneld.parse(done.stdout)
    assert found is not None
    assert (found.program, found.health) == ("flanneld", "10.0.0.5:8285")
    assert found.after_start_s is not None
    assert -2 <= found.after_start_s <= 5
    assert "secret" not in done.stdout
