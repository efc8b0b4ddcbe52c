"""Lets a program believe that it raised its limits, where this machine forbids raising them.

kube-proxy's userspace mode raises RLIMIT_NOFILE to 64000 or ends; without CAP_SYS_RESOURCE it cannot.
The filter is classic BPF over `struct seccomp_data`, whose first word is the number of the call.
"""

from __future__ import annotations

import ctypes
import struct

_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _ANSWER_ZERO = 0x7FFF0000, 0x00050000
_SETRLIMIT, _PRLIMIT64 = 160, 302  # x86-64
_PROGRAM = b"".join(
    struct.pack("HBBI", *instruction)
    for instruction in (
        (_LOAD, 0, 0, 0),
        (_JUMP_IF_EQUAL, 1, 0, _SETRLIMIT),
        (_JUMP_IF_EQUAL, 0, 1, _PRLIMIT64),
        (_RETURN, 0, 0, _ANSWER_ZERO),
        (_RETURN, 0, 0, _ALLOW),
    )
)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def answer_success() -> None:
    """From now on, in this process and its children, raising a limit does nothing and succeeds.

    Raises OSError where the kernel takes no filter.
    """
    program = _Program(len(_PROGRAM) // 8, _PROGRAM)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program)):
        raise OSError(ctypes.get_errno(), "the kernel takes no seccomp filter")
