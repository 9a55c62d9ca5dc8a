"""Sizing: what control groups say, and what is made of it."""

import os
from typing import Any

import pytest
from trees import Tree

from taxiway.sizing import MIB, Footprint, Limits, decide, read_limits

GIB = 1024 * MIB
V1_NO_LIMIT = "9223372036854771712\n"


@pytest.mark.parametrize(
    ("cpus", "memory_mib", "processes", "threads"),
    [
        # As many processes as CPUs, a fraction rounded up, without a memory limit.
        (0.1, None, 1, 6),
        (0.5, None, 1, 6),
        (1, None, 1, 6),
        (1.01, None, 2, 8),
        (1.5, None, 2, 8),
        (2, None, 2, 8),
        (4, None, 4, 12),
        (6, None, 6, 16),
        (12, None, 12, 16),
        (64, None, 12, 16),
        # Fewer where memory is short: 96 MiB each, out of four fifths of the limit less 24 MiB.
        (64, 1, 1, 16),
        (64, 64, 1, 16),
        (64, 128, 1, 16),
        (64, 256, 1, 16),
        (64, 270, 2, 16),
        (64, 512, 4, 16),
        (64, 1024, 8, 16),
        (64, 1470, 12, 16),
        (64, 65536, 12, 16),
        (2, 512, 2, 8),
        (4, 420, 3, 12),
    ],
)
def test_decide(cpus: float, memory_mib: int | None, processes: int, threads: int) -> None:
    memory = None if memory_mib is None else memory_mib * MIB
    assert decide(Limits(cpus, memory))[:2] == (processes, threads)


@pytest.mark.parametrize("cpus", [0.01, 0.25, 1, 1.5, 3, 8, 200])
@pytest.mark.parametrize("memory_mib", [1, 100, 200, 400, 800, 1600, 100_000])
def test_memory_suffices(cpus: float, memory_mib: int) -> None:
    """Between 1 and 12 workers; more than one only where they fit."""
    size = decide(Limits(cpus, memory_mib * MIB))
    assert 1 <= size.processes <= 12
    assert size.processes == 1 or 24 + 96 * size.processes <= memory_mib
    assert size.processes < cpus + 1
    assert 6 <= size.threads <= 16


DJANGO = Footprint(32 * MIB)  # 47.6 MiB a worker


@pytest.mark.parametrize(
    ("cpus", "memory_mib", "footprint", "others", "size"),
    [
        (2, 512, DJANGO, 0, (2, 8)),
        (8, 512, DJANGO, 0, (8, 16)),
        (8, 256, DJANGO, 0, (3, 16)),
        (8, 256, DJANGO, 1, (2, 16)),
        (8, 256, Footprint(2 * MIB), 0, (8, 16)),
        (2, 512, DJANGO._replace(has_threads=False), 0, (2, 1)),
        (4, None, DJANGO._replace(is_free_threaded=True), 0, (1, 16)),
        (4, None, DJANGO._replace(is_free_threaded=True, has_threads=False), 0, (4, 1)),
    ],
)
def test_footprint(cpus: float, memory_mib: int | None, footprint: Footprint, others: int, size: tuple[int, int]) -> None:
    limits = Limits(cpus, memory_mib and memory_mib * MIB)
    assert decide(limits, footprint, others=others)[:2] == size


