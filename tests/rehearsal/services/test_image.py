import json
import shutil
import subprocess
from pathlib import Path

import pytest

from rehearsal.services.image import write_image


def test_the_same_program_gives_the_same_archive(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"\x7fELF not really" * 1000)
    first = write_image(tmp_path / "a.tar", program, name="shop", port=8080)
    program.touch()
    second = write_image(tmp_path / "b.tar", program, name="shop", port=8080)
    assert first == second
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()
    program.write_bytes(b"another")
    assert write_image(tmp_path / "c.tar", program, name="shop", port=8080).digest != first.digest


@pytest.mark.skipif(shutil.which("skopeo") is None, reason="skopeo is not installed")
def test_skopeo_reads_and_unpacks_it(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"\x7fELF not really")
    image = write_image(tmp_path / "a.tar", program, name="shop", port=8080)
    argv = ["skopeo", "inspect", f"oci-archive:{tmp_path}/a.tar"]
    shown = json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)
    assert shown["Digest"] == image.digest
    assert shown["Os"] == "linux" and len(shown["Layers"]) == 1
    config = json.loads(subprocess.run([*argv, "--config"], capture_output=True, check=True).stdout)
    assert config["config"]["Entrypoint"] == ["/shop"]
    assert config["config"]["User"] == "65532:65532"
    # Copying verifies every digest, the unpacked layer's among them.
    copied = ["skopeo", "copy", "--insecure-policy", f"oci-archive:{tmp_path}/a.tar", f"dir:{tmp_path}/out"]
    subprocess.run(copied, check=True, capture_output=True)
