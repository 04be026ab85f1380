"""One training step: the discriminator's, the generator's, and the running averages."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from ganexport.architectures import stylegan2
from ganexport.ops.tensorflow_ops import TensorFlowOps
from train.augment import adjusted_probability, augment
from train.config import Config
from train.discriminators import discriminate
from train.equalized import fold
from train.losses import discriminator_loss, generator_loss, mismatch_loss, r1_penalty
from train.state import State

__all__ = ["Step", "TrainingOps", "make_step"]

Tensor = Any
Step = Callable[[Tensor, Tensor, Tensor], dict[str, Tensor]]
"""(images [N, H, W, C] in −1…1, one-hot labels [N, c_dim], step index) -> losses by name."""


class TrainingOps(TensorFlowOps):
    """Draws fresh noise for each picture, from a stream keyed by seed, step and layer."""

    def __init__(self, seed: Tensor) -> None:
        self._seed, self._layer = seed, 0

    def add_noise(self, x: Tensor, noise_const: Tensor, noise_strength: Tensor, noise_scale: Tensor) -> Tensor:
        del noise_const, noise_scale
        self._layer += 1
        shape = tf.concat([tf.shape(x)[:3], [1]], axis=0)
        # The const map of the first block has a batch of 1 until it is modulated; here it already has N.
        noise = tf.random.stateless_normal(shape, _key(self._seed, self._layer), dtype=tf.float32)
        return x + tf.cast(noise * noise_strength, x.dtype)


def make_step(config: Config, state: State) -> Callable[[bool], Step]:
    """The compiled step, with or without the R1 penalty."""
    compute = tf.bfloat16 if config.mixed_precision else tf.float32

    def critic(weights: dict[str, Tensor], images: Tensor, labels: Tensor | None) -> Tensor:
        return discriminate(weights, tf.cast(images, compute), labels, config.group)

    def seen(images: Tensor, seed: Tensor, stream: int) -> Tensor:
        """What the discriminator sees of pictures."""
        if not config.augment:
            return images
        return augment(images, config.augment, state.augment_p, _key(seed, stream))

    def draw(labels: Tensor | None, seed: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
        """`count` fresh pictures with style mixing, and the mean w of the batch."""
        spec, weights = state.spec, fold(state.g, state.g_parameters)
        z = tf.random.stateless_normal([2, count, spec.z_dim], _key(seed, 101))
        psi = tf.ones([count, spec.num_ws])
        ops = TrainingOps(seed)
        ws = stylegan2.mapping(ops, weights, spec, z[0], labels, psi)["ws"]
        mean_w = tf.stop_gradient(tf.reduce_mean(ws[:, 0], axis=0))
        if config.style_mixing > 0:
            other = stylegan2.mapping(ops, weights, spec, z[1], labels, psi)["ws"]
            ws = tf.where(_mixing_mask(config, spec.num_ws, count, seed), other, ws)
        ws = tf.cast(ws, compute)
        inputs = {"ws": ws, "noise_scale": tf.ones([count], compute)}
        images = stylegan2.synthesis(ops, weights, spec, inputs)["image"]
        return tf.cast(images, tf.float32), mean_w

    def run(images: Tensor, one_hot: Tensor, step: Tensor, with_r1: bool) -> dict[str, Tensor]:
        labels = one_hot if state.spec.c_dim else None
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        seed, count = tf.stack([config.seed, step * 64 + replica]), tf.shape(images)[0]
        logs: dict[str, Tensor] = {}

        fakes, _ = draw(labels, _key(seed, 1), count)
        images, fakes = seen(images, seed, 11), seen(fakes, seed, 12)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(state.d_trainable)
            weights = fold(state.d, state.d_parameters)
            both = None if labels is None else tf.concat([labels, labels], axis=0)
            real_logits, fake_logits = tf.split(critic(weights, tf.concat([images, fakes], axis=0), both), 2)
            loss = logs["loss_d"] = discriminator_loss(real_logits, fake_logits)
            if labels is not None and config.mismatch > 0:
                groups = config.batch // config.group // tf.distribute.get_strategy().num_replicas_in_sync
                some = max(1, groups // 2) * config.group  # half of the groups say enough
                wrong = tf.roll(labels, config.group, axis=0)[:some]
                mismatch_logits = critic(weights, images[:some], wrong)
                loss += config.mismatch * mismatch_loss(mismatch_logits, labels[:some], wrong)
            if with_r1:
                logs["r1"] = r1_penalty(lambda x: critic(weights, x, labels), images)
                loss += logs["r1"] * _r1_weight(config, step)
        _apply(state.d_optimizer, tape.gradient(loss, state.d_trainable), state.d_trainable)

        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(state.g_trainable)
            fakes, mean_w = draw(labels, _key(seed, 2), count)
            answers = critic(fold(state.d, state.d_parameters), seen(fakes, seed, 13), labels)
            loss = logs["loss_g"] = generator_loss(answers)
        _apply(state.g_optimizer, tape.gradient(loss, state.g_trainable), state.g_trainable)

        _average(config, state, mean_w, step)
        if config.augment_target > 0:
            _steer_augmentation(config, state, real_logits)
            logs["augment_p"] = tf.identity(state.augment_p)
        logs["score_real"], logs["score_fake"] = tf.reduce_mean(real_logits), tf.reduce_mean(fake_logits)
        return logs

    def compiled(with_r1: bool) -> Step:
        strategy = tf.distribute.get_strategy()

        @tf.function(autograph=False, jit_compile=False)
        def step(images: Tensor, one_hot: Tensor, index: Tensor) -> dict[str, Tensor]:
            logs = strategy.run(run, args=(images, one_hot, index, with_r1))
            return {k: strategy.reduce(tf.distribute.ReduceOp.MEAN, v, axis=None) for k, v in logs.items()}

        return step  # type: ignore[no-any-return]

    return compiled


def _apply(optimizer: Tensor, gradients: list[Tensor], variables: list[Tensor]) -> None:
    """One optimiser step with the mean of all replicas' gradients, whose sum the optimiser takes."""
    replicas = tf.distribute.get_replica_context().num_replicas_in_sync
    optimizer.apply([g / replicas for g in gradients] if replicas > 1 else gradients, variables)


