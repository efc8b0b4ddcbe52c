"""A cluster's API over the `kubernetes` client, as plain JSON objects: implements `ports.Kube`.

Objects are read and written as the server has them, with no generated models between, so that a kind which
the client has never heard of (a CRD) passes unchanged. TLS is always verified.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urlencode

import urllib3
import yaml
from kubernetes import client, config
from kubernetes.config.config_exception import ConfigException

from inventory.errors import BadInput
from tasks.drivers.errors import HostUnreachable, ServiceFailed, Throttled
from tasks.drivers.kube_exec import execute
from tasks.drivers.kube_kinds import Catalogue, Served
from tasks.drivers.kube_refusals import no_answer, refusal
from tasks.drivers.ports import Json, Output

log = logging.getLogger(__name__)

FIELD_MANAGER = "safe-harbor"
PAGE_OBJECTS = 500
CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 30.0
_Found = list[dict[str, Any]]
_VOLATILE = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp")


class KubeApi:
    """A connection pool to one API server; may be used by several threads at once."""

    def __init__(self, name: str, configuration: client.Configuration) -> None:
        if not configuration.verify_ssl:
            raise BadInput(
                f"{name}: the kubeconfig turns TLS verification off; give certificate-authority-data"
            )
        # A stale keep-alive connection is tried again; an answer of the server never is.
        configuration.retries = urllib3.Retry(total=3, connect=2, read=1, status=0, backoff_factor=0.2)
        self._name = name
        self._configuration = configuration
        self._rest = client.rest.RESTClientObject(configuration)
        self._catalogue = Catalogue(self._fetch)

    @classmethod
    def open(cls, kubeconfig: Path, name: str = "", context: str | None = None) -> Self:
        """Opens a cluster by its kubeconfig; nothing is asked of the server yet.

        `context` and `name` default to the current context and its name. Raises BadInput where the file is
        missing or cannot be used.
        """
        if not kubeconfig.is_file():
            raise BadInput("there is no such kubeconfig", kubeconfig)
        configuration = type.__call__(client.Configuration)
        try:
            contexts, active = config.list_kube_config_contexts(  # type: ignore[no-untyped-call] # untyped library
                config_file=str(kubeconfig)
            )
            config.load_kube_config(  # type: ignore[no-untyped-call] # untyped library
                config_file=str(kubeconfig),
                context=context,
                client_configuration=configuration,
                persist_config=False,
            )
        except (ConfigException, yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise BadInput(f"not a usable kubeconfig: {error}", kubeconfig) from error
        log.debug("%s has %d contexts", kubeconfig, len(contexts))
        return cls(name or str(active["name"]), configuration)

    @classmethod
    def open_any(cls, kubeconfig: Path, name: str = "") -> Self:
        """Opens a cluster by the first context of its kubeconfig whose server answers, the current one first.

        Where none answers it is the current one, whose error the caller will meet. Raises as `open`.
        """
        first = cls.open(kubeconfig, name)
        contexts, active = config.list_kube_config_contexts(  # type: ignore[no-untyped-call] # untyped library
            config_file=str(kubeconfig)
        )
        others = [str(each["name"]) for each in contexts if each["name"] != active["name"]]
        if not others:
            return first
        for opened in (first, *(cls.open(kubeconfig, name, other) for other in others)):
            try:
                opened.version()
            except (HostUnreachable, ServiceFailed) as error:
                log.warning("%s", error)
                continue
            return opened
        return first

    @property
    def name(self) -> str:
        """The cluster's name."""
        return self._name

    def close(self) -> None:
        """End the connections."""
        self._rest.close()

    def kinds(self) -> Sequence[tuple[str, str]]:
        """See `ports.Kube`: each kind once, in its group's preferred version."""
        return self._catalogue.listable()

    def version(self) -> str:
        """The server's version, like `v1.37.1`."""
        return str(self._fetch("/version")["gitVersion"])

    def list(
        self, api_version: str, kind: str, *, namespace: str | None = None, selector: str = ""
    ) -> list[dict[str, Any]]:
        """See `ports.Kube`. Reads page by page, and starts again once where a page expired meanwhile."""
        path = self._served(api_version, kind).path(namespace)
        try:
            return self._pages(path, api_version, kind, selector)
        except _Expired:
            log.info("%s: the listing of %s expired; it is read again", self._name, kind)
            return self._pages(path, api_version, kind, selector)

    def get(
        self, api_version: str, kind: str, name: str, *, namespace: str | None = None
    ) -> dict[str, Any] | None:
        """See `ports.Kube`."""
        path = self._served(api_version, kind).path(namespace, name)
        return self._call("GET", path, absent_is_none=True)

    def apply(self, manifest: Json, *, dry_run: bool = False) -> bool:
        """See `ports.Kube`. Takes over fields that another manager owns: the manifest is what shall be.

        A dry run of an object whose namespace does not exist yet counts as a change.
        """
        metadata = manifest["metadata"]
        served = self._served(manifest["apiVersion"], manifest["kind"])
        path = served.path(metadata.get("namespace"), metadata["name"])
        before = self._call("GET", path, absent_is_none=True)
        query = {"fieldManager": FIELD_MANAGER, "force": "true"} | ({"dryRun": "All"} if dry_run else {})
        after = self._call("PATCH", path, query=query, body=manifest, absent_is_none=dry_run)
        if before is None or after is None:
            return True
        if dry_run:
            return _settled(before) != _settled(after)
        return bool(before["metadata"]["resourceVersion"] != after["metadata"]["resourceVersion"])

    def delete(self, api_version: str, kind: str, name: str, *, namespace: str | None = None) -> bool:
        """See `ports.Kube`. What the object owns is deleted in the background."""
        path = self._served(api_version, kind).path(namespace, name)
        query = {"propagationPolicy": "Background"}
        return self._call("DELETE", path, query=query, absent_is_none=True) is not None

    def node_get(self, node: str, port: int, path: str) -> str:
        """See `ports.Kube`. The API server does not ask a node's own loopback."""
        where = f"/api/v1/nodes/{quote(node)}:{port}/proxy/{path.lstrip('/')}"
        return (self._answer("GET", where) or b"").decode("utf-8", "replace")

    def evict(self, namespace: str, pod: str) -> bool:
        """See `ports.Kube`. The server answers 429 where a disruption budget does not allow it now."""
        path = self._served("v1", "Pod").path(namespace, pod)
        eviction = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": pod, "namespace": namespace},
        }
        try:
            self._call("POST", f"{path}/eviction", body=eviction, absent_is_none=True)
        except Throttled as refused:
            if "disruption budget" not in refused.what:
                raise
            return False
        return True

    def execute(
        self, namespace: str, pod: str, argv: Sequence[str], *, container: str = "", timeout_s: float = 30.0
    ) -> Output:
        """See `ports.Kube`. Raises ServiceFailed for a missing pod and where the time is over."""
        query = [("command", word) for word in argv] + [("stdout", "true"), ("stderr", "true")]
        if container:
            query.append(("container", container))
        path = f"/api/v1/namespaces/{quote(namespace)}/pods/{quote(pod)}/exec?{urlencode(query)}"
        return execute(
            self._configuration, self._headers(), path, f"{self._name}: pod {namespace}/{pod}", timeout_s
        )

    def _served(self, api_version: str, kind: str) -> Served:
        served = self._catalogue.find(api_version, kind)
        if served is None:
            raise ServiceFailed(self._name, f"the server has no kind {kind} in {api_version}")
        return served

    def _pages(self, path: str, api_version: str, kind: str, selector: str) -> _Found:
        items: _Found = []
        query = {"limit": str(PAGE_OBJECTS)} | ({"labelSelector": selector} if selector else {})
        while True:
            page = self._fetch(path, query)
            # The server leaves both out of a list's items.
            items += [{"apiVersion": api_version, "kind": kind} | item for item in page["items"] or []]
            token = page["metadata"].get("continue")
            if not token:
                return items
            query["continue"] = token

    def _fetch(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        answer = self._call("GET", path, query=query)
        if answer is None:
            raise ServiceFailed(self._name, f"GET {path} answered nothing")
        return answer

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json"}
        token = self._configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        if token:
            headers["authorization"] = token
        return headers

    def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Json | None = None,
        absent_is_none: bool = False,
    ) -> dict[str, Any] | None:
        content = self._answer(method, path, query=query, body=body, absent_is_none=absent_is_none)
        if content is None:
            return None
        answer: dict[str, Any] = json.loads(content)
        return answer

    def _answer(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Json | None = None,
        absent_is_none: bool = False,
    ) -> bytes | None:
        url = self._configuration.host + path + (f"?{urlencode(query)}" if query else "")
        headers = self._headers()
        if body is not None:
            # JSON is YAML; under its own name the client would encode it once more.
            headers["Content-Type"] = f"application/{'apply-patch+' if method == 'PATCH' else ''}yaml"
        data = json.dumps(body) if body is not None else None
        try:
            response = self._rest.request(  # type: ignore[no-untyped-call] # untyped library
                method, url, headers=headers, body=data, _request_timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S)
            )
            content: bytes = response.read()
        except (client.ApiException, urllib3.exceptions.HTTPError, OSError) as error:
            raise no_answer(self._name, self._configuration.host, error) from error
        if 200 <= response.status < 300:
            return content
        if response.status == 404 and absent_is_none:
            return None
        refused = refusal(self._name, f"{method} {path}", response.status, content)
        raise _Expired(refused.what) if response.status == 410 else refused


class _Expired(Exception):
    """The continue token of a listing is too old (410)."""


def _settled(stored: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in stored.items() if key != "metadata"}
    kept["metadata"] = {key: value for key, value in stored["metadata"].items() if key not in _VOLATILE}
    return kept
