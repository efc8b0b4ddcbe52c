"""containerd: configuration, the site's registry, the service."""

from __future__ import annotations

from tasks.facts.capabilities import CAP_SYS_RESOURCE
from tasks.operations.files import Wanted
from tasks.operations.images_archive import PAUSE
from tasks.operations.preparation import BIN, Preparation
from tasks.operations.programs import CNI, CONTAINERD, digests
from tasks.operations.units import Service

CONFIG = "/etc/containerd/config.toml"
CERTIFICATES = "/etc/containerd/certs.d"
SOCKET = "unix:///run/containerd/containerd.sock"

_CONFIG = """# written by safe-harbor
version = 3

[plugins.'io.containerd.cri.v1.images']
  snapshotter = 'overlayfs'
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = '{pause}'
  [plugins.'io.containerd.cri.v1.images'.registry]
    config_path = '{certificates}'

[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = {restrict}
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ['{cni}']
    conf_dir = '/etc/cni/net.d'
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
    runtime_type = 'io.containerd.runc.v2'
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
      BinaryName = 'runc'
      SystemdCgroup = {systemd}
"""

_UNIT = """[Unit]
Description=containerd (safe-harbor)
After=network.target

[Service]
Type=notify
Environment=PATH={bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
ExecStart={bin}/containerd --config {config}
Delegate=yes
KillMode=process
Restart=always
RestartSec=2
TasksMax=infinity
{limits}
[Install]
WantedBy=multi-user.target
"""

# Both need CAP_SYS_RESOURCE; where a host's services lack it, systemd would refuse to start the service.
_LIMITS = "LimitNOFILE=1048576\nOOMScoreAdjust=-999\n"

_HOSTS = """# written by safe-harbor
server = "https://{address}"

[host."https://{address}"]
  capabilities = ["pull", "resolve"]
  ca = "{folder}/ca.crt"
"""


def service(preparation: Preparation, capabilities: frozenset[int], cgroup: int) -> Service:
    """containerd as it shall run on a host with these capabilities and this cgroup version."""
    able = CAP_SYS_RESOURCE in capabilities
    config = _CONFIG.format(
        pause=PAUSE,
        certificates=CERTIFICATES,
        restrict="false" if able else "true",
        cni=CNI,
        systemd="true" if cgroup == 2 else "false",
    )
    unit = _UNIT.format(bin=BIN, config=CONFIG, limits=_LIMITS if able else "")
    return Service(
        "containerd.service",
        unit,
        (Wanted(CONFIG, config.encode()),),
        digests(preparation, *CONTAINERD),
    )


def registry_files(preparation: Preparation) -> tuple[Wanted, ...]:
    """How containerd trusts the site's registry; it reads these at every pull, without a restart."""
    address = preparation.site.target.registry.address
    folder = f"{CERTIFICATES}/{address}"
    return (
        Wanted(f"{folder}/ca.crt", preparation.registry_ca),
        Wanted(f"{folder}/hosts.toml", _HOSTS.format(address=address, folder=folder).encode()),
    )
