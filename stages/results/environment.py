"""What computed a result: versions of packages, and the machine without its name."""

import importlib.metadata
import os
import platform
from pathlib import Path

PACKAGES = ("tensorflow", "keras", "numpy", "dvc")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that results depend on, by name; imports none of them."""
    packages = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"python": platform.python_version(), **packages}


def machine() -> dict[str, str | int]:
    """The processor's model, its number of cores and the operating system; no name of the host."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count() or 1,
        "system": platform.system(),
        "architecture": platform.machine(),
    }


def _cpu_model() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
