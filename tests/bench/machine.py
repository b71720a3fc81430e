"""What a run was made with: versions, cores, the matrix library; nothing that names the machine."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import threadpoolctl

from nnspec.runtime.machine import measured

from . import THREADS

LIBRARIES = ("numpy", "torch", "onnxruntime", "jax", "torchinfo")


def described() -> dict[str, str]:
    """Each by the word that a reader looks for."""
    return {
        "Python": platform.python_version(),
        **{name: installed(name) for name in LIBRARIES},
        "BLAS of NumPy": blas(),
        "processor": f"{platform.machine()}{maker()}, {cores()}, {vectors()}",
        "what it reaches": best(),
        "threads of every side": str(THREADS),
        "system": platform.system(),
    }


def installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def maker() -> str:
    """Who made the processor (Linux on x86)."""
    told = cpuinfo()
    known = {"GenuineIntel": " by Intel", "AuthenticAMD": " by AMD"}
    return next((name for sign, name in known.items() if sign in told), "")


def best() -> str:
    """What matrix products and copies reach: much less than on another day says that others used the
    machine, too."""
    found = measured(THREADS)
    return f"{found.flops / 1e9:.0f} GFLOP/s, {found.bandwidth / 1e9:.0f} GB/s"


def cores() -> str:
    """Those that this process may use."""
    asked = hasattr(os, "sched_getaffinity")
    count = len(os.sched_getaffinity(0)) if asked else os.cpu_count() or 1
    return f"{count} core{'s' * (count != 1)}"


def vectors() -> str:
    """The widest vectors that the processor says it has (Linux)."""
    flags = cpuinfo()
    if not flags:
        return "vectors unknown"
    if "avx512f" in flags:
        return "AVX-512"
    return "AVX2, no AVX-512" if "avx2" in flags else "no AVX2"


def cpuinfo() -> frozenset[str]:
    """The words by which Linux describes the processor."""
    try:
        return frozenset(Path("/proc/cpuinfo").read_text("ascii", errors="replace").split())
    except OSError:
        return frozenset()


def blas() -> str:
    """OpenBLAS as NumPy brings it: its version and the kernels it chose for the processor."""
    for pool in threadpoolctl.threadpool_info():
        if pool["user_api"] == "blas" and "numpy" in pool["filepath"]:
            return f"{pool['internal_api']} {pool['version']}, {pool.get('architecture', '')}"
    return "unknown"
