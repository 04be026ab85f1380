"""One training step: the discriminator's half, the generator's half, and the running averages."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import tensorflow as tf

from train.augment import adjusted_probability, augment
from train.config import Config
from train.discriminators import Answers, information
from train.discriminators.growing import FADE
from train.discriminators.spectral import normalised
from train.equalized import fold
from train.generators import Latents
from train.generators.training_ops import TrainingOps
from train.growing import fade_at, faded, growth_at, pictures_at, trained_spec
from train.losses.adversarial import ADVERSARIAL
from train.losses.labels import information_loss, mismatch_loss
from train.losses.regularisers import gradient_penalty, path_length, r1_penalty
from train.random import normal, stream, uniform
from train.state import State
from train.watch.observe import observe

__all__ = ["Kind", "Step", "kind_at", "make_step"]

Tensor = Any
Logs = dict[str, Tensor]
Step = Callable[[Tensor, Tensor, Tensor], Logs]
"""(images [N, H, W, C] in −1…1, one-hot labels [N, c_dim], step index) -> figures by name."""


class Kind(NamedTuple):
    """What a step does beside the discriminator's loss: each kind is compiled on its own.

    Attributes:
        with_r1: Whether the R1 penalty is among the discriminator's terms.
        with_g: Whether the generator learns too.
        level: The newest block of a run that grows; None of one that does not.
        fading: Whether that block is still fading in.
        with_path_length: Whether the path length penalty is among the generator's terms.
    """

    with_r1: bool = False
    with_g: bool = True
    level: int | None = None
    fading: bool = False
    with_path_length: bool = False


def kind_at(config: Config, step: int) -> Kind:
    """What step number `step` does."""
    growth = growth_at(config, step)
    with_g = step >= config.d_pretrain and (step + 1) % config.d_steps == 0
    return Kind(
        with_r1=config.r1_gamma > 0 and step % config.r1_interval == 0,
        with_g=with_g,
        level=growth.level if growth else None,
        fading=growth is not None and growth.fading,
        with_path_length=with_g and config.path_length > 0 and step // config.d_steps % config.path_interval == 0,
    )


def make_step(config: Config, state: State) -> Callable[[Kind], Step]:
    """Compile the steps of a run, each kind once."""
    strategy, made = tf.distribute.get_strategy(), dict[Kind, Step]()

    def run(images: Tensor, one_hot: Tensor, step: Tensor, kind: Kind) -> Logs:
        seed = tf.stack([config.seed, step])
        labels = one_hot if state.spec.c_dim and config.gives_labels else None
        halves = _Halves(config, state, kind, step)
        logs = halves.discriminator(images, labels, step, stream(seed, 1))
        if kind.level is not None:
            logs["resolution"] = tf.constant(float(4 << kind.level))
            logs["fade"] = tf.constant(1.0) if halves.fade is None else halves.fade
        if kind.with_g:
            logs |= halves.generator(labels, tf.shape(images)[0], step, stream(seed, 2))
        return logs

    def compiled(kind: Kind) -> Step:
        @tf.function(autograph=False, jit_compile=False)
        def step(images: Tensor, one_hot: Tensor, index: Tensor) -> Logs:
            logs = strategy.run(run, args=(images, one_hot, index, kind))
            return {k: strategy.reduce(tf.distribute.ReduceOp.MEAN, v, axis=None) for k, v in logs.items()}

        return step  # type: ignore[no-any-return]

    def step_of(kind: Kind) -> Step:
        if kind not in made:
            made[kind] = compiled(kind)
        return made[kind]

    return step_of


class _Drawn(NamedTuple):
    """Fresh pictures [N, H, W, C], what they were drawn from, and this batch's value of every running mean."""

    images: Tensor
    latents: Latents
    labels: Tensor | None
    seen: dict[str, Tensor]


