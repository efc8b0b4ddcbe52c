"""The bed's control plane: etcd and an API server that lets everyone with its token do everything."""

from __future__ import annotations

import ctypes
import http.client
import json
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from benchmarks.service_bed.process import Process, start
from rehearsal.netns import NAMED, ip

NETNS, ADDRESS, PORT = "shb-api", "10.199.0.1", 6443
BRIDGE = "shb-br0"
SERVICES = "10.96.0.0/16"
READY_S = 60.0
_TOKEN = "bed"  # noqa: S105 - of an API server that lives for minutes, in a namespace that nothing reaches
_CLONE_NEWNET = 0x40000000
_AT_ONCE = 4


class Api:
    """One connection to the API server, made in its namespace; used from anywhere."""

    def __init__(self) -> None:
        with ThreadPoolExecutor(1) as apart:  # the namespace is the thread's, and the socket keeps it
            self._connection = apart.submit(_dial).result()

    def ask(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> Any:
        """The answer's document. Raises RuntimeError for a status of 300 or more."""
        headers = {"Authorization": f"Bearer {_TOKEN}", "Content-Type": kind}
        self._connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        response = self._connection.getresponse()
        text = response.read().decode()
        if response.status >= 300:
            raise RuntimeError(f"{method} {path}: {response.status} {text[:300]}")
        return json.loads(text) if text.startswith("{") else text

    def close(self) -> None:
        """End the connection."""
        self._connection.close()


def _dial() -> http.client.HTTPSConnection:
    with (NAMED / NETNS).open() as namespace:
        if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter {NETNS}")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # its certificate is its own
    connection = http.client.HTTPSConnection(ADDRESS, PORT, timeout=30, context=context)
    connection.connect()
    return connection


def raise_plane(folder: Path, programs: Path, started: list[Process]) -> None:
    """Start etcd and the API server (noted in `started`), and write `kubeconfig`.

    Raises TimeoutError with the end of the API server's log.
    """
    ip("netns", "add", NETNS)
    lines = ["link set lo up", f"link add {BRIDGE} type bridge", f"addr add {ADDRESS}/24 dev {BRIDGE}"]
    ip(netns=NETNS, batch="\n".join([*lines, f"link set {BRIDGE} up"]))
    (folder / "tokens.csv").write_text(f"{_TOKEN},bed,1\n")
    key = ec.generate_private_key(ec.SECP256R1())
    form = (
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    (folder / "account.key").write_bytes(key.private_bytes(*form))
    (folder / "kubeconfig").write_text(json.dumps(_kubeconfig()))
    for name in ("kube-apiserver", "kube-proxy"):
        (folder / name).symlink_to(programs / "kubernetes")
    etcd = [str(programs / "etcd"), f"--data-dir={folder}/etcd", "--unsafe-no-fsync", "--log-level=error"]
    server = [
        str(folder / "kube-apiserver"),
        "--etcd-servers=http://127.0.0.1:2379",
        f"--advertise-address={ADDRESS}",
        f"--secure-port={PORT}",
        f"--cert-dir={folder}/certificates",
        f"--service-cluster-ip-range={SERVICES}",
        "--service-account-issuer=https://bed",
        f"--service-account-signing-key-file={folder}/account.key",
        f"--service-account-key-file={folder}/account.key",
        f"--token-auth-file={folder}/tokens.csv",
        "--authorization-mode=AlwaysAllow",
        "--disable-admission-plugins=ServiceAccount",
    ]
    started += [start(NETNS, etcd, folder / "etcd.log"), start(NETNS, server, folder / "api.log")]
    end = time.monotonic() + READY_S
    while not _ready():
        if time.monotonic() > end or started[1].running.poll() is not None:
            tail = (folder / "api.log").read_text()[-600:]
            raise TimeoutError(f"the API server is not ready in {READY_S:g} s: {tail}")
        time.sleep(0.2)


def add_services(first: int, last: int) -> float:
    """Services number `first` to `last` - 1, each with one endpoint; the seconds that making them took."""
    began = time.monotonic()

    def some(share: int) -> None:
        api = Api()
        for number in range(first + share, last, _AT_ONCE):
            name = f"dummy-{number}"
            service, endpoints = service_and_slice(
                name,
                f"10.96.{64 + number // 250}.{1 + number % 250}",
                [f"10.250.{number // 250}.{number % 250}"],
                80,
            )
            api.ask("POST", "/api/v1/namespaces/default/services", service)
            api.ask("POST", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", endpoints)
        api.close()

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(some, range(_AT_ONCE)))
    return time.monotonic() - began


def service_and_slice(name: str, address: str, ends: list[str], port: int) -> tuple[Any, Any]:
    """A Service at this cluster address, and its one EndpointSlice."""
    metadata = {"name": name, "labels": {"kubernetes.io/service-name": name}}
    ports = [{"port": 80, "targetPort": port, "protocol": "TCP"}]
    service = {"metadata": {"name": name}, "spec": {"clusterIP": address, "ports": ports}}
    endpoints = {
        "metadata": metadata,
        "addressType": "IPv4",
        "ports": [{"port": port, "protocol": "TCP"}],
        "endpoints": [{"addresses": [end], "conditions": {"ready": True}} for end in ends],
    }
    return service, endpoints


def _ready() -> bool:
    try:
        api = Api()
        api.ask("GET", "/readyz")
        api.ask("GET", "/api/v1/namespaces/default")
    except (OSError, RuntimeError):
        return False
    api.close()
    return True


def _kubeconfig() -> dict[str, Any]:
    cluster = {"server": f"https://{ADDRESS}:{PORT}", "insecure-skip-tls-verify": True}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "bed", "cluster": cluster}],
        "users": [{"name": "bed", "user": {"token": _TOKEN}}],
        "contexts": [{"name": "bed", "context": {"cluster": "bed", "user": "bed"}}],
        "current-context": "bed",
    }
