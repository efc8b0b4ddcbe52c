"""An API server in this process that shows a made-up cluster: kubeadm's objects, kube-flannel.yml's, a shop.

It answers what a reader asks (discovery, lists, objects, what nodes say) and takes nothing. The nodes in it
are hosts that exist; what their kubelet and kube-proxy would say of themselves is made up as well.
"""

from __future__ import annotations

import http.server
import json
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

SERVICES = 40
_PLURALS = {
    "v1": {
        "Node": "nodes",
        "Pod": "pods",
        "Service": "services",
        "ConfigMap": "configmaps",
        "Secret": "secrets",
    }
    | {"Namespace": "namespaces", "PersistentVolumeClaim": "persistentvolumeclaims"}
    | {"ServiceAccount": "serviceaccounts"},
    "apps/v1": {"DaemonSet": "daemonsets", "Deployment": "deployments", "StatefulSet": "statefulsets"},
    "discovery.k8s.io/v1": {"EndpointSlice": "endpointslices"},
    "networking.k8s.io/v1": {"NetworkPolicy": "networkpolicies", "Ingress": "ingresses"},
    "policy/v1": {"PodDisruptionBudget": "poddisruptionbudgets"},
    "storage.k8s.io/v1": {"StorageClass": "storageclasses"},
    "batch/v1": {"CronJob": "cronjobs", "Job": "jobs"},
}
_WHOLE_CLUSTER = {"Node", "Namespace", "StorageClass"}
_PATH = re.compile(
    r"^/(?:api/(?P<core>v1)|apis/(?P<group>[^/]+/[^/]+))"
    r"(?:/namespaces/(?P<namespace>[^/]+)(?=/))?/(?P<plural>[a-z]+)(?:/(?P<name>[^/]+))?$"
)
_OF_NODE = re.compile(r"^/api/v1/nodes/(?P<node>[^:]+):\d+/proxy/(?P<page>.+)$")


def cluster(addresses: Mapping[str, str], *, services: int = SERVICES) -> list[dict[str, Any]]:
    """The objects of a cluster with these nodes (name -> address), and so many Services of one pod each."""
    names = list(addresses)
    found = [_node(number, name, addresses[name]) for number, name in enumerate(names)]
    found += [_named("Namespace", each, "") for each in ("default", "kube-system", "kube-flannel", "shop")]
    found += _system()
    for number in range(services):
        found += _service(number, names[number % len(names)])
    return found


def _named(kind: str, name: str, namespace: str, **more: Any) -> dict[str, Any]:
    version = next(version for version, kinds in _PLURALS.items() if kind in kinds)
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **more}


def _node(number: int, name: str, address: str) -> dict[str, Any]:
    node = _named("Node", name, "", spec={"podCIDR": f"10.244.{number}.0/24"})
    node["metadata"]["annotations"] = {
        "flannel.alpha.coreos.com/backend-type": "vxlan",
        "flannel.alpha.coreos.com/backend-data": '{"VNI":1,"VtepMAC":"0e:f9:5d:ac:25:b7"}',
        "flannel.alpha.coreos.com/public-ip": address,
    }
    info = {"bootID": f"boot-{number}", "systemUUID": f"uuid-{number}", "kernelVersion": "6.1.0-28-amd64"}
    node["status"] = {
        "addresses": [{"type": "InternalIP", "address": address}],
        "capacity": {"cpu": "8", "memory": "32Gi", "ephemeral-storage": "100Gi"},
        "conditions": [{"type": "Ready", "status": "True"}],
        "nodeInfo": info | {"kubeletVersion": "v1.37.1"},
    }
    return node


def _system() -> list[dict[str, Any]]:
    network = {"Network": "10.244.0.0/16", "EnableNFTables": False, "Backend": {"Type": "vxlan"}}
    proxy = "kind: KubeProxyConfiguration\nmode: ''\niptables: {masqueradeAll: false}\n"
    kubeadm = "networking: {podSubnet: 10.244.0.0/16, serviceSubnet: 10.96.0.0/12}\n"
    return [
        _named("ConfigMap", "kube-flannel-cfg", "kube-flannel", data={"net-conf.json": json.dumps(network)}),
        _daemon("kube-flannel-ds", "kube-flannel", "/opt/bin/flanneld", "kube-flannel-cfg"),
        _named("ConfigMap", "kube-proxy", "kube-system", data={"config.conf": proxy}),
        _daemon("kube-proxy", "kube-system", "/usr/local/bin/kube-proxy", "kube-proxy"),
        _named("ConfigMap", "kubeadm-config", "kube-system", data={"ClusterConfiguration": kubeadm}),
    ]


