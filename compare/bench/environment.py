"""What a time depends on beside the code: processor, threads, and the libraries that multiply matrices."""

import platform
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_info

from twofold.compare import environment as plain
from twofold.compare.sides import import_torch

CPUINFO = Path("/proc/cpuinfo")


def environment() -> dict[str, Any]:
    """As it is when asked: inside `threads(n)` the counts are those that are timed."""
    torch = import_torch()
    blas = [
        {
            "library": pool["internal_api"],
            "version": pool["version"],
            "core_type": pool.get("architecture"),
            "threads": pool["num_threads"],
        }
        for pool in threadpool_info()
        if pool["user_api"] == "blas"
    ]
    return plain.environment() | {
        "cpu": processor(),
        "threads": {"torch": torch.get_num_threads(), "numpy": max((pool["threads"] for pool in blas), default=1)},
        "blas": blas,
        "torch_capability": torch.backends.cpu.get_cpu_capability(),
        "torch_mkl": torch.backends.mkl.is_available(),
        "torch_onednn": torch.backends.mkldnn.is_available(),
    }


def processor() -> str:
    """Its model, as far as the system tells."""
    try:
        lines = CPUINFO.read_text().splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(iter(models), "") or platform.processor() or platform.machine()


def described(found: dict[str, Any]) -> list[str]:
    """For a reader, in a line each."""
    counts = found["threads"]
    libraries = ", ".join(f"{b['library']} {b['version']} for {b['core_type'] or 'this CPU'}" for b in found["blas"])
    own = [name for name, key in (("MKL", "torch_mkl"), ("oneDNN", "torch_onednn")) if found[key]]
    return [
        f"{found['cpu']}, {found['cpus']} CPUs; threads: {counts['numpy']} NumPy, {counts['torch']} torch",
        f"NumPy {found['numpy']} with {libraries or 'a BLAS that does not tell'}; "
        f"torch {found['torch']} with {' and '.join(own) or 'its own'} for {found['torch_capability']}",
    ]
