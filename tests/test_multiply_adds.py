"""Multiply-adds against counts worked out by hand."""

import keras

from stages.network import multiply_adds


def test_layers_are_counted_by_their_shapes():
    pictures = keras.Input((8, 8, 3))
    outputs = keras.layers.Conv2D(4, 3, padding="same", name="conv")(pictures)  # 8*8 places, 3*3*3 inputs, 4 channels
    outputs = keras.layers.DepthwiseConv2D(3, strides=2, padding="same")(outputs)  # 4*4 places, 3*3 inputs, 4 channels
    outputs = keras.layers.Conv2D(6, 1, groups=2)(outputs)  # 4*4 places, 2 inputs, 6 channels
    outputs = keras.layers.SeparableConv2D(5, 3, padding="same")(outputs)  # 4*4 places, 6 channels, 3*3 and then 5
    outputs = keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(outputs))  # 5 inputs, 2 outputs
    by_hand = [8 * 8 * 27 * 4, 4 * 4 * 9 * 4, 4 * 4 * 2 * 6, 4 * 4 * 6 * (9 + 5), 5 * 2]
    assert multiply_adds.of_image(keras.Model(pictures, outputs)) == sum(by_hand)


def test_a_fine_epoch_takes_the_top_three_times():
    pictures = keras.Input((2, 2, 1))
    frozen = keras.layers.Conv2D(1, 1, name="frozen")(pictures)  # 4
    backbone = keras.Model(pictures, keras.layers.Conv2D(5, 1)(frozen))  # 20 more
    head = keras.Sequential([keras.Input((5,)), keras.layers.Dense(1)])  # 5
    epochs = multiply_adds.of_epochs(backbone, backbone.get_layer("frozen"), head, images=10)
    assert epochs == {"transfer": 10 * (24 + 3 * 5), "fine": 10 * (4 + 3 * (20 + 5))}
