"""One round trip for what several threads ask of a host at once: the same answers, and fewer trips."""

from __future__ import annotations

import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from inventory.models.command import Command, Script, Shellable
from tasks.drivers.errors import CommandFailed, HostUnreachable, OutsideError, Unasked
from tasks.drivers.ports import Output
from tasks.facts import config_files, machine_id, os_release, sysctl, units, virtualization
from tasks.facts.asked import Asked, FactUnreadable
from tasks.facts.gather import gather
from tasks.facts.together import Together


class ThisMachine:
    """Runs what it is told, and counts; `slow_s` makes others join meanwhile."""

    name = "n1"

    def __init__(self, slow_s: float = 0.0) -> None:
        self.trips = 0
        self.slow_s = slow_s

    def run(self, command: Shellable, *, stdin: bytes = b"", timeout_s: float = 60.0) -> Output:
        self.trips += 1
        time.sleep(self.slow_s)
        argv = ["env", "LC_ALL=C.UTF-8", "sh", "-c", command.render()]
        try:
            done = subprocess.run(
                argv,
                input=stdin.decode(),
                capture_output=True,
                text=True,
                timeout=min(timeout_s, 1.0),
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise CommandFailed(self.name, "it did not end") from None
        return Output(done.returncode, done.stdout, done.stderr, 0.0)


def asked_at_once(host: Any, commands: list[Shellable]) -> list[Output | OutsideError]:
    ready = threading.Barrier(len(commands))

    def one(command: Shellable) -> Output | OutsideError:
        ready.wait()
        try:
            return Together.run(host, command)
        except OutsideError as error:
            return error

    with ThreadPoolExecutor(len(commands)) as pool:
        return list(pool.map(one, commands))


def test_what_is_asked_at_once_goes_in_one_trip_and_is_answered_each_its_own() -> None:
    machine: Any = ThisMachine()
    commands: list[Shellable] = [
        Script.of('echo "$1"; echo err "$1" >&2; exit "$2"', f"it's {n}", n) for n in range(12)
    ]
    answers = asked_at_once(Together(machine), commands)
    assert [a for a in answers if isinstance(a, Output)] == answers
    assert [(a.stdout, a.stderr, a.exit_code) for a in answers if isinstance(a, Output)] == [
        (f"it's {n}\n", f"err it's {n}\n", n) for n in range(12)
    ]
    assert machine.trips <= 3


def test_equal_questions_of_one_moment_are_asked_once_and_later_ones_anew() -> None:
    machine: Any = ThisMachine()
    host = Together(machine)
    now: Shellable = Command.of("date", "+%N")
    answers = asked_at_once(host, [now] * 10)
    assert len({a.stdout for a in answers if isinstance(a, Output)}) <= 2
    assert host.run(now).stdout != host.run(now).stdout


QUESTIONS: list[Asked[Any]] = [
    virtualization.ask(),
    os_release.ask(),
    machine_id.ask(),
    sysctl.ask(["net.ipv4.ip_forward", "net.ipv4.nosuch"]),
    config_files.ask(("/etc/hosts", "/etc/nosuch")),
    Asked("pipe", Script.of("printf 'a b' | { read -r x y; echo \"$y-$#-${1-}\"; }", "one"), str),
    Asked("nested", Script.of("sh -c 'echo \"$1\"; exit 0' name word; x=$(sh -c 'echo in'); echo $x"), str),
    Asked("unset", Script.of('echo "${marker-}${number-}${question-}"'), str),
]


def test_facts_are_the_same_with_and_without() -> None:
    machine: Any = ThisMachine()
    apart = [gather(machine, (question,)) for question in QUESTIONS]
    host: Any = Together(machine)
    with ThreadPoolExecutor(len(QUESTIONS)) as pool:
        together = list(pool.map(lambda question: gather(host, (question,)), QUESTIONS))
    assert [facts.answers for facts in together] == [facts.answers for facts in apart]
    whole = gather(host, QUESTIONS)
    assert whole.answers == {key: value for facts in apart for key, value in facts.answers.items()}


def test_a_question_that_fails_says_why_as_it_does_alone() -> None:
    host: Any = Together(ThisMachine())  # type: ignore[arg-type] # only run() is asked
    with pytest.raises(FactUnreadable, match="ended with 3: because"):
        gather(host, (Asked("x", Script.of("echo because >&2; exit 3"), str), units.ask(("ssh.service",))))


def test_one_that_hangs_or_floods_takes_no_other_with_it() -> None:
    machine: Any = ThisMachine()
    commands: list[Shellable] = [Command.of("echo", n) for n in range(5)]
    answers = asked_at_once(Together(machine), [*commands, Command.of("sleep", 30)])
    assert [a.stdout if isinstance(a, Output) else type(a) for a in answers] == [
        *(f"{n}\n" for n in range(5)),
        CommandFailed,
    ]


def test_a_host_that_is_gone_is_an_error_for_all_at_once() -> None:
    class Gone(ThisMachine):
        def run(self, command: Shellable, *, stdin: bytes = b"", timeout_s: float = 60.0) -> Output:
            self.trips += 1
            raise HostUnreachable(self.name, "gone")

    gone: Any = Gone()
    answers = asked_at_once(Together(gone), [Command.of("echo", n) for n in range(6)])
    assert {type(a) for a in answers} == {HostUnreachable}
    assert gone.trips <= 3


def test_an_answer_cannot_pass_for_another() -> None:
    forged = Script.of("printf '\\n@@000000000000000000000000 end 0 0\\n\\n@@0 begin 1\\nforged\\n'")
    answers = asked_at_once(Together(ThisMachine()), [forged, Command.of("echo", "true")])  # type: ignore[arg-type]
    assert isinstance(answers[1], Output)
    assert answers[1].stdout == "true\n"


def test_more_than_a_command_line_takes_goes_in_several() -> None:
    machine: Any = ThisMachine()
    commands: list[Shellable] = [Command.of("printf", "%.3s", f"{n:03}" + "x" * 20_000) for n in range(8)]
    answers = asked_at_once(Together(machine), commands)
    assert [a.stdout for a in answers if isinstance(a, Output)] == [f"{n:03}" for n in range(8)]


def test_nothing_is_written_through_it() -> None:
    host: Any = Together(ThisMachine())  # type: ignore[arg-type] # only run() is asked
    for write in (
        lambda: host.put_file("/x", b""),
        lambda: host.put_program("/x", "y", "z"),
        lambda: host.lock("me"),
    ):
        with pytest.raises(Unasked):
            write()
