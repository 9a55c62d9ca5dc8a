"""How many processes and threads: from the container's CPU and memory limits.

Sources: Linux kernel documentation, cgroup-v1/memory, sched-bwc, and cgroup-v2 (`cpu.max`, `memory.max`).
This module is on the way of every container start.
"""

import os
from typing import NamedTuple

MIB = 1024 * 1024
BASE_BYTES = 24 * MIB  # the server's own parent process (3 to 16 MiB, measured), the kernel's part, scripts
WORKER_BYTES = 96 * MIB  # one worker of an application whose footprint wasn't measured
_GROWTH = 1.3  # from the import to a worker that has answered requests
_SERVER_BYTES = 6 * MIB  # the server's own code in each worker, and threads
MAX_PROCESSES = 12  # s2i-python-container's cap


class Limits(NamedTuple):
    """What the container may use."""

    cpus: float
    """Processors, fractional where a quota says so."""
    memory_bytes: int | None
    """None where there is no limit."""


class Footprint(NamedTuple):
    """What the build found out about the application."""

    import_bytes: int | None = None
    """Memory of a process that has imported the application, without what it shares; None where that isn't known."""
    has_threads: bool = True
    """Whether the server works with threads: WSGI does, ASGI doesn't."""
    is_free_threaded: bool = False
    """Whether its Python runs threads at the same time (PEP 703), so that one process uses all CPUs."""

    @property
    def worker_bytes(self) -> int:
        """What a worker needs."""
        return WORKER_BYTES if self.import_bytes is None else int(self.import_bytes * _GROWTH) + _SERVER_BYTES


UNKNOWN = Footprint()


class Size(NamedTuple):
    """How many workers to run, and a line that says why."""

    processes: int
    threads: int
    reason: str
    shortage: tuple[int, int] | None = None
    """Where the container has less memory than one worker needs: its limit, and what is needed, in bytes."""


def decide(
    limits: Limits,
    footprint: Footprint = UNKNOWN,
    *,
    processes: int | None = None,
    threads: int | None = None,
    others: int = 0,
) -> Size:
    """Size a server; given numbers win.

    One process per CPU, a fraction rounded up, as far as memory allows: each gets what it needs out of four fifths of the limit.
    WSGI: 4 threads and 2 more per CPU. Free-threaded Python: one process with 4 threads per CPU.

    Args:
        limits: What the container may use.
        footprint: What the application needs.
        processes: Worker processes as they were set.
        threads: Threads as they were set.
        others: Process types that run beside the server; each counts like a worker.
    """
    cpus = max(1, -int(-limits.cpus // 1))
    wanted = 1 if footprint.is_free_threaded and footprint.has_threads else min(cpus, MAX_PROCESSES)
    memory, shortage = "no limit", None
    if limits.memory_bytes is not None:
        memory = f"{limits.memory_bytes // MIB} MiB"
        base = BASE_BYTES + others * footprint.worker_bytes
        wanted = max(1, min(wanted, int((0.8 * limits.memory_bytes - base) // footprint.worker_bytes)))
        least = base + footprint.worker_bytes
        if footprint.import_bytes is not None and processes is None and least > limits.memory_bytes:
            shortage = (limits.memory_bytes, least)
    if footprint.import_bytes is not None:
        memory += f", {footprint.worker_bytes // MIB} MiB a process"
    chosen = processes or wanted
    chosen_threads = threads or (4 * cpus if footprint.is_free_threaded else min(4 + 2 * cpus, 16))
    if not footprint.has_threads:
        chosen_threads = 1
    reason = (
        f"{chosen} process{'es' * (chosen > 1)}{f' x {chosen_threads} threads' * footprint.has_threads}"
        f" ({limits.cpus:g} CPU, memory {memory}"
        f"{', processes as set' * (processes is not None)}"
        f"{', threads as set' * (threads is not None and footprint.has_threads)})"
    )
    return Size(chosen, chosen_threads, reason, shortage)


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
