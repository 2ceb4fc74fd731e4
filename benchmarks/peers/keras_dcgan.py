"""Document 002's DCGAN in Keras and TensorFlow, as its tutorials write it: a compiled step with two gradient tapes.

    python keras_dcgan.py mixed_bfloat16              # serves steps to a referee (see contest.py)
    python keras_dcgan.py mixed_bfloat16 IMAGES.npy FOLDER

The second form trains for an epoch on uint8 images [N, 28, 28] at each line of its input, leaves 10,000 drawn images in
FOLDER/EPOCH.npy, and answers with the seconds of training so far. It needs tensorflow alone.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from contest import serve
from keras import layers

BATCH, NOISE, DRAWN = 256, 100, 10_000


def generator() -> keras.Model:
    """Noise [N, 100] to images [N, 28, 28, 1] in -1..1."""
    return keras.Sequential(
        [
            layers.Input((NOISE,)),
            layers.Dense(7 * 7 * 256, use_bias=False),
            layers.BatchNormalization(),
            layers.LeakyReLU(negative_slope=0.3),
            layers.Reshape((7, 7, 256)),
            layers.Conv2DTranspose(128, 5, strides=1, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.LeakyReLU(negative_slope=0.3),
            layers.Conv2DTranspose(64, 5, strides=2, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.LeakyReLU(negative_slope=0.3),
            layers.Conv2DTranspose(1, 5, strides=2, padding="same", use_bias=False, activation="tanh", dtype="float32"),
        ]
    )


def discriminator() -> keras.Model:
    """Images to logits [N, 1]."""
    stack = [layers.Input((28, 28, 1))]
    for filters in (64, 128, 256):
        stack += [layers.Conv2D(filters, 5, strides=2, padding="same")]
        stack += [layers.LeakyReLU(negative_slope=0.3), layers.Dropout(0.3)]
    return keras.Sequential([*stack, layers.Flatten(), layers.Dense(1, dtype="float32")])


class Players:
    """Both networks, their optimisers, and the compiled step."""

    def __init__(self) -> None:
        self.generator, self.discriminator = generator(), discriminator()
        self.generator_optimiser = keras.optimizers.Adam(1e-3)
        self.discriminator_optimiser = keras.optimizers.Adam(1e-4)
        self.entropy = keras.losses.BinaryCrossentropy(from_logits=True)

    @tf.function
    def step(self, real: tf.Tensor) -> None:
        noise = tf.random.normal([BATCH, NOISE])
        with tf.GradientTape() as generator_tape, tf.GradientTape() as discriminator_tape:
            fakes = self.generator(noise, training=True)
            on_real = self.discriminator(real, training=True)
            on_fakes = self.discriminator(fakes, training=True)
            generator_loss = self.entropy(tf.ones_like(on_fakes), on_fakes)
            discriminator_loss = self.entropy(tf.ones_like(on_real), on_real)
            discriminator_loss += self.entropy(tf.zeros_like(on_fakes), on_fakes)
        for tape, loss, player, optimiser in (
            (generator_tape, generator_loss, self.generator, self.generator_optimiser),
            (discriminator_tape, discriminator_loss, self.discriminator, self.discriminator_optimiser),
        ):
            gradients = tape.gradient(loss, player.trainable_variables)
            optimiser.apply_gradients(zip(gradients, player.trainable_variables, strict=True))


def train(images: np.ndarray, folder: Path) -> None:
    """Train an epoch at a time, and leave what the generator draws after each."""
    players = Players()
    scaled = (images[..., None].astype(np.float32) - 127.5) / 127.5
    data = tf.data.Dataset.from_tensor_slices(scaled).shuffle(len(scaled)).batch(BATCH, drop_remainder=True)
    data = data.prefetch(tf.data.AUTOTUNE)
    players.step(scaled[:BATCH])  # compiles, outside the clock
    seconds = 0.0
    print(json.dumps({"ready": True}), flush=True)
    for epoch, _ in enumerate(sys.stdin, 1):
        start = time.perf_counter()
        for batch in data:
            players.step(batch)
        seconds += time.perf_counter() - start
        noise = np.random.default_rng(epoch).standard_normal((DRAWN, NOISE)).astype(np.float32)
        drawn = np.concatenate([players.generator(part, training=False) for part in np.array_split(noise, 20)])
        np.save(folder / f"{epoch}.npy", np.clip(np.round(drawn[..., 0] * 127.5 + 127.5), 0, 255).astype(np.uint8))
        print(json.dumps({"epoch": epoch, "seconds": seconds}), flush=True)


if __name__ == "__main__":
    keras.mixed_precision.set_global_policy(sys.argv[1])
    keras.utils.set_random_seed(0)
    if len(sys.argv) == 4:
        train(np.load(sys.argv[2]), Path(sys.argv[3]))
    else:
        contestants, real = Players(), tf.random.uniform([BATCH, 28, 28, 1], -1, 1)
        serve(lambda: contestants.step(real), BATCH)
