"""Mirrors of containerd and the encryption of Secrets: read from files, and no key or password is kept."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tasks.facts import registry_mirrors, secret_encryption
from tasks.facts.registry_mirrors import Mirror, Mirrors
from tasks.facts.secret_encryption import Encryption, Kms
from tests.facts.files_of import as_answered

HOSTS = "/etc/containerd/certs.d/{}/hosts.toml"
OURS = 'server = "https://10.63.0.11:5000"\n[host."https://10.63.0.11:5000"]\n  ca = "/x/ca.crt"\n'


@pytest.mark.parametrize(
    ("files", "mirrors", "unread"),
    [
        ({}, (), ()),
        ({HOSTS.format("10.63.0.11:5000"): OURS}, (), ()),
        ({HOSTS.format("10.63.0.11_5000_"): OURS}, (), ()),
        ({HOSTS.format("docker.io"): 'server = "https://registry-1.docker.io"\n'}, (), ()),
        (
            {HOSTS.format("docker.io"): '[host."https://cache.example:5000/v2/hub"]\noverride_path = true\n'},
            (Mirror("docker.io", "cache.example:5000"),),
            (),
        ),
        (
            {HOSTS.format("_default"): 'server = "https://cache.example"\n'},
            (Mirror("_default", "cache.example"),),
            (),
        ),
        (
            {
                "/etc/containerd/config.toml": (
                    '[plugins."io.containerd.grpc.v1.cri".registry.mirrors."docker.io"]\n'
                    'endpoint = ["https://registry-1.docker.io", "https://cache.example"]\n'
                    '[plugins."io.containerd.grpc.v1.cri".registry.configs."cache.example".auth]\n'
                    'password = "hunter2"\n'
                )
            },
            (Mirror("docker.io", "cache.example"),),
            (),
        ),
        (
            {
                "/etc/containerd/config.toml": (
                    "[plugins.'io.containerd.cri.v1.images'.registry]\n"
                    "config_path = '/etc/containerd/certs.d:/srv/mirrors'\n"
                )
            },
            (),
            ("/srv/mirrors",),
        ),
    ],
)
def test_mirrors(files: dict[str, str], mirrors: tuple[Mirror, ...], unread: tuple[str, ...]) -> None:
    found = registry_mirrors.parse(as_answered(files)) if files else registry_mirrors.parse("")
    assert found == Mirrors(mirrors, unread)
    assert "hunter2" not in str(found)


def test_a_file_that_is_no_toml_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"^/etc/containerd/config.toml is no TOML$"):
        registry_mirrors.parse(as_answered({"/etc/containerd/config.toml": "password = hunter2"}))


CONFIG = """apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
  - resources:
      - configmaps
    providers:
      - identity: {}
  - resources:
      - secrets
    providers:
      - aescbc:
          keys:
            - name: key1
              secret: hunter2==
      - kms:
          apiVersion: v2
          name: vault
          endpoint: unix:///run/vault.sock
      - identity: {}
"""


def test_the_providers_of_secrets_in_their_order() -> None:
    found = secret_encryption.parse(f"file /e.yaml\n{CONFIG}")
    kms = (Kms("vault", "unix:///run/vault.sock"),)
    assert found == Encryption("/e.yaml", ("aescbc", "kms", "identity"), kms)
    assert found.encrypts
    assert "hunter2" not in str(found)
    everything = secret_encryption.parse(
        "file /e\nresources: [{resources: ['*.*'], providers: [{identity: {}}]}]\n"
    )
    assert (everything.providers, everything.encrypts) == (("identity",), False)
    others = secret_encryption.parse(
        "file /e\nresources: [{resources: [pods], providers: [{secretbox: {}}]}]\n"
    )
    assert not others.encrypts


@pytest.mark.parametrize(
    "text", ["", "what\n", "file /e\n- hunter2\n", "file /e\n: [\n", "file /e\nhunter2\n"]
)
def test_what_is_no_configuration_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match=r".+") as refused:
        secret_encryption.parse(text)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("style", "kept"),
    [(CONFIG, "aescbc"), ('{"resources": [{"resources": ["secrets"], "providers": [{"secretbox": {"keys": '
      '[{"name": "k", "secret": "hunter2"}]}}]}]}\n', "secretbox")],
)  # fmt: skip
def test_keys_are_cut_out_on_the_host(style: str, kept: str, tmp_path: Path) -> None:
    """The real program, on the manifest of a control plane that does not run."""
    config, manifest = tmp_path / "encryption.yaml", tmp_path / "kube-apiserver.yaml"
    config.write_text(style)
    manifest.write_text(
        f"spec:\n  command:\n    - kube-apiserver\n    - --encryption-provider-config={config}\n"
    )
    text = secret_encryption.command().render()
    program = text.replace("/etc/kubernetes/manifests/kube-apiserver.yaml", str(manifest)).replace(
        "/proc/[0-9]*", str(tmp_path / "none")
    )
    ran = subprocess.run(["sh", "-c", program], capture_output=True, text=True, timeout=30, env=os.environ)
    assert ran.returncode == 0, ran.stderr
    assert "hunter2" not in ran.stdout
    assert secret_encryption.parse(ran.stdout).providers[0] == kept


def test_a_host_without_an_api_server_says_so(tmp_path: Path) -> None:
    program = secret_encryption.command().render().replace("/etc/kubernetes/manifests", str(tmp_path))
    program = program.replace("/proc/[0-9]*", str(tmp_path / "none"))
    ran = subprocess.run(["sh", "-c", program], capture_output=True, text=True, timeout=30)
    assert "no API server runs here" in secret_encryption.parse(ran.stdout).unseen
