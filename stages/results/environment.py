"""What computed a result: versions of packages, and the machine without its name."""

import importlib.metadata
import os
import platform
from pathlib import Path

PACKAGES = ("tensorflow", "keras", "numpy", "scikit-learn", "opencv-python-headless", "pillow", "dvc")
"""What results depend on, beside the code and Python itself."""
GPUS = Path("/proc/driver/nvidia/gpus")


def versions() -> dict[str, str]:
    """Versions of Python, of the packages that results depend on and of Keras's backend, by name; imports none."""
    backend = os.environ.get("KERAS_BACKEND") or "tensorflow"  # as stages/network/keras_quietly.py reads it
    packages = {name: importlib.metadata.version(name) for name in (*PACKAGES, backend)}
    return {"python": platform.python_version(), **packages}


def machine() -> dict[str, str | int]:
    """The processor's model, its number of cores, the operating system and GPUs, if any; no name of the host."""
    described = {
        "cpu": _cpu_model(),
        "cores": os.cpu_count() or 1,
        "system": platform.system(),
        "architecture": platform.machine(),
    }
    gpus = ", ".join(_gpu_models())
    return described | {"gpu": gpus} if gpus else described


def _cpu_model() -> str:
    return _named(Path("/proc/cpuinfo"), "model name") or platform.processor() or platform.machine()


def _gpu_models() -> list[str]:
    """Of NVIDIA's driver, which lists what TensorFlow's GPUs are; `nvidia-smi` takes a second to say the same."""
    return [_named(path, "Model") or "GPU" for path in sorted(GPUS.glob("*/information"))]


def _named(path: Path, key: str) -> str | None:
    """The value of the first line `key: value` of a file; None without the line or the file."""
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == key:
                return value.strip()
    return None
