"""The account that is asked by a process of its own gives the same answers, and leaves nothing here."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from inventory.errors import BadInput
from tasks.drivers.aws import AwsAccount
from tasks.drivers.aws_process import AwsProcess
from tasks.drivers.errors import HostUnreachable, ServiceFailed
from tasks.survey.run import survey
from tests.survey.clock import StandingClock
from tests.survey.conftest import HOME, free_port, site_at


@contextmanager
def asked_apart(url: str, folder: Path) -> Iterator[AwsProcess]:
    account = AwsProcess.open(site_at(folder, url).source.aws, attempts=1)
    try:
        yield account
    finally:
        account.close()


def accounts_of(asker: int) -> list[int]:
    """The processes that it has started to ask an account; multiprocessing's resource tracker is none."""
    files = Path(f"/proc/{asker}/task").glob("*/children")
    pids = [int(pid) for file in files for pid in file.read_text().split()]
    return [pid for pid in pids if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def running(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_survey_of_it_is_that_of_the_account_itself(shop_account: str, tmp_path: Path) -> None:
    site = site_at(tmp_path, shop_account)
    here = AwsAccount.open(site.source.aws)
    expected = survey(site, here, [], StandingClock())
    here.close()
    with asked_apart(shop_account, tmp_path) as account:
        assert survey(site, account, [], StandingClock()) == expected
        assert len(accounts_of(os.getpid())) == 1
    assert len(expected.resources) > 10
    assert accounts_of(os.getpid()) == []


def test_what_is_wrong_with_the_credentials_is_said_at_once(tmp_path: Path) -> None:
    account = site_at(tmp_path, "http://127.0.0.1:1").source.aws
    with pytest.raises(BadInput, match="no profile 'nobody'"):
        AwsProcess.open(account.model_copy(update={"profile": "nobody"}))


def test_an_error_comes_over_whole(tmp_path: Path) -> None:
    with (
        asked_apart(f"http://127.0.0.1:{free_port()}", tmp_path) as account,
        pytest.raises(HostUnreachable, match="describe_regions") as error,
    ):
        account.regions()
    assert (error.value.part, bool(error.value.remedy)) == (f"aws ec2 {HOME}", True)
    again = pickle.loads(pickle.dumps(error.value))  # noqa: S301 - our own
    assert (type(again), str(again)) == (HostUnreachable, str(error.value))


def test_a_process_that_was_killed_is_an_error_of_the_service(shop_account: str, tmp_path: Path) -> None:
    with asked_apart(shop_account, tmp_path) as account:
        assert account.regions()
        (child,) = accounts_of(os.getpid())
        os.kill(child, signal.SIGKILL)
        with pytest.raises(ServiceFailed, match="the process that asks it has ended"):
            account.regions()


ASKS = """
import sys, time
from pathlib import Path
from tasks.drivers.aws_process import AwsProcess
from tests.survey.conftest import site_at
if __name__ == "__main__":
    account = AwsProcess.open(site_at(Path(sys.argv[1]), sys.argv[2]).source.aws)
    print(len(account.regions()), flush=True)
    time.sleep(60)
"""


def test_it_does_not_outlive_an_asker_that_is_killed(shop_account: str, tmp_path: Path) -> None:
    program = tmp_path / "asks.py"
    program.write_text(ASKS)
    with subprocess.Popen(
        [sys.executable, program, tmp_path, shop_account],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        text=True,
    ) as asker:
        assert asker.stdout is not None
        assert int(asker.stdout.readline()) > 3
        theirs = accounts_of(asker.pid)
        assert theirs
        asker.kill()
    until = time.monotonic() + 10
    while any(running(pid) for pid in theirs):
        assert time.monotonic() < until, "the account's process outlived the one that asked"
        time.sleep(0.1)
