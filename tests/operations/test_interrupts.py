"""The interrupts of a card with several queues: what is wanted, and the program that sets them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from inventory.profile_files import load_profile
from tasks.facts.contents import Content
from tasks.facts.interrupts import Interrupt, parse
from tasks.operations import interrupts

WEB = load_profile("web")


def card(*names: str, allowed: str = "0-3", settable: bool = True) -> tuple[Interrupt, ...]:
    return tuple(Interrupt(40 + number, "0", 7, name, allowed, settable) for number, name in enumerate(names))


VIRTIO = card("virtio0-config", "virtio0-input.0", "virtio0-output.0", "virtio0-input.1", "virtio0-output.1")


@pytest.mark.parametrize(
    ("found", "processors", "wish"),
    [
        (VIRTIO, 2, "virtio0-input.0=0 virtio0-output.0=0 virtio0-input.1=1 virtio0-output.1=1"),
        (card("eth0-TxRx-0", "eth0-TxRx-1", "eth0-TxRx-2", "eth0"), 2,
         "eth0-TxRx-0=0 eth0-TxRx-1=1 eth0-TxRx-2=0"),
        (card("mlx5_comp0@pci:0000:00:05.0", "mlx5_comp9@pci:0000:00:05.0"), 4,
         "mlx5_comp0@pci:0000:00:05.0=0 mlx5_comp9@pci:0000:00:05.0=1"),
        (VIRTIO, 1, None),
        (VIRTIO[:3], 4, None),  # one queue: rps-cpus spreads its packets
        (card("virtio0-input.0", "virtio0-input.1", settable=False), 4, None),  # the kernel's own
        (card("", ""), 4, None),  # not asked for yet
        ((), 4, None),  # a virtual interface
    ],
)  # fmt: skip
def test_each_queue_gets_a_processor_in_turn(
    found: tuple[Interrupt, ...], processors: int, wish: str | None
) -> None:
    assert interrupts.target(found, processors, balanced=False) == wish
    assert interrupts.target(found, processors, balanced=True) is None


def test_the_unit_says_what_is_set_now_and_nothing_else_reaches_it() -> None:
    wish = interrupts.target(VIRTIO, 2, balanced=False)
    there = {path: Content(path) for path in interrupts.PATHS}
    noted = interrupts.plan("oslo-1", WEB, "eth0", "52:54:00:00:00:01", VIRTIO, there, wish)
    texts = {each.change.subject: each.change.text[1] for each in noted if each.change.text}
    unit = texts[f"file {interrupts.UNIT_FILE}"]
    assert f"\nExecStart={interrupts.PROGRAM} {wish}\n" in unit
    assert f'SYSTEMD_WANTS}}+="{interrupts.UNIT}"' in texts[f"file {interrupts.RULES}"]
    assert (
        noted[-1].was[0].value
        == "virtio0-input.0=0-3 virtio0-output.0=0-3 virtio0-input.1=0-3 virtio0-output.1=0-3"
    )


def test_the_program_finds_interrupts_by_their_names(tmp_path: Path) -> None:
    """Numbers change from boot to boot. With a folder in the place of /proc."""
    table = " 41:  1  2  PCI-MSI 1-edge  virtio0-input.0\n 57:  0  9  PCI-MSI 2-edge  virtio0-input.1\n"
    (tmp_path / "interrupts").write_text(table)
    for number in ("41", "57"):
        (tmp_path / "irq" / number).mkdir(parents=True)
    program = interrupts.SET.replace("/proc", str(tmp_path))
    subprocess.run(["sh", "-c", program, "sh", "virtio0-input.1=1", "virtio0-input.0=0-3"], check=True)
    assert (tmp_path / "irq/57/smp_affinity_list").read_text() == "1\n"
    assert (tmp_path / "irq/41/smp_affinity_list").read_text() == "0-3\n"
    argv = ["sh", "-c", program, "sh", "virtio9-input.0=0"]
    failed = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (failed.returncode, failed.stderr) == (1, "no interrupt is named virtio9-input.0\n")


def test_an_answer_says_what_may_be_set() -> None:
    (one,) = parse("25\t1\t120\tvirtio0-input.0\t0-1\tro\n")
    assert one == Interrupt(25, "1", 120, "virtio0-input.0", "0-1", False)
