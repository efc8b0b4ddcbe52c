"""A host whose readers ask at once: what several threads put to it in the same moment goes in one round trip.

A connection's every command costs a channel, and on the host a shell that starts another; a host of which
sixty checks each ask something answers most of all to be asked. Equal questions of one moment are answered
once. A question is put after it was asked for, never before: an answer is no older than its asker.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from inventory.models.command import Script, Shellable
from tasks.drivers.errors import CommandFailed, OutsideError, Unasked
from tasks.drivers.ports import Host, Output
from tasks.facts import gather
from tasks.facts.asked import FactUnreadable

LINGER_S = 0.1  # in which others may join: a trip costs the host more than it costs them
HOLD_S = 1.0  # a trip that takes longer waits for something: others no longer wait for it
TRIPS_AT_ONCE = 4  # sshd takes ten sessions of a connection
_MOST_BYTES = 60_000  # a command line's word holds 128 KiB, and quoting makes it longer
_TIMEOUT_S = 30.0  # of all; where it is over, each is asked by itself with the time that it was given

# $1 the marker, then the questions. Each runs in a subshell of its own, and one that is `sh -c PROGRAM` needs
# no other shell in it. Its stderr stands between markers as well.
_PROGRAM = """
_together_marker=$1; shift; _together_number=0
sh() {
  if [ "$1" != -c ]; then command sh "$@"; return; fi
  (_together_program=$2; shift; shift; [ "$#" -eq 0 ] || shift; eval "$_together_program")
}
for _together_question do
  printf '\\n%s begin %s\\n' "$_together_marker" "$_together_number"
  printf '\\n%s begin %s\\n' "$_together_marker" "$_together_number" >&2
  (eval "$_together_question") < /dev/null
  _together_code=$?
  printf '\\n%s end %s %s\\n' "$_together_marker" "$_together_number" "$_together_code"
  printf '\\n%s end %s %s\\n' "$_together_marker" "$_together_number" "$_together_code" >&2
  _together_number=$((_together_number + 1))
done
"""


@dataclass
class _Question:
    text: str
    timeout_s: float
    output: Output | None = None
    error: BaseException | None = None
    put_at: float = field(default_factory=time.monotonic)

    @property
    def done(self) -> bool:
        return self.output is not None or self.error is not None


@dataclass
class Together:
    """Implements `ports.Host` for reading; nothing is ever written through it."""

    host: Host
    _waiting: dict[str, _Question] = field(default_factory=dict)
    _on_their_way: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def name(self) -> str:
        """The host's declared name."""
        return self.host.name

    def run(self, command: Shellable, *, stdin: bytes = b"", timeout_s: float = 60.0) -> Output:
        """See `ports.Host.run`."""
        if stdin:
            return self.host.run(command, stdin=stdin, timeout_s=timeout_s)
        started = time.monotonic()
        within = gather.questions_of(command)
        if within is None:
            (output,) = self._answers((command.render(),), timeout_s)
            return output
        marker, texts = within
        outputs = self._answers(texts, timeout_s)
        said = gather.answered(marker, [(each.stdout, each.exit_code) for each in outputs])
        errors = "".join(each.stderr for each in outputs if not each.ok)
        return Output(0, said, errors, time.monotonic() - started)

    def check(self, command: Shellable, *, stdin: bytes = b"", timeout_s: float = 60.0) -> str:
        """See `ports.Host.check`; alone, as it was put."""
        return self.host.check(command, stdin=stdin, timeout_s=timeout_s)

    def put_file(self, path: str, content: bytes, *, mode: int = 0o644) -> None:
        """Raises Unasked: nothing is written here."""
        del content, mode
        raise Unasked(self.name, f"{path} would be written, and this only looks")

    def put_program(self, path: str, source: Path, sha256: str, *, mode: int = 0o755) -> None:
        """Raises Unasked: nothing is written here."""
        del source, sha256, mode
        raise Unasked(self.name, f"{path} would be written, and this only looks")

    def lock(self, holder: str) -> None:
        """Raises Unasked: who only looks keeps nobody out."""
        raise Unasked(self.name, f"{holder} would lock it, and this only looks")

    def close(self) -> None:
        """End the connection."""
        self.host.close()

    def _answers(self, texts: Sequence[str], timeout_s: float) -> list[Output]:
        """Raises what the host raised for the first that has no answer."""
        with self._changed:
            mine = [self._waiting.setdefault(text, _Question(text, timeout_s)) for text in texts]
            for question in mine:
                question.timeout_s = max(question.timeout_s, timeout_s)
        while self._takes_a_turn(mine):
            batch: list[_Question] = []
            try:
                time.sleep(LINGER_S)
                batch = self._next()
                self._ask(batch)
            except BaseException as error:  # whoever waits for these must not wait for ever
                for question in batch:
                    question.error = question.error or error
                raise
            finally:
                with self._changed:
                    self._on_their_way -= 1
                    self._changed.notify_all()
        for question in mine:
            if question.error is not None:
                raise question.error
        return [question.output for question in mine if question.output is not None]

    def _takes_a_turn(self, mine: Sequence[_Question]) -> bool:
        """Wait until these are answered (False), or until a trip must be made for one that waits."""
        with self._changed:
            while not all(each.done for each in mine):
                waits = any(self._waiting.get(each.text) is each for each in mine)
                if waits and (not self._on_their_way or self._held(mine)):
                    self._on_their_way += 1
                    return True
                self._changed.wait(HOLD_S if waits else None)
        return False

    def _held(self, mine: Sequence[_Question]) -> bool:
        held_s = time.monotonic() - min(each.put_at for each in mine if not each.done)
        return held_s >= HOLD_S and self._on_their_way < TRIPS_AT_ONCE

    def _next(self) -> list[_Question]:
        """As many of those that wait as one command line takes, and at least one."""
        batch: list[_Question] = []
        length = 0
        with self._changed:
            for text in list(self._waiting):
                length += len(text)
                if batch and length > _MOST_BYTES:
                    break
                batch.append(self._waiting.pop(text))
        return batch

    def _ask(self, batch: Sequence[_Question]) -> None:
        if len(batch) > 1:
            try:
                found = self._all_at_once(batch)
            except (CommandFailed, FactUnreadable):
                found = {}  # one that hangs or floods must not take the others with it
            except OutsideError as error:
                for question in batch:
                    question.error = error
                return
            for question in batch:
                question.output = found.get(question.text)
        for question in batch:
            if question.output is None:
                try:
                    question.output = self.host.run(_as_put(question.text), timeout_s=question.timeout_s)
                except OutsideError as error:
                    question.error = error

    def _all_at_once(self, batch: Sequence[_Question]) -> Mapping[str, Output]:
        texts = [question.text for question in batch]
        marker = "@@" + hashlib.sha256("\0".join(texts).encode()).hexdigest()[:24]
        output = self.host.run(Script.of(_PROGRAM, marker, *texts), timeout_s=_TIMEOUT_S)
        said = gather.cut(self.name, texts, marker, output.stdout)
        errors = gather.cut(self.name, texts, marker, output.stderr)
        return {
            text: Output(code, answer, error, output.seconds)
            for text, (answer, code), (error, _) in zip(texts, said, errors, strict=True)
        }


def _as_put(text: str) -> Script:
    """The shell text again as something to run."""
    return Script.of('eval "$1"', text)
