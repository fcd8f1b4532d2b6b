"""Keras and TensorFlow, the same whatever the user's settings, and without idle messages.

Of the settings outside the repository only KERAS_BACKEND counts: `keras.json` is not read, and variables that would
change results are removed from the process's environment.

When TensorFlow is imported, its C++ side writes messages before it reads any log level, so the process's stderr is set
aside meanwhile. If the import fails, the messages are shown, because they may say why.
"""

import importlib.util
import logging
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from stages.common.command import one_line
from stages.network.memory import keep_freed_memory

BACKENDS = ("tensorflow", "jax", "torch")  # on which Keras trains
CHANGING = (
    "KERAS_MAX_EPOCHS",
    "KERAS_MAX_STEPS_PER_EPOCH",
    "KERAS_NNX_ENABLED",
    "TF_USE_LEGACY_KERAS",
    "TF_ENABLE_AUTO_MIXED_PRECISION",
    "TF_ENABLE_AUTO_MIXED_PRECISION_GRAPH_REWRITE",
    "TF_XLA_FLAGS",  # may compile, and so round, otherwise
    "NVIDIA_TF32_OVERRIDE",
)
"""The environment variables that would change results by more than the choice of kernels does."""

UNUSED = ("jax", "matplotlib", "sklearn")
"""What Keras and TensorFlow import if it is installed, for uses that no stage has. It takes nearly half their time."""

# Errors of the C++ side that matter arrive as Python exceptions as well; what is left is about absent GPUs.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@contextmanager
def messages_held_back() -> Iterator[None]:
    """Keep what is written to the process's stderr to itself, unless an exception passes through."""
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as captured:
        os.dup2(captured.fileno(), 2)
        try:
            yield
        except BaseException:
            captured.seek(0)
            os.write(stderr, captured.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


@contextmanager
def _ended_at_once_by_ctrl_c() -> Iterator[None]:
    """Let Ctrl-C end the process without a traceback, and without the wait for an import that takes seconds."""
    here = threading.current_thread() is threading.main_thread()  # others may set no handlers
    if not here or signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # ignored: in the background of a shell
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _settings_set_aside() -> Iterator[None]:
    """Keep the user's settings from Keras and TensorFlow, which read them when they are imported."""
    for name in CHANGING:
        os.environ.pop(name, None)
    home = os.environ.get("KERAS_HOME")
    with tempfile.TemporaryDirectory() as empty:
        os.environ["KERAS_HOME"] = empty  # in place of ~/.keras, whose keras.json Keras would follow
        try:
            yield
        finally:
            del os.environ["KERAS_HOME"]
            if home is not None:
                os.environ["KERAS_HOME"] = home


@contextmanager
def _hidden(packages: Sequence[str]) -> Iterator[None]:
    """Let imports not find `packages`, except those that are imported already."""
    absent = [name for name in packages if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # None there makes an import fail as if the package was not installed
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


def _check_backend(name: str) -> None:
    """End the process with one line if Keras cannot train on the backend `name`; stages import this before they run."""
    if name not in BACKENDS:
        sys.exit(one_line(f"error: KERAS_BACKEND: Keras trains on {', '.join(BACKENDS)}, not on '{name}'; unset it"))
    if importlib.util.find_spec(name) is None:
        sys.exit(f"error: KERAS_BACKEND: {name} is not installed; install it (`make extra` has jax) or unset it")


backend = os.environ.get("KERAS_BACKEND") or "tensorflow"
_check_backend(backend)
keep_freed_memory()
unused = [name for name in UNUSED if name != backend]
with _settings_set_aside(), _ended_at_once_by_ctrl_c(), messages_held_back(), _hidden(unused):
    import keras
    import tensorflow as tf

# Each seed's model is traced anew. TensorFlow sees the same code traced often, and warns of a mistake.
logging.getLogger("tensorflow").addFilter(lambda record: "tf.function retracing" not in record.getMessage())

__all__ = ["keras", "messages_held_back", "tf"]
