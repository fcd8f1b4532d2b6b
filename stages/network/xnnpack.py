"""Forward passes by XNNPACK's float32 kernels in TensorFlow Lite: it fuses layers and changes no layout in between."""

import warnings
from collections.abc import Callable, Sequence

import numpy as np

from stages.network.keras_quietly import keras, messages_held_back, tf

Network = Callable[[np.ndarray], list[np.ndarray]]
"""Maps a batch, float32, of exactly the size that the model was converted for, to the outputs."""


def converted(model: keras.Model, weights: Sequence[np.ndarray], batch_size: int) -> bytes:
    """The functional `model` outside training, with `weights` as its `variables`, in TensorFlow Lite's format."""

    # With constants for weights no saved model is needed, which would take longer to write than this conversion.
    def run(inputs: tf.Tensor) -> list[tf.Tensor]:
        constants = [tf.constant(weight) for weight in weights]
        with keras.StatelessScope(state_mapping=list(zip(model.variables, constants, strict=True))):
            return keras.tree.flatten(model(inputs, training=False))

    with messages_held_back():
        signature = tf.TensorSpec((batch_size, *model.input_shape[1:]), tf.float32)
        function = tf.function(run).get_concrete_function(signature)
        return tf.lite.TFLiteConverter.from_concrete_functions([function]).convert()


def network(content: bytes, threads: int) -> Network:
    """What `converted` returned, ready to run."""
    with warnings.catch_warnings(), messages_held_back():
        warnings.simplefilter("ignore")  # tf.lite is announced to move to a package of its own
        interpreter = tf.lite.Interpreter(model_content=content, num_threads=threads)
        interpreter.allocate_tensors()
        interpreter.invoke()  # the first time announces the kernels
    (given,) = interpreter.get_input_details()
    outputs = [output["index"] for output in interpreter.get_output_details()]

    def run(batch: np.ndarray) -> list[np.ndarray]:
        interpreter.set_tensor(given["index"], batch)
        interpreter.invoke()
        return [interpreter.get_tensor(output) for output in outputs]

    return run
