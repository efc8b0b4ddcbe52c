"""A host's settings in memory: answers the facts' questions as the real programs do, and takes changes."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from inventory.models.change import Action, Change, PutFile, RemoveFile, Run
from inventory.models.cluster import Node
from inventory.models.command import Command, Script
from tasks.facts.asked import Asked
from tasks.facts.before import PATH as RECORD
from tasks.facts.gather import Facts
from tasks.facts.modules import State
from tasks.operations import module_options
from tasks.operations.node import SETTINGS
from tasks.operations.preparation import Preparation
from tasks.operations.settings import undo_asked, undo_plan

BROUGHT = {"nf_conntrack": "net.netfilter.", "br_netfilter": "net.bridge."}  # the sysctls that come with it


@dataclass(frozen=True)
class File:
    data: bytes = b""
    mode: int = 0o644
    owner: str = "0:0"
    link: str = ""


@dataclass
class Machine:
    """`sysctls` and `parameters` hold (value, writable); what comes with a module is there while it is."""

    files: dict[str, File] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    sysctls: dict[str, tuple[str, bool]] = field(default_factory=dict)
    parameters: dict[str, tuple[str, bool]] = field(default_factory=dict)
    modules: dict[str, State] = field(default_factory=dict)
    sized: dict[str, tuple[int, int]] = field(default_factory=dict)
    rps: list[str] = field(default_factory=list)
    interrupts: dict[str, str] = field(default_factory=dict)
    balanced: bool = False
    capable: bool = True
    tool: bool = True
    memory_kib: int = 8 << 20
    processors: int = 4
    boot: str = "boot-1"

    def seen(self) -> dict[str, Any]:
        """Everything but the record, and what a module that is not loaded would have."""
        values = {key: self.value(key, self.sysctls) for key in self.sysctls}
        parameters = {key: self.value(key, self.parameters) for key in self.parameters}
        files = {path: file for path, file in self.files.items() if path != RECORD}
        return {
            "files": files,
            "folders": {each for each in self.folders if not RECORD.startswith(each)},
            "values": values,
            "parameters": parameters,
            "modules": dict(self.modules),
            "sized": dict(self.sized),
            "rps": list(self.rps),
            "interrupts": dict(self.interrupts),
        }

    def value(self, key: str, held: dict[str, tuple[str, bool]]) -> str | None:
        for module, prefix in BROUGHT.items():
            if key.startswith((prefix, f"{module}.")) and self.modules.get(module) is not State.PRESENT:
                return None
        return held[key][0] if key in held else None

    # -- questions ------------------------------------------------------------------------------------------

    def facts(self, asked: Iterable[Asked[Any]]) -> Facts:
        return Facts("oslo-1", {each.command.render(): self._answer(each) for each in asked})

    def _answer(self, asked: Asked[Any]) -> str:
        names = [str(word) for word in getattr(asked.command, "arguments", ())]
        names = names or [str(word) for word in getattr(asked.command, "words", ())]
        match asked.subject:
            case "sysctl":
                return "".join(self._setting(name, self.sysctls) for name in names)
            case "module parameters":
                return "".join(self._setting(name, self.parameters) for name in names)
            case "kernel modules":
                return "".join(f"{name}\t{self.modules[name]}\n" for name in names)
            case "contents of files":
                return "".join(self._content(path) for path in names)
            case "memory":
                total = self.memory_kib
                return (
                    f"{self.processors}\nMemTotal: {total} kB\nMemAvailable: {total} kB\nSwapTotal: 0 kB\n"
                    "\n---\nFilename\n"
                ).replace("kB\n\n---", "kB\n---")
            case "configuration files":
                return ""
            case "capabilities":
                return f"CapBnd:\t{(1 << 24) if self.capable else 0:016x}\n"
            case "settings of eth0":
                return self._link()
            case "interrupts of eth0":
                return "".join(
                    f"{40 + number}\t0\t7\t{name}\t{allowed}\trw\n"
                    for number, (name, allowed) in enumerate(self.interrupts.items())
                )
            case "systemd units":
                state = "active" if self.balanced else "inactive"
                return (
                    f"Id={names[-1]}\nLoadState=loaded\nActiveState={state}\nSubState=running\n"
                    "UnitFileState=enabled\nNeedDaemonReload=no\nNRestarts=0\n"
                )
            case "the record of what was there before":
                record = self.files.get(RECORD)
                return f"{self.boot}\n" + (record.data.decode() if record else "")
        raise AssertionError(f"nobody asks for {asked.subject}")

    def _setting(self, name: str, held: dict[str, tuple[str, bool]]) -> str:
        value = self.value(name, held)
        return (
            f"{name}\tmissing\t\n"
            if value is None
            else f"{name}\t{'rw' if held[name][1] else 'ro'}\t{value}\n"
        )

    def _content(self, path: str) -> str:
        file = self.files.get(path)
        if file is None:
            missing = [each for each in _above(path) if each not in self.folders]
            return f"{path}\tmissing\t{' '.join(missing)}\t\t\n"
        if file.link:
            return f"{path}\tlink\t{base64.b64encode(f'{file.link}'.encode()).decode()}\t\t\n"
        return f"{path}\tfile\t{base64.b64encode(file.data).decode()}\t{file.mode:o}\t{file.owner}\n"

    def _link(self) -> str:
        lines = ["@mac 52:54:00:00:00:01", "@udev yes"]
        lines += [f"@rps rx-{number} rw {mask}" for number, mask in enumerate(self.rps)]
        if not self.tool:
            return "\n".join([*lines, "@none", ""])
        for part, labels in (
            ("g", {"ring-rx": "RX", "ring-tx": "TX"}),
            ("l", {"channels-combined": "Combined"}),
        ):
            lines.append(f"@{part}")
            for title, which in (("Pre-set maximums:", 1), ("Current hardware settings:", 0)):
                there = [
                    f"{label}:\t{self.sized[key][which]}"
                    for key, label in labels.items()
                    if key in self.sized
                ]
                lines += [title, *there, "Other:\tn/a"]
        return "\n".join([*lines, "@k", "rx-gro-list: off", "tx-lockless: off [fixed]", ""])

    # -- changes --------------------------------------------------------------------------------------------

    def act(self, action: Action) -> None:
        match action:
            case PutFile(path, content, mode):
                self.folders |= set(_above(path))
                self.files[path] = File(content, mode)
            case RemoveFile(path):
                self.files.pop(path, None)
            case Run(Command(words), _, _):
                self._run([str(word) for word in words])
            case Run(Script(program, arguments), _, _):
                self._script(program, [str(word) for word in arguments])
            case _:
                raise AssertionError(f"no setting is changed by {action}")

    def _run(self, words: list[str]) -> None:
        match words:
            case ["sysctl", "-q", "-w", assignment]:
                key, _, value = assignment.partition("=")
                self._set(self.sysctls, key, value)
            case ["modprobe", name]:
                self.modules[name] = State.PRESENT
                options = self.files.get(module_options.PATH, File()).data.decode()
                for module, option in re.findall(r"^options (\w+) (\S+)$", options, re.MULTILINE):
                    key, _, value = f"{module}.{option}".partition("=")
                    if module == name:
                        self.parameters[key] = (value, self.parameters[key][1])
            case ["rmdir", "--ignore-fail-on-non-empty", "--", folder]:
                if not any(path.startswith(f"{folder}/") for path in (*self.files, *self.folders)):
                    self.folders.discard(folder)
            case ["chown", owner, path]:
                self.files[path] = replace(self.files[path], owner=owner)
            case ["ethtool", option, "eth0", which, value]:
                key = {"-G": "ring-", "-L": "channels-"}[option] + which
                assert int(value) <= self.sized[key][1]
                self.sized[key] = (int(value), self.sized[key][1])
            case _:
                raise AssertionError(f"unknown command {words}")

    def _script(self, program: str, arguments: list[str]) -> None:
        match arguments:
            case [key] if "/proc/sys/" in program:
                self._set(self.sysctls, key, "")
            case [name, value] if "/sys/module/" in program:
                self._set(self.parameters, name, value)
            case ["eth0", mask] if "rps_cpus" in program:
                self.rps = [mask for _ in self.rps]
            case [*pairs] if "/proc/irq/" in program:
                self.interrupts |= dict(pair.split("=") for pair in pairs)
            case [name] if "modprobe -r" in program:
                self.modules[name] = State.LOADABLE
            case [target, path] if "ln -s" in program:
                self.files[path] = File(link=target)
            case _:
                assert "daemon-reload" in program or "udevadm" in program, program

    def _set(self, held: dict[str, tuple[str, bool]], key: str, value: str) -> None:
        assert self.value(key, held) is not None, f"{key} does not exist"
        assert held[key][1], f"{key} is read-only"
        held[key] = (value, True)


def _above(path: str) -> list[str]:
    parts = path.split("/")[1:-1]
    return ["/" + "/".join(parts[:count]) for count in range(1, len(parts) + 1)]


def prepare(
    machine: Machine, preparation: Preparation, node: Node, stop_after: int | None = None
) -> list[Change]:
    """Every phase of the settings in turn; the changes. With `stop_after` it dies after so many actions."""
    made: list[Change] = []
    left = stop_after
    for phase in SETTINGS:
        facts = {
            each.name: machine.facts(phase.asked(preparation, each)) for each in phase.nodes(preparation)
        }
        changes = [change for change in phase.plan(preparation, facts) if change.host == node.name]
        for change in changes:
            for action in change.apply:
                if left is not None:
                    if left == 0:
                        return made
                    left -= 1
                machine.act(action)
            made.append(change)
    return made


def undo(machine: Machine) -> list[Change]:
    """What `prepare --undo` does on it; the changes."""
    from tasks.facts import before

    asked = before.ask()
    _, record = machine.facts([asked]).of(asked)
    changes = undo_plan("oslo-1", record, machine.facts(undo_asked(record)))
    for change in changes:
        for action in change.apply:
            machine.act(action)
    return changes
