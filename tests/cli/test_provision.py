"""A removal is confirmed by the site's name, before anything is opened."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.cli.provision import provision
from inventory.errors import BadInput
from tests.inventory.sites import whole


@pytest.mark.parametrize("given", ["", "oslo", "WHOLE", "whole "])
def test_without_the_sites_name_nothing_is_touched(tmp_path: Path, given: str) -> None:
    file = whole(tmp_path / "site")
    with pytest.raises(BadInput, match=r"--destroy: not confirmed; nothing was touched .*--confirm whole"):
        provision(str(file), destroy=True, confirm=given)
    assert not (file.parent / "state").exists()
