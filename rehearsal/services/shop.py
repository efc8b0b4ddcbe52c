"""The shop's objects in the source cluster, as a team would have written them, and their way in there.

Services without selector get both an Endpoints object (kube-proxy 1.25 in userspace mode reads nothing else)
and an EndpointSlice; the label `skip-mirror` keeps the cluster from making a second slice of the first.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from rehearsal.plan import Plan
from rehearsal.services.database import APP_USER
from rehearsal.services.files import read_secret
from tasks.drivers.errors import OutsideError, ServiceFailed
from tasks.drivers.kube import KubeApi

NAMESPACE = "shop"
LEGACY = "legacy"
PORT = 8080
REPLICAS = 3
PAUSE_IMAGE = "registry.k8s.io/pause:3.10.2"  # on every node of the source

Manifest = dict[str, Any]


def publish(plan: Plan, kubeconfig: Path, *, within_s: float = 120.0) -> None:
    """Apply the shop's objects and wait until every replica is ready. Raises OutsideError."""
    cluster = KubeApi.open(kubeconfig, "aws")
    for manifest in manifests(plan):
        cluster.apply(manifest)
    end = time.monotonic() + within_s
    while (ready := _ready(cluster)) < REPLICAS:
        if time.monotonic() > end:
            pods = cluster.list("v1", "Pod", namespace=NAMESPACE)
            states = "; ".join(_why(pod) for pod in pods) or "no pod was made"
            raise ServiceFailed("shop", f"{ready} of {REPLICAS} replicas ready in {within_s:.0f} s: {states}")
        time.sleep(0.25)


def manifests(plan: Plan) -> list[Manifest]:
    """Every object, in the order in which they are applied: Services before the pods that find them by
    their environment variables (the cluster has no DNS)."""
    return [
        _object("v1", "Namespace", "", NAMESPACE),
        _object("v1", "Namespace", "", LEGACY),
        _object(
            "v1", "ResourceQuota", NAMESPACE, "shop", spec={"hard": {"pods": "20", "requests.memory": "4Gi"}}
        ),
        _settings(plan),
        _secret(plan),
        *_database_service(plan, "db-read"),
        *_database_service(plan, "db-primary"),
        _service(plan),
        _deployment(plan),
        _legacy_mailer(),
    ]


def _object(api_version: str, kind: str, namespace: str, name: str, **content: Any) -> Manifest:
    labels = content.pop("labels", {"app.kubernetes.io/part-of": "fjordshop"})
    metadata: Manifest = {"name": name, "labels": labels}
    if namespace:
        metadata["namespace"] = namespace
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}


def _settings(plan: Plan) -> Manifest:
    media_url = f"http://{plan.moto_private}:{plan.moto_port}/{plan.bucket}"
    data = {"SITE": "aws", "DB_NAME": plan.database, "DB_USER": APP_USER, "MEDIA_URL": media_url}
    return _object("v1", "ConfigMap", NAMESPACE, "shop", data=data)


def _secret(plan: Plan) -> Manifest:
    data = {"password": read_secret(plan, "shop-database.password"), "ca.crt": plan.ca_file.read_text()}
    return _object("v1", "Secret", NAMESPACE, "shop-database", type="Opaque", stringData=data)


def _database_service(plan: Plan, name: str) -> list[Manifest]:
    port = {"name": "mariadb", "port": plan.mariadb_port, "protocol": "TCP"}
    slice_labels = {
        "kubernetes.io/service-name": name,
        "endpointslice.kubernetes.io/managed-by": "fjordshop",
        "app.kubernetes.io/part-of": "fjordshop",
    }
    skip = {"endpointslice.kubernetes.io/skip-mirror": "true", "app.kubernetes.io/part-of": "fjordshop"}
    return [
        _object(
            "v1", "Service", NAMESPACE, name, spec={"ports": [{**port, "targetPort": plan.mariadb_port}]}
        ),
        _object(
            "v1",
            "Endpoints",
            NAMESPACE,
            name,
            labels=skip,
            subsets=[{"addresses": [{"ip": plan.rds_private}], "ports": [port]}],
        ),
        _object(
            "discovery.k8s.io/v1",
            "EndpointSlice",
            NAMESPACE,
            f"{name}-1",
            labels=slice_labels,
            addressType="IPv4",
            endpoints=[{"addresses": [plan.rds_private], "conditions": {"ready": True}}],
            ports=[port],
        ),
    ]


