"""Keras and TensorFlow, imported without the start-up messages of TensorFlow that a user can do nothing about.

They come from C++ before any log level is read, so the process's stderr is set aside meanwhile. Where the
import fails, they are shown: then they may say why.
"""

import os
import sys
import tempfile
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


with messages_held_back():
    import keras
    import tensorflow as tf

__all__ = ["keras", "messages_held_back", "tf"]
