"""One step of training, eagerly: which side learns in which half, and what each option changes."""

from dataclasses import replace

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

from ganexport.errors import OptionError  # noqa: E402
from ganexport.weights import hash_tensors  # noqa: E402
from train.config import Config  # noqa: E402
from train.state import State  # noqa: E402
from train.step import Kind, _Halves, kind_at, make_step  # noqa: E402

STYLED = Config(
    resolution=4, z_dim=4, w_dim=4, mapping_layers=1, channels=(8,), d_channels=(8,), batch=8, group=2, r1_gamma=0.0
)
CLASSIC = replace(STYLED, architecture="dcgan", d_norm="batch", mismatch=0.0)
IMAGES = tf.constant(np.random.RandomState(0).uniform(-1, 1, (8, 4, 4, 1)), tf.float32)
LABELS = tf.constant(np.repeat(np.eye(2), 4, axis=0), tf.float32)


@pytest.fixture(autouse=True)
def eagerly():
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def hashes(state):
    return {name: hash_tensors({"": tensor}) for name, tensor in state.tensors().items()}


def differing(first, second):
    return {name for name in first.keys() | second.keys() if first.get(name) != second.get(name)}


def apart(first, second):
    """Names of what differs by more than the order of a sum makes it differ."""

    def same(a, b):
        return np.shape(a) == np.shape(b) and np.allclose(a, b, rtol=0, atol=1e-4 * np.max(np.abs(b)))

    return {
        n for n in first.keys() | second.keys() if n not in first or n not in second or not same(first[n], second[n])
    }


def trained(state, side):
    parameters = state.g_parameters if side == "g" else state.d_parameters
    return {f"{side}.{name}" for name, p in parameters.items() if p.trainable}


@pytest.mark.parametrize(
    "config", [STYLED, CLASSIC, replace(STYLED, d_norm="spectral")], ids=["style", "batch", "spectral"]
)
def test_each_side_stands_still_while_the_other_learns(config):
    state = State(config, 1, 2)
    halves, step, seed = _Halves(config, state, Kind(), tf.constant(0)), tf.constant(0), tf.constant([1, 2])
    fresh = hashes(state)
    halves.discriminator(IMAGES, LABELS, step, seed)
    between = hashes(state)
    halves.generator(LABELS, tf.constant(8), step, seed)
    after = hashes(state)

    learnt = differing(fresh, between)
    assert not {name for name in learnt if name.startswith(("g.", "g_ema.", "g_adam."))}
    vectors = {f"d.{name}" for name in state.d if name.endswith(".u")}
    assert trained(state, "d") | vectors <= learnt and bool(vectors) == (config.d_norm == "spectral")

    learnt = differing(between, after)
    assert not {name for name in learnt if name.startswith(("d.", "d_adam."))}
    assert trained(state, "g") <= learnt


