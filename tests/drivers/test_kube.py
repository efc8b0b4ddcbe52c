"""The Kubernetes driver against a real API server."""

from __future__ import annotations

import http.server
import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from inventory.errors import BadInput
from tasks.drivers import kube as module
from tasks.drivers import kube_exec
from tasks.drivers.errors import Denied, HostKeyRefused, HostUnreachable, LoginRefused, ServiceFailed
from tasks.drivers.kube import KubeApi
from tasks.drivers.kube_refusals import refusal
from tests.drivers.api_server import ApiServer, free_port, running

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with running(tmp_path_factory.mktemp("api")) as started:
        yield started


@pytest.fixture
def kube(server: ApiServer) -> Iterator[KubeApi]:
    opened = KubeApi.open(server.kubeconfig())
    yield opened
    opened.close()


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default", "labels": {"app": "test"}},
        "data": data,
    }


def test_the_name_is_the_contexts_or_the_given_one(server: ApiServer, kube: KubeApi) -> None:
    assert kube.name == "here"
    assert KubeApi.open(server.kubeconfig(), "oslo").name == "oslo"


def test_kinds_have_each_kind_once_and_no_subresource(kube: KubeApi) -> None:
    kinds = kube.kinds()
    assert ("v1", "Pod") in kinds
    assert ("apps/v1", "Deployment") in kinds
    assert ("discovery.k8s.io/v1", "EndpointSlice") in kinds
    assert ("autoscaling/v2", "HorizontalPodAutoscaler") in kinds
    assert ("autoscaling/v1", "HorizontalPodAutoscaler") not in kinds
    assert not [kind for _, kind in kinds if kind in ("PodExecOptions", "Scale", "TokenReview")]


def test_apply_says_whether_the_object_changed(kube: KubeApi) -> None:
    assert kube.apply(config_map("changes", a="1"), dry_run=True)
    assert kube.get("v1", "ConfigMap", "changes", namespace="default") is None, "a dry run stores nothing"
    assert kube.apply(config_map("changes", a="1"))
    assert not kube.apply(config_map("changes", a="1"))
    assert not kube.apply(config_map("changes", a="1"), dry_run=True)
    assert kube.apply(config_map("changes", a="2"), dry_run=True)
    assert kube.apply(config_map("changes", a="2"))
    stored = kube.get("v1", "ConfigMap", "changes", namespace="default")
    assert stored is not None
    assert stored["data"] == {"a": "2"}
    assert stored["metadata"]["managedFields"][0]["manager"] == "safe-harbor"


def test_a_pod_is_evicted_as_its_budget_allows(kube: KubeApi) -> None:
    labels = {"app": "kept"}
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "default", "namespace": "default"},
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "kept", "namespace": "default", "labels": labels},
        "spec": {"containers": [{"name": "c", "image": "none"}], "nodeName": "nowhere"},
    }
    budget = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "kept", "namespace": "default"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": labels}},
    }
    for manifest in (account, budget, pod):
        kube.apply(manifest)
    assert kube.evict("default", "gone"), "a pod that is not there has left"
    assert kube.evict("default", "kept"), "a pod that never ran may go, whatever its budget says"


def test_a_dry_run_in_a_namespace_that_is_not_there_yet_is_a_change(kube: KubeApi) -> None:
    manifest = config_map("x") | {"metadata": {"name": "x", "namespace": "tomorrow"}}
    assert kube.apply(manifest, dry_run=True)
    with pytest.raises(ServiceFailed, match="tomorrow"):
        kube.apply(manifest)


def test_list_reads_every_page_and_selects(kube: KubeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE_OBJECTS", 2)
    for number in range(5):
        kube.apply(config_map(f"page-{number}"))
    names = [item["metadata"]["name"] for item in kube.list("v1", "ConfigMap", selector="app=test")]
    assert [name for name in names if name.startswith("page-")] == [f"page-{n}" for n in range(5)]
    assert {item["kind"] for item in kube.list("v1", "Namespace")} == {"Namespace"}
    assert kube.list("v1", "ConfigMap", namespace="default", selector="app=none") == []


def test_delete_says_whether_it_was_there(kube: KubeApi) -> None:
    kube.apply(config_map("gone"))
    assert kube.delete("v1", "ConfigMap", "gone", namespace="default")
    assert not kube.delete("v1", "ConfigMap", "gone", namespace="default")


def test_an_unknown_kind_is_named(kube: KubeApi) -> None:
    with pytest.raises(ServiceFailed, match=r"no kind Shop in fjord\.example/v1"):
        kube.list("fjord.example/v1", "Shop")


def test_a_kind_that_comes_later_is_found(kube: KubeApi) -> None:
    assert kube.list("apps/v1", "Deployment") == []
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "boats.fjord.example"},
        "spec": {
            "group": "fjord.example",
            "scope": "Cluster",
            "names": {"plural": "boats", "kind": "Boat"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": {"type": "object"}},
                }
            ],
        },
    }
    assert kube.apply(crd)
    for _ in range(50):
        try:
            assert kube.list("fjord.example/v1", "Boat") == []
            return
        except ServiceFailed:
            time.sleep(0.1)
    pytest.fail("the new kind is not found")


def test_an_unknown_token_is_a_login_refused(server: ApiServer) -> None:
    with pytest.raises(LoginRefused, match="401"):
        KubeApi.open(server.kubeconfig("nobody")).list("v1", "Pod")


