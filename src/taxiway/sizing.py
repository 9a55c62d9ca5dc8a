"""How many processes and threads: from the container's CPU and memory limits.

Sources: Linux kernel documentation, cgroup-v1/memory, sched-bwc, and cgroup-v2 (`cpu.max`, `memory.max`).
This module is on the way of every container start.
"""

import os
from typing import NamedTuple

MIB = 1024 * 1024
BASE_BYTES = 40 * MIB  # the server's own parent process and shared parts
WORKER_BYTES = 96 * MIB  # one worker of an application whose footprint wasn't measured
MAX_PROCESSES = 12  # s2i-python-container's cap


class Limits(NamedTuple):
    """What the container may use."""

    cpus: float
    """Processors, fractional where a quota says so."""
    memory_bytes: int | None
    """None where there is no limit."""


class Size(NamedTuple):
    """How many workers to run, and a line that says why."""

    processes: int
    threads: int
    reason: str


def decide(
    limits: Limits,
    *,
    processes: int | None = None,
    threads: int | None = None,
    worker_bytes: int = WORKER_BYTES,
) -> Size:
    """Size a threaded WSGI server; given numbers win.

    One process per CPU, a fraction rounded up, as far as memory allows; 4 threads and 2 more per CPU.
    """
    cpus = max(1, -int(-limits.cpus // 1))
    fitting = MAX_PROCESSES
    if limits.memory_bytes is not None:
        fitting = max(1, int((0.8 * limits.memory_bytes - BASE_BYTES) // worker_bytes))
    memory = "no limit" if limits.memory_bytes is None else f"{limits.memory_bytes // MIB} MiB"
    chosen = processes or min(cpus, fitting, MAX_PROCESSES)
    chosen_threads = threads or min(4 + 2 * cpus, 16)
    reason = (
        f"{chosen} process{'es' * (chosen > 1)} x {chosen_threads} threads ({limits.cpus:g} CPU, memory {memory}"
        f"{', processes as set' * (processes is not None)}{', threads as set' * (threads is not None)})"
    )
    return Size(chosen, chosen_threads, reason)


def read_limits(proc: str = "/proc/self", root: str = "/sys/fs/cgroup") -> Limits:
    """Read the limits of this process's control group and of those above it, version 1 and 2; the smallest counts."""
    cpus = float(len(os.sched_getaffinity(0)))
    memory: list[int] = []
    for directory, name in _groups(_read(f"{proc}/cgroup"), root):
        if name == "cpu" and (quota := _cpu_quota(directory)):
            cpus = min(cpus, quota)
        if name == "memory":
            for file in ("memory.max", "memory.high", "memory.limit_in_bytes"):
                text = _read(f"{directory}/{file}").strip()
                # Version 1 says "no limit" with a number near 2**63, rounded to pages.
                if text.isdecimal() and int(text) < 2**60:
                    memory.append(int(text))
    return Limits(cpus, min(memory, default=None))


def _groups(membership: str, root: str) -> list[tuple[str, str]]:
    """List (directory, controller), from the process's own group up to the root of the hierarchy."""
    groups: list[tuple[str, str]] = []
    for line in membership.splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        for name in ("cpu", "memory"):
            if not controllers:
                base = root
            elif name in controllers.split(","):
                base = f"{root}/{controllers}" if os.path.isdir(f"{root}/{controllers}") else f"{root}/{name}"
            else:
                continue
            parts = [part for part in path.split("/") if part and part != ".."]
            groups += [("/".join((base, *parts[:depth])), name) for depth in range(len(parts), -1, -1)]
    return groups


def _cpu_quota(directory: str) -> float | None:
    words = _read(f"{directory}/cpu.max").split()
    if not words:
        words = [
            *_read(f"{directory}/cpu.cfs_quota_us").split(),
            *_read(f"{directory}/cpu.cfs_period_us").split(),
        ]
    match words:
        case [quota, period] if quota.isdecimal() and period.isdecimal() and int(period):
            return int(quota) / int(period)
    return None  # "max", or -1


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read()
    except OSError:
        return ""