class _Halves:
    """Both halves of a step, on one replica."""

    def __init__(self, config: Config, state: State, kind: Kind, step: Tensor) -> None:
        self.config, self.state, self.loss = config, state, ADVERSARIAL[config.loss]
        self.kind, self.level, self.spec, self.fade = kind, kind.level, state.spec, None
        if kind.level is not None:
            self.spec = trained_spec(state.spec, kind.level, fading=kind.fading)
            self.fade = fade_at(config, kind.level, step) if kind.fading else None
        self.groups = config.batch // config.group // tf.distribute.get_strategy().num_replicas_in_sync
        self.compute = tf.bfloat16 if config.mixed_precision else tf.float32

    def discriminator(self, images: Tensor, labels: Tensor | None, step: Tensor, seed: Tensor) -> Logs:
        """Teach the discriminator with real pictures and as many generated ones."""
        config, state = self.config, self.state
        drawn = self._draw(labels, tf.shape(images)[0], stream(seed, 1))
        if self.level is not None:
            images = pictures_at(images, self.level, self.fade)
        logs = observe(images, drawn.images, labels)
        images, fakes = self._seen(images, stream(seed, 2)), self._seen(drawn.images, stream(seed, 3))
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(state.d_trainable)
            weights, vectors = self._critic()
            real = self._judge(weights, images, labels).logits
            answers = self._judge(weights, fakes, labels)
            fake = answers.logits
            flipped = _by_chance(config.flip_labels, tf.shape(real), stream(seed, 4))
            target = 1.0 - config.label_smoothing
            loss = logs["loss_d"] = self.loss.discriminator(real, fake, real_target=target, flipped=flipped)
            if labels is not None and config.mismatch > 0 and self.groups > 1:
                loss += config.mismatch * self._mismatch(weights, images, labels)
            if config.recovers_codes:
                logs["information"] = self._information(weights, answers, drawn)
                loss += config.information * logs["information"]
            if config.gradient_penalty > 0:
                share = uniform(tf.shape(real), stream(seed, 5))
                critic = lambda x: self._judge(weights, x, labels).logits  # noqa: E731
                logs["gradient_penalty"] = gradient_penalty(critic, images, fakes, share)
                loss += config.gradient_penalty * logs["gradient_penalty"]
            if self.kind.with_r1:
                logs["r1"] = r1_penalty(lambda x: self._judge(weights, x, labels).logits, images)
                loss += logs["r1"] * _r1_weight(config, step)
        _apply(
            state.d_optimizer, tape.gradient(loss, state.d_trainable, unconnected_gradients=_ZERO), state.d_trainable
        )
        for name, vector in vectors.items():
            state.d[name].assign(vector)
        logs["score_real"], logs["score_fake"] = tf.reduce_mean(real), tf.reduce_mean(fake)
        logs["accuracy_real"], logs["accuracy_fake"] = (
            _share(real > self.loss.boundary),
            _share(fake <= self.loss.boundary),
        )
        if config.augment_target > 0:
            self._steer_augmentation(real)
            logs["augment_p"] = tf.identity(state.augment_p)
        return logs

    def generator(self, labels: Tensor | None, count: Tensor, step: Tensor, seed: Tensor) -> Logs:
        """Teach the generator with fresh pictures, and move the averages."""
        state, logs = self.state, dict[str, Tensor]()
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(state.g_trainable)
            drawn = self._draw(labels, count, stream(seed, 1))
            weights, _ = self._critic()
            answers = self._judge(weights, self._seen(drawn.images, stream(seed, 2)), labels)
            loss = logs["loss_g"] = self.loss.generator(answers.logits)
            if self.config.recovers_codes:
                loss += self.config.information * self._information(weights, answers, drawn)
            if self.kind.with_path_length:
                logs["path_length"], length = self._path_length(labels, count, stream(seed, 3))
                loss += self.config.path_length * self.config.path_interval * logs["path_length"]
                state.path_length.assign(state.path_length + PATH_DECAY * (length - state.path_length))
        _apply(
            state.g_optimizer, tape.gradient(loss, state.g_trainable, unconnected_gradients=_ZERO), state.g_trainable
        )
        self._average(drawn.seen, step)
        return logs

    def _draw(self, labels: Tensor | None, count: Tensor, seed: Tensor) -> _Drawn:
        """`count` fresh pictures of these labels, or of fresh categories."""
        family, g, spec = self.state.family, self._values(), self.spec
        if self.config.categories:
            chosen = uniform([count], stream(seed, 3), 0, self.config.categories, tf.int32)
            labels = tf.one_hot(chosen, self.config.categories)
        latents = family.latents(g, spec, self.config, labels, count, stream(seed, 1))
        ops = TrainingOps(stream(seed, 2), self.compute)
        images = family.pictures(ops, g, spec, latents, labels)
        seen = ops.seen if latents.mean_w is None else {**ops.seen, "mapping.w_avg": latents.mean_w}
        return _Drawn(tf.cast(images, tf.float32), latents, labels, seen)

    def _values(self) -> dict[str, Tensor]:
        """The generator's parameters, as they are at this moment of its growth."""
        if self.level is None or self.fade is None:
            return self.state.g
        return faded(self.state.g, self.level, self.fade)

    def _critic(self) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The discriminator's weights, and the vectors that spectral normalisation is to keep."""
        weights, vectors = normalised(fold(self.state.d, self.state.d_parameters))
        return (weights if self.fade is None else {**weights, FADE: self.fade}), vectors

    def _path_length(self, labels: Tensor | None, count: Tensor, seed: Tensor) -> tuple[Tensor, Tensor]:
        """The penalty, and the mean length, of half as many pictures, as published."""
        family, g, spec, half = self.state.family, self._values(), self.spec, (count + 1) // 2
        labels = None if labels is None else labels[::2]
        latents = family.latents(g, spec, self.config, labels, half, stream(seed, 1))

        def synthesis(ws: Tensor) -> Tensor:
            ops = TrainingOps(stream(seed, 2), self.compute)
            return tf.cast(family.pictures(ops, g, spec, replace(latents, ws=ws), labels), tf.float32)

        shape = [half, spec.resolution, spec.resolution, spec.image_channels]
        noise = normal(shape, stream(seed, 3))
        return path_length(synthesis, latents.ws, noise, self.state.path_length)

    def _seen(self, images: Tensor, seed: Tensor) -> Tensor:
        """What the discriminator sees of pictures."""
        if not self.config.augment:
            return images
        return augment(images, self.config.augment, self.state.augment_p, seed)

    def _judge(self, weights: dict[str, Tensor], images: Tensor, labels: Tensor | None) -> Answers:
        images = tf.cast(images, self.compute)
        return self.state.discriminator.discriminate(weights, images, labels, self.config)

    def _mismatch(self, weights: dict[str, Tensor], images: Tensor, labels: Tensor) -> Tensor:
        """Loss of the first group of every two, under the labels of the second; one group alone has no neighbour."""
        pairs = self.groups // 2

        def of_pairs(x: Tensor, place: int) -> Tensor:
            grouped = tf.reshape(x[: pairs * 2 * self.config.group], [pairs, 2, self.config.group, *x.shape[1:]])
            return tf.reshape(grouped[:, place], [-1, *x.shape[1:]])

        wrong = of_pairs(labels, 1)
        costs = self.loss.cost(self._judge(weights, of_pairs(images, 0), wrong).logits, 0.0)
        return mismatch_loss(costs, of_pairs(labels, 0), wrong)

    def _steer_augmentation(self, real_logits: Tensor) -> None:
        config, state = self.config, self.state
        state.overfitting.assign(
            0.95 * state.overfitting + 0.05 * tf.reduce_mean(tf.sign(real_logits - self.loss.boundary))
        )
        share = config.batch / 1000.0 / config.augment_kimg
        state.augment_p.assign(adjusted_probability(state.augment_p, state.overfitting, config.augment_target, share))

    def _information(self, weights: dict[str, Tensor], answers: Answers, drawn: _Drawn) -> Tensor:
        """How badly Q tells the codes that pictures were drawn from."""
        categories, means = information.recovered(weights, answers.features)
        codes = None if means is None else drawn.latents.z[:, -self.config.codes :]
        return information_loss(categories, drawn.labels, means, codes)

    def _average(self, seen: dict[str, Tensor], step: Tensor) -> None:
        """Move running means towards this batch's, and the averaged generator towards the current one."""
        config, state = self.config, self.state
        done = tf.cast(step, tf.float32) + (LONG if config.init else 0.0)  # it starts from what should be kept
        decay = tf.minimum(config.w_avg_beta, (done + 1.0) / (done + 10.0))  # a short run soon forgets its start
        for name, value in seen.items():
            running = state.g[name]
            running.assign(value + decay * (running - value))
        shown = (done + 1.0) * config.batch / 1000.0  # kimg
        half_life = tf.minimum(config.ema_kimg, shown * config.ema_rampup)
        beta = tf.pow(0.5, config.batch * config.d_steps / 1000.0 / tf.maximum(half_life, 1e-8))
        for name, variable in state.g.items():
            average = state.g_ema[name]
            if state.g_parameters[name].trainable:
                average.assign(variable + beta * (average - variable))
            else:
                average.assign(variable)


