"""Which test files are quick: those that reach neither TensorFlow nor DVC's commands, by the imports of their code."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
SLOW = frozenset({"stages/network/keras_quietly.py", "tests/warm_python.py"})
"""What starts TensorFlow or runs commands, each of which takes seconds."""


def is_quick(path: Path) -> bool:
    return not reached(path) & {ROOT / name for name in SLOW}


@cache
def reached(path: Path) -> frozenset[Path]:
    """The modules of this project that importing `path` imports, itself included; not what a function imports."""
    found, waiting = set(), {path}
    while waiting:
        found |= waiting
        waiting = set().union(*map(imported, waiting)) - found
    return frozenset(found)


@cache
def imported(path: Path) -> frozenset[Path]:
    """The modules of this project that `path` itself imports."""
    names = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            names |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{name.name}" for name in node.names} | {node.module or ""}
    files = [folder / f"{name.replace('.', '/')}.py" for name in names for folder in (ROOT, ROOT / "tests")]
    return frozenset(file for file in files if file.exists())