@pytest.mark.parametrize("options", [{}, {"d_steps": 5}, {"d_steps": 2, "d_pretrain": 10}])
def test_both_learning_rates_come_to_their_end_together(options):
    config = replace(STYLED, kimg=0.4, anneal_kimg=0.4, lr_end=0.1, **options)
    state, kinds = State(config, 1, 2), [kind_at(config, step) for step in range(config.steps)]
    for optimizer, start, steps in (
        (state.d_optimizer, config.d_lr, len(kinds)),
        (state.g_optimizer, config.g_lr, sum(kind.with_g for kind in kinds)),
    ):
        optimizer.iterations.assign(steps // 2)
        assert float(optimizer.learning_rate) == pytest.approx(0.55 * start, rel=0.2)
        optimizer.iterations.assign(steps)
        assert float(optimizer.learning_rate) == pytest.approx(0.1 * start)


def test_channels_need_not_be_a_multiple_of_the_statistics():
    for architecture in ("stylegan2", "progressive"):
        shape = State(replace(STYLED, architecture=architecture, d_channels=(12,)), 1, 0).d["b4.conv.weight"].shape
        assert shape == (3, 3, 12 + 4, 12)


def test_a_timetable_of_steps():
    config = replace(STYLED, d_pretrain=4, d_steps=2, path_length=2.0, path_interval=3)
    kinds = [kind_at(config, step) for step in range(14)]
    assert [i for i, kind in enumerate(kinds) if kind.with_g] == [5, 7, 9, 11, 13]
    assert [i for i, kind in enumerate(kinds) if kind.with_path_length] == [7, 13]
    assert not any(kind_at(replace(config, path_length=0.0), step).with_path_length for step in range(14))


STILL = replace(STYLED, d_lr=1e-30, g_lr=1e-30)
"""Nobody learns, so that what a step reports of both halves is of one and the same state."""
BOTH_LOSSES = {"loss_d", "loss_g"}
ANSWERS = BOTH_LOSSES | {"score_real", "score_fake"}
ACCURACY = {"accuracy_real", "accuracy_fake"}


def one_step(config):
    """What a fresh state's first step reports, and the state afterwards."""
    state = State(config, 1, 2)
    logs = make_step(config, state)(kind_at(config, 0))(IMAGES, LABELS, tf.constant(0))
    return {k: float(v) for k, v in logs.items()}, state


@pytest.fixture(scope="module")
def plain():
    logs, state = one_step(STILL)
    return logs, state.tensors()


@pytest.mark.parametrize(
    ("option", "reported", "sides"),
    [
        ({"label_smoothing": 0.1}, {"loss_d"}, "d"),
        ({"flip_labels": 0.4}, {"loss_d"}, "d"),
        ({"loss": "minimax"}, {"loss_g"}, "g"),
        ({"loss": "least-squares"}, BOTH_LOSSES, "dg"),
        ({"gradient_penalty": 10.0}, {"gradient_penalty"}, "d"),
        ({"r1_gamma": 1.0}, {"r1"}, "d"),
        ({"path_length": 2.0}, {"path_length"}, "g"),
        ({"minibatch_views": 3}, ANSWERS, "dg"),
        ({"d_norm": "spectral"}, ANSWERS, "dg"),
        ({"augment": ("color",), "augment_p": 1.0}, ANSWERS, "dg"),
    ],
    ids=lambda value: next(iter(value)) + str(next(iter(value.values()))) if isinstance(value, dict) else None,
)
def test_an_option_changes_what_it_should_and_nothing_else(option, reported, sides, plain):
    logs, state = one_step(replace(STILL, **option))
    assert all(np.isfinite(value) for value in logs.values())
    changed = apart(plain[0], logs)
    assert reported <= changed <= reported | (ACCURACY if len(sides) == 2 else set())
    learnt = apart(plain[1], state.tensors())
    moved = {side for side in "dg" if any(name.startswith(f"{side}_adam.") for name in learnt)}
    assert moved == set(sides), "the gradients of the other side should be what they were"
    if "label_smoothing" in option:  # softplus(x) − t·x: a tenth of the real logits more
        assert logs["loss_d"] == pytest.approx(plain[0]["loss_d"] + 0.1 * plain[0]["score_real"], rel=1e-5)
    if "path_length" in option:  # from a running mean of 0, the penalty is the mean of the squared lengths
        length = float(state.path_length) / 0.01
        assert length > 0 and logs["path_length"] >= length**2 * (1 - 1e-5)


def test_what_an_option_keeps_from_step_to_step_is_in_the_snapshot():
    config = replace(
        STYLED,
        d_norm="spectral",
        minibatch_views=3,
        path_length=2.0,
        path_interval=1,
        flip_labels=0.2,
        augment=("flip",),
    )
    config = replace(config, augment_p=0.5, augment_target=0.6)
    state = State(config, 1, 2)
    step = make_step(config, state)(Kind(with_path_length=True))
    step(IMAGES, LABELS, tf.constant(0))
    kept = state.tensors()
    step(IMAGES, LABELS, tf.constant(1))
    again = State(config, 1, 2)
    again.restore(kept)
    make_step(config, again)(Kind(with_path_length=True))(IMAGES, LABELS, tf.constant(1))
    assert not apart(again.tensors(), state.tensors())


def test_the_averages_of_what_a_run_starts_from_are_not_forgotten():
    def kept(config):
        state = State(config, 1, 2)
        for average in state.g_ema.values():
            average.assign(average + 1.0)
        state.g["mapping.w_avg"].assign(tf.fill([4], 100.0))
        _Halves(config, state, Kind(), tf.constant(0))._average({"mapping.w_avg": tf.zeros([4])}, tf.constant(0))
        name = "synthesis.b4.const"
        return float(tf.reduce_mean(state.g_ema[name] - state.g[name])), float(state.g["mapping.w_avg"][0])

    average, mean = kept(STYLED)
    assert average < 0.01 and mean == pytest.approx(10.0)
    average, mean = kept(replace(STYLED, init="a.pkl"))
    assert average > 0.99 and mean == pytest.approx(99.8)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ({"loss": "bce"}, "unknown --loss 'bce'"),
        ({"loss": "hinge", "flip_labels": 0.1}, "--flip-labels 0.1 has no meaning with --loss hinge"),
        ({"gradient_penalty": -1.0}, "--gradient-penalty must be at least 0, found -1.0"),
        ({"architecture": "dcgan", "d_norm": "batch", "gradient_penalty": 10.0}, "set --d-norm to none or spectral"),
        ({"minibatch_views": 4, "group": 1}, "--group must be at least 2, found 1"),
        ({"architecture": "dcgan", "path_length": 2.0}, "--path-length is for stylegan and stylegan2"),
    ],
)
def test_options_that_cannot_go_together_say_so(option, words):
    with pytest.raises(OptionError, match=words):
        replace(STYLED, **option)