LONG = 1e9
"""Steps after which no running mean is young."""

PATH_DECAY = 0.01
"""How fast the mean path length follows (Karras et al. 2020, appendix B: a decay of 0.99)."""

_ZERO = tf.UnconnectedGradients.ZERO
"""What a parameter that took no part learns: nothing."""


def _apply(optimizer: Tensor, gradients: list[Tensor], variables: list[Tensor]) -> None:
    """One optimiser step with the mean of all replicas' gradients, whose sum the optimiser takes."""
    replicas = tf.distribute.get_replica_context().num_replicas_in_sync
    optimizer.apply([g / replicas for g in gradients] if replicas > 1 else gradients, variables)


def _by_chance(share: float, shape: Tensor, seed: Tensor) -> Tensor | None:
    """Bool of this shape, true with this probability; None where it is 0."""
    return uniform(shape, seed) < share if share > 0 else None


def _share(chosen: Tensor) -> Tensor:
    return tf.reduce_mean(tf.cast(chosen, tf.float32))


def _r1_weight(config: Config, step: Tensor) -> Tensor:
    """Weight of a lazy penalty at `step`: a cosine from `r1_gamma` down to `r1_gamma_end`.

    Source: lazily applied as in Karras et al. 2020, section 3.1; lowered during the run as in Huang et al. 2024.
    """
    done = tf.minimum(tf.cast(step, tf.float32) / config.step_at(config.anneal_kimg), 1.0)
    share = 0.5 * (1.0 + tf.cos(math.pi * done))
    gamma = config.r1_gamma_end + (config.r1_gamma - config.r1_gamma_end) * share
    return gamma * float(config.r1_interval)
