"""docker-registry with TLS as it plays ECR, and the push of an image to it."""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

from rehearsal.plan import Plan
from rehearsal.services.certificates import pair
from rehearsal.state import State
from tasks.drivers.errors import CommandFailed

NAME = "registry"


def start_registry(plan: Plan, state: State) -> None:
    """Start the registry; ready when it answers through the link. Raises OutsideError."""
    folder = plan.state / "registry"
    folder.mkdir(parents=True, exist_ok=True)
    certificate = pair(plan, "registry")
    config = folder / "config.json"  # JSON is YAML
    config.write_text(
        json.dumps(
            {
                "version": "0.1",
                "log": {"level": "warn", "accesslog": {"disabled": True}},
                "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
                "http": {
                    "addr": f"{plan.registry_private}:{plan.registry_port}",
                    "tls": {"certificate": str(certificate.certificate), "key": str(certificate.key)},
                },
            },
            indent=1,
        )
    )
    running = state.run_process(NAME, ["docker-registry", "serve", config], netns=plan.service_netns)
    state.wait_until(running, lambda: _answers(plan), what="answering", within_s=20)


def push(plan: Plan, archive: Path) -> str:
    """Push an OCI archive as `plan.image` with skopeo, TLS verified by the rehearsal CA; the digest.

    Raises CommandFailed with what skopeo says.
    """
    trust = plan.state / "registry" / "trust"
    trust.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(plan.ca_file, trust / "ca.crt")
    digest_file = plan.state / "registry" / "pushed.digest"
    target = f"docker://{plan.registry_host}/{plan.image}"
    argv = ["skopeo", "copy", "--insecure-policy", f"--dest-cert-dir={trust}", f"--digestfile={digest_file}"]
    done = subprocess.run(
        [*argv, f"oci-archive:{archive}", target], capture_output=True, text=True, check=False, timeout=120
    )
    if done.returncode:
        raise CommandFailed("skopeo", f"pushing {target}: {done.stderr.strip()}")
    return digest_file.read_text().strip()


def _answers(plan: Plan) -> bool:
    context = ssl.create_default_context(cafile=str(plan.ca_file))
    try:
        with urllib.request.urlopen(
            f"https://{plan.registry_host}/v2/", context=context, timeout=2
        ) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