def _daemon(name: str, namespace: str, program: str, config_map: str) -> dict[str, Any]:
    pods = {
        "containers": [{"name": name, "image": f"registry.example/{name}:v1", "command": [program]}],
        "volumes": [{"name": "configuration", "configMap": {"name": config_map}}],
    }
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": pods}
    return _named(
        "DaemonSet", name, namespace, spec={"selector": {"matchLabels": labels}, "template": template}
    )


def _service(number: int, node: str) -> list[dict[str, Any]]:
    """A Deployment without readiness probe, its pod, its Service and what stands behind it."""
    name, address, labels = f"shop-{number}", f"10.244.200.{number + 1}", {"app": f"shop-{number}"}
    container = {"name": "shop", "image": "registry.example/shop:v1", "ports": [{"containerPort": 8080}]}
    spec = {"containers": [container]}
    template = {"metadata": {"labels": labels}, "spec": spec}
    ports = [{"port": 80, "targetPort": 8080, "protocol": "TCP", "nodePort": 30000 + number}]
    pod = _named("Pod", name, "shop", spec={**spec, "nodeName": node})
    pod["metadata"]["labels"] = labels
    pod["status"] = {"podIP": address, "phase": "Running"}
    slice_ = _named("EndpointSlice", name, "shop", addressType="IPv4", ports=[{"name": "", "port": 8080}])
    slice_["metadata"]["labels"] = {"kubernetes.io/service-name": name}
    slice_["endpoints"] = [{"addresses": [address], "conditions": {"ready": True}, "nodeName": node}]
    deployment = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    service = {"type": "NodePort", "clusterIP": f"10.96.0.{number + 10}", "selector": labels, "ports": ports}
    return [
        _named("Deployment", name, "shop", spec=deployment),
        pod,
        _named("Service", name, "shop", spec=service),
        slice_,
    ]


def _said_by(node: str, page: str) -> str | None:
    number = int(re.sub(r"\D", "", node) or 0)
    tasks = round(200 * 1.07**number)  # no two within 3 %, which would be a sign of one kernel
    usage = {"node": {"rlimit": {"curproc": tasks}}}
    conntrack = {"Conntrack": {"MaxPerCore": 32768, "Min": 131072}}
    return {
        "proxyMode": "iptables",
        "configz": json.dumps({"kubeproxy.config.k8s.io": conntrack}),
        "stats/summary": json.dumps(usage),
        "metrics/cadvisor": 'container_processes{container="",id="/"} 120 1\n',
    }.get(page)


class _Shown:
    """The objects by where they are found."""

    def __init__(self, objects: Sequence[dict[str, Any]]) -> None:
        self._objects = objects

    def answer(self, url: str) -> object:
        """A document, text, or None where there is nothing."""
        path, query = urlsplit(url).path, urlsplit(url).query
        said = _OF_NODE.match(path)
        if said:
            return _said_by(said["node"], said["page"])
        if path == "/apis":
            return {"groups": [_group(version) for version in _PLURALS if version != "v1"]}
        version = path.removeprefix("/apis/").removeprefix("/api/")
        if version in _PLURALS:
            return {"resources": [_resource(kind, plural) for kind, plural in _PLURALS[version].items()]}
        place = _PATH.match(path)
        return self._found(place, query) if place else None

    def _found(self, place: re.Match[str], query: str) -> object:
        kinds = _PLURALS.get(place["core"] or place["group"], {})
        kind = next((kind for kind, plural in kinds.items() if plural == place["plural"]), "")
        those = [
            each
            for each in self._objects
            if each["kind"] == kind and place["namespace"] in (None, each["metadata"].get("namespace"))
        ]
        if place["name"]:
            return next((each for each in those if each["metadata"]["name"] == place["name"]), None)
        return {"items": [] if "labelSelector" in query else those, "metadata": {}}


def _group(version: str) -> dict[str, Any]:
    return {"preferredVersion": {"groupVersion": version}, "versions": [{"groupVersion": version}]}


def _resource(kind: str, plural: str) -> dict[str, Any]:
    return {"kind": kind, "name": plural, "namespaced": kind not in _WHOLE_CLUSTER, "verbs": ["get", "list"]}


@contextmanager
def serving(objects: Sequence[dict[str, Any]], folder: Path) -> Iterator[Path]:
    """Serve them on loopback meanwhile; the path of the kubeconfig that leads there."""
    shown = _Shown(objects)

    class Answering(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            found = shown.answer(self.path)
            body = (
                found.encode()
                if isinstance(found, str)
                else json.dumps(found or {"message": "none"}).encode()
            )
            self.send_response(404 if found is None else 200)
            self.send_header("Content-Type", "text/plain" if isinstance(found, str) else "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing is shown."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        file = folder / "kubeconfig"
        file.write_text(json.dumps(_kubeconfig(server.server_address[1])))
        file.chmod(0o600)
        yield file
        server.shutdown()


def _kubeconfig(port: int) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "u", "user": {"token": "none"}}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "here",
    }