def _service(plan: Plan) -> Manifest:
    port = {"name": "http", "port": 80, "targetPort": PORT, "nodePort": plan.node_port, "protocol": "TCP"}
    spec = {"type": "NodePort", "selector": {"app": "shop"}, "ports": [port]}
    return _object("v1", "Service", NAMESPACE, "shop", spec=spec)


def _deployment(plan: Plan) -> Manifest:
    fixed = {
        "LISTEN": f":{PORT}",
        "DB_READ": "$(DB_READ_SERVICE_HOST):$(DB_READ_SERVICE_PORT)",
        "DB_PRIMARY": "$(DB_PRIMARY_SERVICE_HOST):$(DB_PRIMARY_SERVICE_PORT)",
        "DB_PASSWORD_FILE": "/run/secrets/database/password",
        "DB_CA_FILE": "/run/secrets/database/ca.crt",
    }
    container = {
        "name": "shop",
        "image": f"{plan.registry_host}/{plan.image}",
        "imagePullPolicy": "IfNotPresent",
        "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
        "envFrom": [{"configMapRef": {"name": "shop"}}],
        "env": [{"name": name, "value": value} for name, value in fixed.items()],
        "readinessProbe": _probe("/readyz", period_s=1, failures=3),
        "livenessProbe": _probe("/healthz", period_s=5, failures=6),
        "lifecycle": {"preStop": {"sleep": {"seconds": 2}}},
        "resources": {"requests": {"cpu": "50m", "memory": "32Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "database", "mountPath": "/run/secrets/database", "readOnly": True}],
    }
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": {"app": "shop"}},
    }
    pod = {
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "fsGroup": 65532},
        "dnsPolicy": "Default",  # the cluster has no DNS of its own, and the shop needs none
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 30,
        "topologySpreadConstraints": [spread],
        "containers": [container],
        "volumes": [{"name": "database", "secret": {"secretName": "shop-database", "defaultMode": 0o440}}],
    }
    return _deploy(NAMESPACE, "shop", REPLICAS, pod)


def _legacy_mailer() -> Manifest:
    """The flaw that a survey must find: it has no readiness probe. It does not move."""
    container = {
        "name": "mailer",
        "image": PAUSE_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "resources": {"requests": {"cpu": "1m", "memory": "4Mi"}},
    }
    return _deploy(LEGACY, "mailer-legacy", 1, {"dnsPolicy": "Default", "containers": [container]})


def _deploy(namespace: str, name: str, replicas: int, pod: Manifest) -> Manifest:
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": {"app": name}},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "template": {"metadata": {"labels": {"app": name}}, "spec": pod},
    }
    return _object("apps/v1", "Deployment", namespace, name, spec=spec)


def _probe(path: str, *, period_s: int, failures: int) -> Manifest:
    return {
        "httpGet": {"path": path, "port": "http"},
        "periodSeconds": period_s,
        "timeoutSeconds": 3,
        "failureThreshold": failures,
    }


def _ready(cluster: KubeApi) -> int:
    try:
        deployment = cluster.get("apps/v1", "Deployment", "shop", namespace=NAMESPACE)
    except OutsideError:
        return 0
    if deployment is None:
        return 0
    status = deployment.get("status", {})
    if status.get("observedGeneration", 0) < deployment["metadata"].get("generation", 0):
        return 0
    if status.get("replicas", 0) > REPLICAS:
        return 0  # pods of an older template are still there
    return int(min(status.get("updatedReplicas", 0), status.get("availableReplicas", 0)))


def _why(pod: Manifest) -> str:
    states = [status.get("state", {}) for status in pod.get("status", {}).get("containerStatuses", [])]
    waiting = [state["waiting"].get("reason", "") for state in states if "waiting" in state]
    phase = pod.get("status", {}).get("phase", "?")
    return f"{pod['metadata']['name']} {phase} {' '.join(waiting)}".strip()
