"""Keep a process's memory off the disk and away from other processes: it may hold keys and raw values.

A core file is a copy of the whole memory. A limit of 0 for core files does not stop the kernel from handing the memory
to a program that `core_pattern` names (systemd-coredump, apport). The kernel hands on nothing of a process that is not
dumpable, and no other process of its user can read its memory (core(5), prctl(2), ptrace(2)). Swap is not covered:
docs/operator.md.
"""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from typing import Final

from pipelines.trouble import Exit, Trouble

_PR_SET_DUMPABLE: Final = 4  # <linux/prctl.h>


def forbid_core_dumps() -> None:
    """Make this process leave no core dump. Processes that it starts inherit the limit and must call this themselves.

    Raises:
        Trouble: the system does not allow it (exit 4).
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise Trouble(
            f"this process cannot be kept from being dumped (prctl: {os.strerror(ctypes.get_errno())})",
            hint="Allow prctl(PR_SET_DUMPABLE) in the container's seccomp profile; the default profiles do.",
            exit_code=Exit.REFUSED,
        )
