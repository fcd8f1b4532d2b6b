"""Digests of this project's own code, for the names of what it has computed."""

import hashlib
from pathlib import Path

# The packages whose code decides the stored activations, and a training. A change in them makes what is stored useless.
# `common` is left out: the values of params and manifest are in the names.
OF_ACTIVATIONS = ("pictures", "network")
OF_TRAINING = (*OF_ACTIVATIONS, "training")

STAGES = Path(__file__).parent.parent


def digest_of(*packages: str) -> str:
    """A SHA-256 over every module of these packages of `stages`, their names included."""
    total = hashlib.sha256()
    for path in sorted(path for package in packages for path in (STAGES / package).rglob("*.py")):
        total.update(path.relative_to(STAGES).as_posix().encode() + b"\0" + path.read_bytes())
    return total.hexdigest()
