"""Many actions in one script: a host is spoken to once for them, not once for each.

Pure: the script and its input, and what its output says. File contents travel on stdin, one behind the other,
and never in the script.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from inventory.models.change import Action, PutFile, PutProgram, RemoveFile, Run
from inventory.models.command import Command, Script, Shellable
from inventory.printable import last_line, printable
from tasks.drivers.ports import Output
from tasks.drivers.put import put

# A remote command is one argument of the host's shell, at most 128 KiB on Linux (MAX_ARG_STRLEN).
SCRIPT_LIMIT_BYTES = 64 << 10
INPUT_LIMIT_BYTES = 4 << 20
_OVERHEAD_S = 60.0
_KILL_AFTER_S = 2
_TIMED_OUT = (124, 137)  # of timeout(1)

# $1 the marker; then, an action each, the bytes of stdin that are its own, and its command. stdout has the
# markers alone, so that nothing that a command prints passes for one.
_PROGRAM = """
marker=$1; shift; number=0
while [ $# -gt 0 ]; do
  printf '\\n%s %s\\n' "$marker" "$number" >&2
  if [ "$1" = - ]; then eval "$2" </dev/null >&2; else head -c "$1" | eval "$2" >&2; fi
  code=$?
  if [ "$code" != 0 ]; then printf '%s failed %s %s\\n' "$marker" "$number" "$code"; exit 0; fi
  shift 2; number=$((number + 1))
done
printf '%s done %s\\n' "$marker" "$number"
"""


@dataclass(frozen=True)
class Batch:
    """What `Host.run` takes, for these actions."""

    actions: tuple[Action, ...]
    script: Script
    stdin: bytes
    timeout_s: float


@dataclass(frozen=True)
class Came:
    """How many actions were done, and why the next one was not; empty where all were."""

    done: int
    why: str = ""


def fits(action: Action) -> bool:
    """Whether it can be one of many: a program is too large, and a command may leave its input unread."""
    match action:
        case PutProgram():
            return False
        case PutFile(_, content, _):
            return len(content) <= INPUT_LIMIT_BYTES // 4
        case Run(_, stdin, _):
            return not stdin
        case RemoveFile():
            return True


def batches(actions: Iterable[Action]) -> Iterator[tuple[Action, ...]]:
    """The actions in their order, cut where a batch would be too large; one that does not fit is alone."""
    held: list[Action] = []
    script = content = 0
    for action in actions:
        more_script = len(_text(action).render()) * 2 if fits(action) else 0  # quoted once more
        more_content = len(action.content) if isinstance(action, PutFile) else 0
        full = script + more_script > SCRIPT_LIMIT_BYTES or content + more_content > INPUT_LIMIT_BYTES
        if held and (full or not fits(action)):
            yield tuple(held)
            held, script, content = [], 0, 0
        if not fits(action):
            yield (action,)
            continue
        held.append(action)
        script += more_script
        content += more_content
    if held:
        yield tuple(held)


def compose(actions: Sequence[Action]) -> Batch:
    """One script of actions that fit."""
    words: list[str | int] = []
    stdin = b""
    for action in actions:
        own = len(action.content) if isinstance(action, PutFile) else "-"
        words += [own, _text(action).render()]
        stdin += action.content if isinstance(action, PutFile) else b""
    limits = (action.timeout_s for action in actions if isinstance(action, Run))
    script = Script.of(_PROGRAM, marker(actions), *words)
    return Batch(tuple(actions), script, stdin, _OVERHEAD_S + sum(limits))


def marker(actions: Sequence[Action]) -> str:
    """A word that stands before what the script itself says."""
    texts = "\0".join(_text(action).text(reveal=False) for action in actions)
    return f"@@{hashlib.sha256(texts.encode()).hexdigest()[:24]}"


def parse(batch: Batch, output: Output) -> Came:
    """What came of it. Raises ValueError where the script did not get to its end."""
    said, verb, *numbers = (*output.stdout.split(), "", "")
    if said != marker(batch.actions) or verb not in ("done", "failed"):
        raise ValueError(last_line(output.stderr) or f"the script ended with {output.exit_code}")
    done = int(numbers[0])
    if verb == "done":
        return Came(done)
    action, code = batch.actions[done], int(numbers[1])
    words = output.stderr.rpartition(f"\n{said} {done}\n")[2]
    return Came(done, _reason(action, code, last_line(words) or "no message", output.seconds))


def _reason(action: Action, code: int, words: str, seconds: float) -> str:
    if isinstance(action, PutFile):
        return f"{action.path} cannot be written: {words}"
    if isinstance(action, Run):
        shown = f"`{printable(' '.join(str(action.command).split()), 100)}`"
        if code in _TIMED_OUT and seconds >= action.timeout_s:
            return f"{shown} did not end within {action.timeout_s:g} s and was stopped"
        return f"{shown} ended with {code}: {words}"
    return f"ended with {code}: {words}"


def _text(action: Action) -> Shellable:
    match action:
        case PutFile(path, content, mode):
            return put(path, content, mode)
        case RemoveFile(path):
            return Command.of("rm", "-f", "--", path)
        case Run(command, _, timeout_s):
            words = command.words if isinstance(command, Command) else ("sh", "-c", command.render())
            return Command.of("timeout", "-k", _KILL_AFTER_S, f"{timeout_s:.3f}", *words)
        case PutProgram():
            raise ValueError("a program is not one of many")
