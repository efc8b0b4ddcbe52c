"""KVM hosts in memory: they answer our questions in libvirt's XML and do what our changes ask of virsh."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from inventory.models.change import Change, Run
from inventory.models.command import Command, Script, Shellable
from inventory.models.site import Site
from tasks.drivers.errors import CommandFailed
from tasks.drivers.ports import Output
from tasks.facts import libvirt
from tasks.facts.gather import Facts, gather
from tasks.operations import machines

CAPACITY = (
    "<capabilities><host><topology><cells><cell><memory unit='GiB'>{memory}</memory><cpus num='{cpus}'/>"
    "</cell></cells></topology></host><guest><arch name='x86_64'><domain type='qemu'/>"
    "<domain type='kvm'/></arch></guest></capabilities>\n2048KiB: 0\n"
)


class PowerCut(Exception):
    """The run is killed here."""


@dataclass
class FakeLibvirt:
    """`ports.Host` of one KVM host. `cut_after` is how many commands still work."""

    name: str
    site: Site
    memory: int = 32
    cpus: int = 16
    pools: dict[str, str] = field(default_factory=dict)  # name -> path
    networks: dict[str, str] = field(default_factory=dict)  # name -> bridge
    domains: dict[str, Element] = field(default_factory=dict)
    running: set[str] = field(default_factory=set)
    volumes: dict[str, tuple[int, str]] = field(default_factory=dict)  # name -> (bytes, backing path)
    seeds: dict[str, bytes] = field(default_factory=dict)
    cut_after: int = 1_000_000

    def facts(self) -> Facts:
        return gather(self, machines.asked(self.site))

    def run(self, command: Shellable, *, stdin: bytes = b"", timeout_s: float = 60.0) -> Output:
        if isinstance(command, Script) and str(command.arguments[0]).startswith("@@"):
            many = str(command.arguments[1]) == "-"  # a batch of actions, not questions
            return Output(0, self._done(command) if many else self._answered(command), "", 0.0)
        if self.cut_after <= 0:
            raise PowerCut
        self.cut_after -= 1
        if isinstance(command, Script):  # the image
            pool, name, _, _, size, *_ = command.arguments
            self._require(str(pool) in self.pools, "no pool")
            self.volumes[str(name)] = (int(str(size)), "")
        else:
            assert isinstance(command, Command)
            self._virsh([str(word) for word in command.words], stdin)
        return Output(0, "", "", 0.0)

    def _done(self, batch: Script) -> str:
        marker, *rest = map(str, batch.arguments)
        for text in rest[1::2]:
            words = shlex.split(text)[4:]  # without its time limit
            if words[0] == "sh":  # a program and its values
                _, _, program, _, *values = shlex.split(words[2])
                self.run(Script.of(program, *values))
            else:
                self.run(Command.of(*words))
        return f"{marker} done {len(rest) // 2}\n"

    def check(self, command: Shellable, *, stdin: bytes = b"", timeout_s: float = 60.0) -> str:
        return self.run(command, stdin=stdin).stdout

    def put_file(self, path: str, content: bytes, *, mode: int = 0o644) -> None:
        raise AssertionError(path)

    def put_program(self, path: str, source: Path, sha256: str, *, mode: int = 0o755) -> None:
        raise AssertionError(path)

    def lock(self, holder: str) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""

    def _virsh(self, words: list[str], stdin: bytes) -> None:
        program, what, *rest = words
        assert program == "virsh"
        last = rest[-1]
        if what in ("pool-define", "net-define", "define", "vol-create"):
            xml = ElementTree.fromstring(stdin)  # noqa: S314 - our own
            name = xml.findtext("name", "")
        match what:
            case "pool-define":
                self.pools[name] = xml.findtext("target/path", "")
            case "net-define":
                self.networks[name] = xml.find("bridge").get("name", "")  # type: ignore[union-attr]
            case "pool-build" | "pool-start" | "pool-autostart":
                self._require(last in self.pools, "no such pool")
            case "net-start" | "net-autostart":
                self._require(last in self.networks, "no such network")
            case "define":
                self.domains[name] = xml
            case "vol-create":
                self._require(name not in self.volumes, f"{name} exists")
                unit = 1 << 30 if xml.find("capacity").get("unit") == "GiB" else 1  # type: ignore[union-attr]
                size = int(xml.findtext("capacity", "")) * unit
                backing = xml.findtext("backingStore/path", "")
                self._require(not backing or Path(backing).name in self.volumes, "no image")
                self.volumes[name] = (size, backing)
            case "vol-upload":
                self._require(rest[-2] in self.volumes, "no such volume")
                self.seeds[rest[-2]] = stdin
            case "start":
                self._require(last in self.domains and last not in self.running, "cannot start")
                for source in self.domains[last].iter("source"):
                    volume = source.get("volume")
                    self._require(volume is None or volume in self.volumes, f"no volume {volume}")
                self.running.add(last)
            case "autostart":
                self._require(last in self.domains, "no such machine")
            case "destroy":
                self.running.remove(last)
            case "undefine":
                del self.domains[last]
            case "vol-delete":
                del self.volumes[last]
            case _:
                raise AssertionError(words)

    def _require(self, fine: bool, what: str) -> None:
        if not fine:
            raise CommandFailed(self.name, what)

    def _answered(self, command: Script) -> str:
        marker, *questions = map(str, command.arguments)
        asked = [each.command.render() for each in machines.asked(self.site)]
        known = dict(zip(asked, self._texts(), strict=True))
        return "".join(
            f"\n{marker} begin {n}\n{known[each]}\n{marker} end {n} 0\n" for n, each in enumerate(questions)
        )

    def _texts(self) -> list[str]:
        kvm = machines.declared(self.site)
        domains = "".join(
            ElementTree.tostring(each, encoding="unicode") for each in self.domains.values()
        ) + "".join(f"<active>{self.domains[name].findtext('uuid')}</active>" for name in self.running)
        pool = network = ""
        if kvm.pool.name in self.pools:
            path = self.pools[kvm.pool.name]
            volumes = "".join(
                f"<volume><name>{name}</name><capacity>{size}</capacity><allocation>0</allocation>"
                f"<target><path>{path}/{name}</path></target>"
                f"<backingStore><path>{backing}</path></backingStore></volume>"
                for name, (size, backing) in self.volumes.items()
                if name.startswith(libvirt.VOLUME_PREFIX)
            )
            pool = (
                f"<pool type='dir'><available>{1 << 40}</available>"
                f"<target><path>{path}</path></target></pool>"
                f"<active/>{volumes}"
            )
        if kvm.network.name in self.networks:
            bridge = self.networks[kvm.network.name]
            network = f"<network><forward mode='bridge'/><bridge name='{bridge}'/></network><active/>"
        return [
            CAPACITY.format(memory=self.memory, cpus=self.cpus),
            f"<domains>{domains}</domains>",
            f"<found>{pool}</found>",
            f"<found>{network}</found>",
        ]


def do(hosts: dict[str, FakeLibvirt], changes: list[Change] | tuple[Change, ...]) -> None:
    for change in changes:
        for action in change.apply:
            assert isinstance(action, Run)
            hosts[change.host].run(action.command, stdin=action.stdin)