def _steer_augmentation(config: Config, state: State, real_logits: Tensor) -> None:
    state.overfitting.assign(0.95 * state.overfitting + 0.05 * tf.reduce_mean(tf.sign(real_logits)))
    share = config.batch / 1000.0 / config.augment_kimg
    state.augment_p.assign(adjusted_probability(state.augment_p, state.overfitting, config.augment_target, share))


def _average(config: Config, state: State, mean_w: Tensor, step: Tensor) -> None:
    """Move w_avg towards this batch's mean w, and the averaged generator towards the current one."""
    w_avg = state.g["mapping.w_avg"]
    w_avg.assign(mean_w + config.w_avg_beta * (w_avg - mean_w))
    shown = tf.cast(step + 1, tf.float32) * config.batch / 1000.0  # kimg
    half_life = tf.minimum(config.ema_kimg, shown * config.ema_rampup)
    beta = tf.pow(0.5, config.batch / 1000.0 / tf.maximum(half_life, 1e-8))
    for name, variable in state.g.items():
        average = state.g_ema[name]
        if state.g_parameters[name].trainable:
            average.assign(variable + beta * (average - variable))
        else:
            average.assign(variable)


def _r1_weight(config: Config, step: Tensor) -> Tensor:
    """Weight of a lazy penalty at `step`: a cosine from `r1_gamma` down to `r1_gamma_end`.

    Source: lazily applied as in Karras et al. 2020, section 3.1; lowered during the run as in Huang et al. 2024.
    """
    done = tf.minimum(tf.cast(step, tf.float32) / config.step_at(config.anneal_kimg), 1.0)
    share = 0.5 * (1.0 + tf.cos(math.pi * done))
    gamma = config.r1_gamma_end + (config.r1_gamma - config.r1_gamma_end) * share
    return gamma * float(config.r1_interval)


def _mixing_mask(config: Config, num_ws: int, count: Tensor, seed: Tensor) -> Tensor:
    """[N, num_ws, 1]: where a mixed picture takes its second w, from a random layer on.

    Source: Karras et al. 2019, section 3.1.
    """
    cutoff = tf.random.stateless_uniform([count, 1], _key(seed, 102), 1, num_ws, dtype=tf.int32)
    mixed = tf.random.stateless_uniform([count, 1], _key(seed, 103)) < config.style_mixing
    return ((tf.range(num_ws)[None, :] >= cutoff) & mixed)[:, :, None]


def _key(seed: Tensor, stream: int) -> Tensor:
    """A stream of its own under `seed` [2]."""
    return tf.random.experimental.stateless_fold_in(seed, stream)