@pytest.mark.parametrize(
    ("memory_mib", "given", "needed_mib"),
    [
        (64, {}, 71),
        (71, {}, 71),
        (72, {}, None),
        (100, {"others": 1}, 119),
        (64, {"processes": 1}, None),  # told so, it is tried
        (None, {}, None),
    ],
)
def test_too_little_memory(memory_mib: int | None, given: dict[str, Any], needed_mib: int | None) -> None:
    """Refused where not even one worker fits; without a measured footprint nothing is."""
    limits = Limits(1, memory_mib and memory_mib * MIB)
    shortage = decide(limits, DJANGO, **given).shortage
    assert (shortage and (shortage[0] // MIB, shortage[1] // MIB)) == (needed_mib and (memory_mib, needed_mib))
    assert decide(limits, Footprint(), **given).shortage is None


def test_reason_of_a_measured_application() -> None:
    limits = Limits(2, 512 * MIB)
    assert decide(limits, DJANGO).reason == "2 processes x 8 threads (2 CPU, memory 512 MiB, 47 MiB a process)"
    asgi = DJANGO._replace(has_threads=False)
    assert decide(limits, asgi, threads=3).reason == "2 processes (2 CPU, memory 512 MiB, 47 MiB a process)"


@pytest.mark.parametrize(
    ("limits", "given", "reason"),
    [
        (Limits(0.5, 512 * MIB), {}, "1 process x 6 threads (0.5 CPU, memory 512 MiB)"),
        (Limits(2.0, None), {}, "2 processes x 8 threads (2 CPU, memory no limit)"),
        (Limits(2.0, None), {"processes": 5}, "5 processes x 8 threads (2 CPU, memory no limit, processes as set)"),
        (Limits(2.0, None), {"threads": 1}, "2 processes x 1 threads (2 CPU, memory no limit, threads as set)"),
        (
            Limits(1.0, GIB),
            {"processes": 40, "threads": 2},
            "40 processes x 2 threads (1 CPU, memory 1024 MiB, processes as set, threads as set)",
        ),
    ],
)
def test_reason(limits: Limits, given: dict[str, Any], reason: str) -> None:
    assert decide(limits, **given).reason == reason


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        # Nothing to read: the processors that the process may use.
        ({}, Limits(8, None)),
        ({"proc/cgroup": ""}, Limits(8, None)),
        ({"proc/cgroup": "nonsense\n"}, Limits(8, None)),
        # Version 2.
        ({"proc/cgroup": "0::/\n", "cg/cpu.max": "150000 100000\n", "cg/memory.max": f"{GIB}\n"}, Limits(1.5, GIB)),
        ({"proc/cgroup": "0::/\n", "cg/cpu.max": "max 100000\n", "cg/memory.max": "max\n"}, Limits(8, None)),
        ({"proc/cgroup": "0::/\n", "cg/cpu.max": "50000 100000\n"}, Limits(0.5, None)),
        ({"proc/cgroup": "0::/\n", "cg/cpu.max": "6400000 100000\n"}, Limits(8, None)),
        ({"proc/cgroup": "0::/\n", "cg/cpu.max": "1000 0\n"}, Limits(8, None)),
        ({"proc/cgroup": "0::/\n", "cg/cpu.max": "junk\n", "cg/memory.max": "junk\n"}, Limits(8, None)),
        # memory.high throttles before memory.max kills.
        ({"proc/cgroup": "0::/\n", "cg/memory.high": f"{GIB // 2}\n", "cg/memory.max": f"{GIB}\n"}, Limits(8, GIB // 2)),
        # The smallest limit on the way up counts.
        (
            {
                "proc/cgroup": "0::/kube/pod/box\n",
                "cg/kube/pod/box/cpu.max": "max 100000\n",
                "cg/kube/pod/cpu.max": "200000 100000\n",
                "cg/kube/cpu.max": "300000 100000\n",
                "cg/kube/pod/box/memory.max": f"{2 * GIB}\n",
                "cg/kube/pod/memory.max": f"{GIB}\n",
            },
            Limits(2, GIB),
        ),
        # A group outside the container's own view.
        ({"proc/cgroup": "0::/../../other\n", "cg/cpu.max": "300000 100000\n"}, Limits(3, None)),
        # Version 1, with a container's own mount: the path in the membership isn't there.
        (
            {
                "proc/cgroup": "5:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n",
                "cg/cpu,cpuacct/cpu.cfs_quota_us": "25000\n",
                "cg/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
                "cg/memory/memory.limit_in_bytes": f"{GIB}\n",
            },
            Limits(0.25, GIB),
        ),
        # Version 1, with the host's mount, and the controllers' other directory name.
        (
            {
                "proc/cgroup": "5:memory:/pod/abc\n3:cpuacct,cpu:/pod/abc\n",
                "cg/cpu/pod/abc/cpu.cfs_quota_us": "-1\n",
                "cg/cpu/pod/abc/cpu.cfs_period_us": "100000\n",
                "cg/cpu/pod/cpu.cfs_quota_us": "350000\n",
                "cg/cpu/pod/cpu.cfs_period_us": "100000\n",
                "cg/memory/pod/abc/memory.limit_in_bytes": f"{GIB}\n",
                "cg/memory/memory.limit_in_bytes": V1_NO_LIMIT,
            },
            Limits(3.5, GIB),
        ),
        ({"proc/cgroup": "5:memory:/\n", "cg/memory/memory.limit_in_bytes": V1_NO_LIMIT}, Limits(8, None)),
        ({"proc/cgroup": "3:cpuset:/\n", "cg/cpuset/cpu.cfs_quota_us": "1\n"}, Limits(8, None)),
        # Hybrid: version 2 is mounted, but has no controllers.
        (
            {
                "proc/cgroup": "5:memory:/\n3:cpu,cpuacct:/\n0::/init.scope\n",
                "cg/unified/cgroup.procs": "",
                "cg/cpu,cpuacct/cpu.cfs_quota_us": "400000\n",
                "cg/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
                "cg/memory/memory.limit_in_bytes": f"{4 * GIB}\n",
            },
            Limits(4, 4 * GIB),
        ),
    ],
)
def test_read_limits(monkeypatch: pytest.MonkeyPatch, tree: Tree, files: dict[str, str], expected: Limits) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    top = tree({"proc/": "", "cg/": ""} if not files else {"cg/": "", **files})
    assert read_limits(str(top / "proc"), str(top / "cg")) == expected


def test_fewer_processors_than_the_quota(monkeypatch: pytest.MonkeyPatch, tree: Tree) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3})
    top = tree({"proc/cgroup": "0::/\n", "cg/cpu.max": "400000 100000\n"})
    assert read_limits(str(top / "proc"), str(top / "cg")).cpus == 1
