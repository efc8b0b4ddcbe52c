"""The AWS account in a process of its own: implements `ports.Aws`.

botocore's models of sixteen services take 100 MB and more, which the process that asked keeps for the rest of
the exit. Here they go with the process that needed them.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.managers import BaseManager
from typing import Any, Self

from inventory.models.site import Aws as Account
from tasks.drivers.aws import AwsAccount
from tasks.drivers.errors import ServiceFailed


class _Manager(BaseManager):
    """Starts the process, and finds the account in it."""

    account: Callable[..., Any]


_Manager.register("account", AwsAccount.open, exposed=("regions", "items", "call", "close"))


class AwsProcess:
    """Has an `AwsAccount` asked in another process; may be used by several threads at once."""

    def __init__(self, aws: Account, options: dict[str, Any]) -> None:
        self._name = aws.account
        self._manager = _Manager(ctx=multiprocessing.get_context("spawn"))
        self._manager.start(_end_with_parent)
        self._account = self._manager.account(aws, **options)

    @classmethod
    def open(cls, aws: Account, **options: Any) -> Self:
        """Starts the process; nothing is asked yet. Takes and raises what `AwsAccount.open` does."""
        AwsAccount.open(aws, **options).close()  # what is wrong with the credentials is said here
        return cls(aws, options)

    @property
    def name(self) -> str:
        """The account's number."""
        return self._name

    def regions(self) -> list[str]:
        """The regions that are enabled for the account."""
        with self._alive():
            found: list[str] = self._account.regions()
        return found

    def items(
        self, service: str, region: str, operation: str, key: str, parameters: Mapping[str, Any] | None = None
    ) -> list[Any]:
        """Everything under `key` of every page."""
        with self._alive():
            found: list[Any] = self._account.items(service, region, operation, key, parameters)
        return found

    def call(
        self,
        service: str,
        region: str,
        operation: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        absent: Sequence[str] = (),
    ) -> dict[str, Any] | None:
        """One call; None where the service answers with one of the error codes `absent`."""
        with self._alive():
            answer: dict[str, Any] | None = self._account.call(
                service, region, operation, parameters, absent=absent
            )
        return answer

    def close(self) -> None:
        """End the process."""
        self._manager.shutdown()

    @contextmanager
    def _alive(self) -> Iterator[None]:
        try:
            yield
        except (EOFError, ConnectionError) as error:
            raise ServiceFailed(
                f"aws {self._name}", "the process that asks it has ended", "run the survey again"
            ) from error


def _end_with_parent() -> None:
    """In the new process: end where the one that started it is killed, and nobody can tell us any more."""
    parent = multiprocessing.parent_process()

    def wait() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
