"""Batch normalisation by one kernel in each direction; Keras's layer makes a dozen passes over the activations."""

from stages.network.keras_quietly import keras, tf


def fused(model: keras.Model) -> keras.Model:
    """The same functional model on the same layers and weights, with fused batch normalisation."""
    return keras.models.clone_model(model, clone_function=_replace)


def _replace(layer: keras.Layer) -> keras.Layer:
    fusible = isinstance(layer, keras.layers.BatchNormalization) and layer.scale and layer.center
    return FusedBatchNormalization(layer) if fusible else layer


class FusedBatchNormalization(keras.layers.Layer):
    """Computes what `normalisation` does over the last axis, with the same weights, by TensorFlow's fused kernels."""

    def __init__(self, normalisation: keras.layers.BatchNormalization) -> None:
        # The kernels take half precision beside float32 weights and statistics, which autocast would cast too.
        super().__init__(name=f"{normalisation.name}_fused", dtype="float32", autocast=False)
        self.normalisation = normalisation

    # clone_model passes the arguments of the call that it replaces, `mask` among them; pictures have no mask.
    def call(
        self, inputs: keras.KerasTensor, training: bool | None = None, mask: keras.KerasTensor | None = None
    ) -> keras.KerasTensor:
        if training and self.normalisation.trainable:
            return self._by_batch_statistics(inputs)
        return self._by_moving_statistics(inputs)

    def _by_moving_statistics(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        layer = self.normalisation
        mean, variance = layer.moving_mean.value, layer.moving_variance.value
        outputs, _, _ = tf.compat.v1.nn.fused_batch_norm(
            inputs, layer.gamma.value, layer.beta.value, mean, variance, epsilon=layer.epsilon, is_training=False
        )
        return outputs

    def _by_batch_statistics(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        layer = self.normalisation
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs, layer.gamma.value, layer.beta.value, epsilon=layer.epsilon, is_training=True
        )
        # The kernel gives the sample's variance, over n - 1; Keras keeps the population's, over n.
        count = tf.cast(tf.size(inputs) // tf.shape(inputs)[-1], variance.dtype)
        self._move(layer.moving_mean, mean)
        self._move(layer.moving_variance, variance * (count - 1) / count)
        return outputs

    def _move(self, moving: keras.Variable, value: tf.Tensor) -> None:
        momentum = self.normalisation.momentum
        moving.assign(moving * momentum + value * (1 - momentum))
