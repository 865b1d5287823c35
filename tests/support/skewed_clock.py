"""A broker whose clock is wrong: the variables that move the clock of a process."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

# Moves CLOCK_REALTIME and gettimeofday, which is where a JVM's currentTimeMillis comes from; not CLOCK_MONOTONIC.
_SOURCE = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
static long skew(void) { const char *text = getenv("SKEW_S"); return text ? atol(text) : 0; }
int clock_gettime(clockid_t id, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(id, now);
    if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE) now->tv_sec += skew();
    return result;
}
int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    static int (*real)(struct timeval *restrict, void *restrict);
    if (!real) real = dlsym(RTLD_NEXT, "gettimeofday");
    int result = real(now, zone);
    now->tv_sec += skew();
    return result;
}
"""


def skewed_environments(folder: Path, skews_s: dict[int, int]) -> dict[int, dict[str, str]]:
    """Return the variables of each node whose clock is ahead by so many seconds; skips the test without a compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("a broker's clock is moved by a shared library, and there is no C compiler to make it")
    source, library = folder / "clock.c", folder / "clock.so"
    source.write_text(_SOURCE)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return {node_id: {"LD_PRELOAD": str(library), "SKEW_S": str(skew_s)} for node_id, skew_s in skews_s.items()}
