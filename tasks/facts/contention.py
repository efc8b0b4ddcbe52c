"""How long a short piece of work waits for a processor on a host, and who has the processors meanwhile.

A burst is a fixed amount of work, some milliseconds long, as a request is to a shop. The fastest burst shows
what it costs undisturbed; what the others take beyond it is waiting: in this kernel's run queue, or stolen by
a hypervisor. Bursts are rare (a tenth of one processor), so that they do not make what they look for.
"""

from __future__ import annotations

from dataclasses import dataclass

from inventory.models.command import Command, Shellable
from tasks.facts.asked import Asked
from tasks.facts.cpu import CpuWindow

BURSTS = 120
BURST_US = 2000
PAUSE_S = 0.02
_OWN = (
    "/sys/fs/cgroup/cpu.stat",
    "/sys/fs/cgroup/cpuacct/cpuacct.usage",
    "/sys/fs/cgroup/cpu,cpuacct/cpuacct.usage",
)

# Only bash's own words inside the loop: a started program would be measured as well. $1 bursts, $2 their
# length in us, $3 the pause in s, then the files that may tell the time that this host itself used.
_PROGRAM = """
bursts=$1; wanted=$2; pause=$3; shift 3
exec 9<> <(:)
work() { local i; for ((i = 0; i < $1; i++)); do :; done; }
readings() {
  printf 'at_us %s\\n' "${EPOCHREALTIME/./}"
  if [ -r /proc/pressure/cpu ]; then sed -n 's/^some .*total=/waiting_us /p' /proc/pressure/cpu; fi
  read -r _ user nice system idle iowait irq softirq steal _ < /proc/stat
  printf 'ticks %s\\n' "$((user + nice + system + irq + softirq))"
  printf 'all_ticks %s\\n' "$((user + nice + system + idle + iowait + irq + softirq + steal))"
  printf 'stolen_ticks %s\\n' "$steal"
  for file; do
    [ -r "$file" ] || continue
    case $file in
      *cpu.stat) sed -n 's/^usage_usec /own_us /p' "$file" ;;
      *) printf 'own_us %s\\n' "$(($(cat "$file") / 1000))" ;;
    esac
    break
  done
}
rounds=1000; best=0
for ((n = 0; n < 12; n++)); do
  a=${EPOCHREALTIME/./}; work 1000; b=${EPOCHREALTIME/./}
  if ((best == 0 || b - a < best)); then best=$((b - a)); fi
done
rounds=$((1000 * wanted / (best > 0 ? best : 1)))
readings "$@"
for ((n = 0; n < bursts; n++)); do
  a=${EPOCHREALTIME/./}; work "$rounds"; b=${EPOCHREALTIME/./}
  printf 'burst_us %s\\n' "$((b - a))"
  read -rt "$pause" -u 9 _
done
readings "$@"
printf 'processors %s\\nticks_a_second %s\\n' "$(getconf _NPROCESSORS_ONLN)" "$(getconf CLK_TCK)"
"""


@dataclass(frozen=True)
class Contention:
    """Shares are 0..1 of all processors (`busy`, `own`) or of the time (`waiting`, kernel's PSI `some`).

    None is what the host does not show. `waits_ms` are sorted: what each burst took beyond the fastest.
    `window` is what a hypervisor took of the same time.
    """

    seconds: float
    burst_ms: float
    waits_ms: tuple[float, ...]
    busy: float
    own: float | None
    waiting: float | None
    window: CpuWindow

    @property
    def others(self) -> float | None:
        """What is used by nobody of this host's own, where the host can see that."""
        return None if self.own is None else max(0.0, self.busy - self.own)

    def wait_ms(self, percent: float) -> float:
        """The nearest-rank percentile."""
        rank = max(1, -(-len(self.waits_ms) * percent // 100))
        return self.waits_ms[int(rank) - 1]


def command(bursts: int = BURSTS) -> Shellable:
    """Run the bursts between two readings of the kernel's accounts."""
    return Command.of("bash", "-c", _PROGRAM, "bash", bursts, BURST_US, f"{PAUSE_S:g}", *_OWN)


def parse(output: str) -> Contention:
    """Raises ValueError, KeyError or IndexError where a reading is missing."""
    seen: dict[str, list[list[int]]] = {}
    for line in output.splitlines():
        name, *values = line.split()
        seen.setdefault(name, []).append([int(value) for value in values])
    bursts = sorted(value for (value,) in seen["burst_us"])
    elapsed_us = _between(seen["at_us"])
    cores = seen["processors"][0][0]
    busy_ticks, all_ticks, stolen_ticks = (
        _between(seen[name]) for name in ("ticks", "all_ticks", "stolen_ticks")
    )
    capacity_us = elapsed_us * cores
    if elapsed_us <= 0 or capacity_us <= 0:
        raise ValueError("no time passed between the readings")
    return Contention(
        seconds=elapsed_us / 1e6,
        burst_ms=bursts[0] / 1000,
        waits_ms=tuple((value - bursts[0]) / 1000 for value in bursts),
        busy=min(1.0, busy_ticks / seen["ticks_a_second"][0][0] * 1e6 / capacity_us),
        own=_between(seen["own_us"]) / capacity_us if "own_us" in seen else None,
        window=CpuWindow(all_ticks, stolen_ticks, all_ticks - stolen_ticks - busy_ticks),
        waiting=min(1.0, _between(seen["waiting_us"]) / elapsed_us) if "waiting_us" in seen else None,
    )


def _between(readings: list[list[int]]) -> int:
    before, after = readings
    return after[0] - before[0]


def ask(bursts: int = BURSTS) -> Asked[Contention]:
    """The question."""
    return Asked("contention", command(bursts), parse)
