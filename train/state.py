"""`State`: every tensor that a run changes, by name, so that a snapshot is the whole of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ganexport.errors import CheckpointError
from train.config import Config
from train.discriminators import discriminator_of
from train.discriminators.spectral import spectral_parameters
from train.equalized import Parameter, initial_value
from train.generators import family_of
from train.init import Start, fitted_spec

__all__ = ["State"]

Tensor = Any


class State:
    """Parameters of the generator, its average and the discriminator; both optimisers; the step.

    Random streams are keyed by the seed and the step, so they have no state of their own.
    """

    def __init__(self, config: Config, image_channels: int, c_dim: int, start: Start | None = None) -> None:
        self.family, self.discriminator = family_of(config.architecture), discriminator_of(config.architecture)
        spec = self.family.spec(config, image_channels, c_dim)
        self.spec = spec if start is None else fitted_spec(spec, start)
        self.start_licence = None if start is None else start.licence
        self.g_parameters = self.family.parameters(self.spec)
        self.d_parameters = self.discriminator.parameters(config, self.spec)
        if config.d_norm == "spectral":
            self.d_parameters |= spectral_parameters(self.d_parameters)
        self.g = _variables(self.g_parameters, config.seed)
        self.g_ema = {name: _variable(v.numpy(), trainable=False) for name, v in self.g.items()}
        self.d = _variables(self.d_parameters, config.seed + 1)
        self.g_trainable = [v for name, v in self.g.items() if self.g_parameters[name].trainable]
        self.d_trainable = [v for name, v in self.d.items() if self.d_parameters[name].trainable]
        end = config.step_at(config.anneal_kimg)
        self.g_descent = _Descent(config, config.g_lr, (end - config.d_pretrain) // config.d_steps)
        self.d_descent = _Descent(config, config.d_lr, end)
        self.g_optimizer = _adam(config, self.g_descent, self.g_trainable)
        self.d_optimizer = _adam(config, self.d_descent, self.d_trainable)
        self.augment_p = _variable(np.asarray(config.augment_p, np.float32), trainable=False)
        self.overfitting = _variable(np.zeros((), np.float32), trainable=False)
        self.path_length = _variable(np.zeros((), np.float32), trainable=False)
        self.grows, self.step = config.start_resolution > 0, 0

    def _named(self) -> dict[str, Tensor]:
        named: dict[str, Tensor] = {"augment.p": self.augment_p, "augment.overfitting": self.overfitting}
        named["path_length"] = self.path_length
        for prefix, variables in (("g", self.g), ("g_ema", self.g_ema), ("d", self.d)):
            named |= {f"{prefix}.{name}": v for name, v in variables.items()}
        for prefix, optimizer in (("g_adam", self.g_optimizer), ("d_adam", self.d_optimizer)):
            named |= {f"{prefix}.{i:03d}": v for i, v in enumerate(optimizer.variables)}
        if self.grows:
            named |= {"g_adam.before": self.g_descent.before, "d_adam.before": self.d_descent.before}
        return named

    def forget_moments(self) -> None:
        """Let both optimisers begin anew; their learning rates go on where they were.

        Adam corrects its moments for having begun at zero by its count of steps. Weights that join later begin at zero
        when the count is high already, and would at first move by (1 - beta1) / √(1 - beta2) learning rates.

        Source: Kingma and Ba 2015, section 3.
        """
        for optimizer, descent in ((self.g_optimizer, self.g_descent), (self.d_optimizer, self.d_descent)):
            descent.before.assign_add(tf.cast(optimizer.iterations, tf.int32))
            for variable in optimizer.variables:
                variable.assign(tf.zeros_like(variable))

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """A copy of everything, by name."""
        return {name: np.asarray(v.numpy()) for name, v in self._named().items()} | {
            "step": np.asarray(self.step, dtype=np.int64)
        }

    def restore(self, tensors: dict[str, NDArray[np.generic]]) -> None:
        """Take everything from what `tensors` gave.

        Raises:
            CheckpointError: The snapshot belongs to another configuration.
        """
        named = self._named()
        if missing := sorted(({"step"} | named.keys()) ^ tensors.keys()):
            raise CheckpointError(f"the snapshot belongs to another configuration: {', '.join(missing[:5])} …")
        for name, variable in named.items():
            if tuple(variable.shape) != tensors[name].shape:
                raise CheckpointError(
                    f"the snapshot belongs to another configuration: {name} is {list(tensors[name].shape)}, "
                    f"expected {list(variable.shape)}"
                )
            variable.assign(tensors[name])
        self.step = int(tensors["step"])


def _variables(parameters: dict[str, Parameter], seed: int) -> dict[str, Tensor]:
    return {name: _variable(initial_value(name, p, seed), trainable=p.trainable) for name, p in parameters.items()}


def _variable(value: NDArray[np.float32], *, trainable: bool) -> Tensor:
    return tf.Variable(value, trainable=trainable, aggregation=tf.VariableAggregation.MEAN)


class _Descent(tf.keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """A learning rate that comes to its end in so many of its optimiser's own steps: the generator may take fewer.

    Attributes:
        before: int32 scalar; steps that the optimiser took before it began anew.
    """

    def __init__(self, config: Config, learning_rate: float, steps: int) -> None:
        first = tf.VariableAggregation.ONLY_FIRST_REPLICA
        self.before = tf.Variable(0, trainable=False, aggregation=first)
        self._cosine = tf.keras.optimizers.schedules.CosineDecay(learning_rate, max(1, steps), alpha=config.lr_end)

    def __call__(self, step: Tensor) -> Tensor:
        """The learning rate of a step."""
        return self._cosine(tf.cast(step, tf.int32) + self.before)


def _adam(config: Config, learning_rate: _Descent, variables: list[Tensor]) -> Tensor:
    optimizer = tf.keras.optimizers.Adam(learning_rate, beta_1=config.beta1, beta_2=config.beta2, epsilon=1e-8)
    optimizer.build(variables)
    return optimizer
