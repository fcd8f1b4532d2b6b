"""Keras and TensorFlow, imported without the messages of TensorFlow that a user can do nothing about.

Those at its start come from C++ before any log level is read, so the process's stderr is set aside meanwhile. Where the
import fails, they are shown: then they may say why.
"""

import logging
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# Errors of the C++ side that matter arrive as Python exceptions as well; what is left is about absent GPUs.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@contextmanager
def messages_held_back() -> Iterator[None]:
    """Keep what is written to the process's stderr to itself, unless an exception passes through."""
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(stderr, held.read())
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


with _ended_at_once_by_ctrl_c(), messages_held_back():
    import keras
    import tensorflow as tf

# Each seed's model is traced anew, which TensorFlow, seeing the same code traced so often, takes for a mistake.
logging.getLogger("tensorflow").addFilter(lambda record: "tf.function retracing" not in record.getMessage())

__all__ = ["keras", "messages_held_back", "tf"]