def test_a_kubeconfig_without_rights_is_denied_and_says_what(server: ApiServer) -> None:
    poor = KubeApi.open(server.kubeconfig("poor"))
    with pytest.raises(Denied, match=r'"poor" cannot list resource "secrets"'):
        poor.list("v1", "Secret")
    with pytest.raises(Denied, match=r"patch|get"):
        poor.apply(config_map("denied"))
    with pytest.raises(Denied, match="pods/exec"):
        poor.execute("default", "pod", ["true"])


def test_a_server_that_is_not_there_is_unreachable(server: ApiServer) -> None:
    gone = KubeApi.open(server.kubeconfig(port=free_port()))
    with pytest.raises(HostUnreachable, match="does not answer"):
        gone.list("v1", "Pod")
    with pytest.raises(HostUnreachable):
        gone.execute("default", "pod", ["true"])


def test_another_servers_certificate_is_refused(server: ApiServer, tmp_path: Path) -> None:
    other = tmp_path / "other.crt"
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=other", "-days", "1"]
    subprocess.run([*words, "-keyout", tmp_path / "key", "-out", other], check=True, capture_output=True)
    with pytest.raises(HostKeyRefused, match="certificate"):
        KubeApi.open(server.kubeconfig(ca=other)).list("v1", "Pod")
    with pytest.raises(HostKeyRefused, match="certificate"):
        KubeApi.open(server.kubeconfig(ca=other)).execute("default", "pod", ["true"])


def test_a_server_that_lets_nobody_in_at_first_is_asked_again(tmp_path: Path) -> None:
    """The first dial is refused: the port is bound, and listens a moment later."""
    with socket.socket() as late:
        late.bind(("127.0.0.1", 0))
        configuration = client.Configuration(host=f"http://127.0.0.1:{late.getsockname()[1]}")

        def answer() -> None:
            late.listen()
            asker, _ = late.accept()
            with asker:
                asker.recv(4096)
                asker.sendall(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")

        timer = threading.Timer(0.1, answer)
        timer.start()
        with pytest.raises(Denied, match="403"):
            kube_exec.execute(configuration, {}, "/exec", "pod", 5.0)
        timer.join()


def test_running_a_program_in_a_missing_pod_fails_by_name(kube: KubeApi) -> None:
    with pytest.raises(ServiceFailed, match=r"pod default/nobody.*404"):
        kube.execute("default", "nobody", ["true"])


@pytest.mark.parametrize("content", [": [", "{}", "apiVersion: v1\nkind: Config\n", "- 1"])
def test_a_broken_kubeconfig_is_bad_input(tmp_path: Path, content: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(content)
    with pytest.raises(BadInput, match=str(path)):
        KubeApi.open(path)


def test_a_missing_kubeconfig_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such kubeconfig"):
        KubeApi.open(tmp_path / "none")


def test_a_kubeconfig_without_tls_verification_is_refused(server: ApiServer, tmp_path: Path) -> None:
    path = tmp_path / "insecure"
    text = server.kubeconfig().read_text()
    path.write_text(text.replace('"certificate-authority"', '"insecure-skip-tls-verify": true, "x"'))
    with pytest.raises(BadInput, match="TLS verification"):
        KubeApi.open(path)


def test_an_answer_that_is_not_a_status_object_is_shown() -> None:
    assert "502: <html>bad gateway" in str(refusal("oslo", "GET /api", 502, b"<html>bad gateway"))


class KubeProxy(http.server.BaseHTTPRequestHandler):
    """Plays kube-proxy's metrics port."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/proxyMode" else 404)
        self.end_headers()
        self.wfile.write(b"userspace" if self.path == "/proxyMode" else b"not found")

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is shown."""


def own_address() -> str:
    """An address of this machine that is not loopback: the API server refuses to ask that one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # nothing is sent
        return str(probe.getsockname()[0])


@pytest.fixture
def node_port(server: ApiServer, kube: KubeApi) -> Iterator[int]:
    """A node of this machine's address, with something that listens there."""
    address = own_address()
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}}
    kube.apply(node)
    status = {"addresses": [{"type": "InternalIP", "address": address}]}
    patch = ["--type=merge", "--subresource=status", "-p", json.dumps({"status": status})]
    kubectl = server.folder / "kubectl"
    if not kubectl.is_symlink():
        kubectl.symlink_to((server.folder / "kube-apiserver").readlink())
    argv = [kubectl, f"--kubeconfig={server.kubeconfig()}", "patch", "node", "n1", *patch]
    subprocess.run(argv, check=True, capture_output=True, timeout=60)
    with http.server.ThreadingHTTPServer((address, 0), KubeProxy) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield listening.server_address[1]
        listening.shutdown()


def test_a_node_is_asked_through_the_api_server(server: ApiServer, kube: KubeApi, node_port: int) -> None:
    assert kube.node_get("n1", node_port, "proxyMode") == "userspace"
    with pytest.raises(ServiceFailed, match="404"):
        kube.node_get("n1", node_port, "/nothing")
    with pytest.raises(ServiceFailed):
        kube.node_get("n1", free_port(), "proxyMode")
    with pytest.raises(ServiceFailed, match="not found"):
        kube.node_get("no-such-node", node_port, "proxyMode")
    poor = KubeApi.open(server.kubeconfig("poor"))
    with pytest.raises(Denied, match="nodes/proxy"):
        poor.node_get("n1", node_port, "proxyMode")
    poor.close()
