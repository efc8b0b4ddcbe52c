"""An absolute timer of the kernel, as a file descriptor: fires at a time, not after a delay.

`os.timerfd_create` is in Python from 3.13; until then by ctypes (Linux timerfd_create(2)). Event-loop
timers are not enough: libuv's are whole milliseconds, asyncio's run about half a millisecond late.
"""

from __future__ import annotations

import ctypes
import os

_CLOCK_MONOTONIC = 1
_NONBLOCK_CLOEXEC = os.O_NONBLOCK | os.O_CLOEXEC
_ABSTIME = 1


class _Timespec(ctypes.Structure):
    _fields_ = (("tv_sec", ctypes.c_long), ("tv_nsec", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("it_interval", _Timespec), ("it_value", _Timespec))


class Timer:
    """One timer on CLOCK_MONOTONIC. It stays readable after it fired until `arm` is called again."""

    def __init__(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self.fd: int = libc.timerfd_create(_CLOCK_MONOTONIC, _NONBLOCK_CLOEXEC)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._settime = libc.timerfd_settime
        self._spec = _Itimerspec()
        self._pointer = ctypes.byref(self._spec)

    def arm(self, at_s: float) -> None:
        """Fires at `at_s` (time.monotonic), at once where that is past. Arming clears the readiness, so
        nothing has to be read; reading after arming could take the new expiry away."""
        value = self._spec.it_value
        nanoseconds = int(at_s * 1e9) or 1  # 0 would disarm
        value.tv_sec, value.tv_nsec = divmod(nanoseconds, 1_000_000_000)
        if self._settime(self.fd, _ABSTIME, self._pointer, None) != 0:
            raise OSError(ctypes.get_errno(), "timerfd_settime")

    def close(self) -> None:
        """Gives the descriptor back."""
        os.close(self.fd)
