"""The Keras layer of the capstone's augmentation. Importing this module imports TensorFlow and Keras."""

import numpy as np

from course_lib.models import keras, layers


@keras.saving.register_keras_serializable("course")
class RandomPose(layers.Layer):
    """Turns, scales and shifts images (n, h, w, c), each by its own random amount, while training only.

    degrees: turned by up to this angle, either way; zoom: scaled by e^−zoom to e^zoom;
    shift: moved by up to this share of height and width. What comes from outside the image is its nearest pixel:
        black corners in every training image would make it unlike the images in use.

    RandomRotation, RandomZoom and RandomTranslation one after the other would interpolate three times, and blur a small
    image each time. Here the three are one affine map: one interpolation.
    """

    def __init__(self, degrees=15.0, zoom=0.15, shift=0.1, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.degrees, self.zoom, self.shift, self.seed = degrees, zoom, shift, seed
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, images, training=False):
        if not training:
            return images
        k = keras.ops
        number, height, width = k.shape(images)[0], images.shape[1], images.shape[2]

        def uniform(limit):
            return keras.random.uniform((number,), -limit, limit, seed=self.generator)

        angle, scale = uniform(np.pi * self.degrees / 180), k.exp(uniform(self.zoom))
        a, b = scale * k.cos(angle), scale * k.sin(angle)
        x, y = (width - 1) / 2, (height - 1) / 2  # the centre stays where it is, but for the shift
        to_x = x - (a * x - b * y) + width * uniform(self.shift)
        to_y = y - (b * x + a * y) + height * uniform(self.shift)
        zero = k.zeros_like(a)
        maps = k.stack([a, -b, to_x, b, a, to_y, zero, zero], axis=1)
        return k.image.affine_transform(images, maps, fill_mode="nearest", data_format="channels_last")

    def get_config(self):
        own = {"degrees": self.degrees, "zoom": self.zoom, "shift": self.shift, "seed": self.seed}
        return {**super().get_config(), **own}
