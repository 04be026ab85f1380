"""Are the oracles the published networks? And are they sane where no golden reaches?"""

import io
import pickle
import re

import numpy as np
import pytest
from oracles import dcgan, stylegan2
from support.goldens import GOLDENS, golden_arrays, golden_file
from support.nvidia_pickles import read_stylegan2
from support.random_weights import random_weights
from support.torch_files import InertUnpickler, fold_dcgan, read_torch_zip

# max |got - golden| / max |golden|. Measured: at most 1.0e-6 (sg2ada_32_orig), which is what the goldens' own
# float32 arithmetic leaves.
TOLERANCE = 5e-6

STYLEGAN2_GOLDENS = [
    "sg2ada_32",
    "sg2ada_32_cond10",
    "sg2ada_32_grey_3tap",
    "sg2ada_32_nonoise",
    "sg2ada_32_orig",
    "sg2ada_32_proto2",
    "sg2ada_32_resnet",
    "sg3_cfg_stylegan2_32",
]


def relative_error(got: np.ndarray, expected: np.ndarray) -> float:
    assert got.shape == expected.shape
    assert np.isfinite(got).all()
    return float(np.abs(got - expected).max() / np.abs(expected).max())


# ---------------------------------------------------------------------------------------------------- goldens


@pytest.mark.parametrize("name", STYLEGAN2_GOLDENS)
def test_stylegan2_draws_what_the_published_network_drew(name):
    golden = golden_arrays(name)
    settings, weights = read_stylegan2(golden_file(f"{name}.pkl"))
    z, c = golden["z"], golden["c"] if golden["c"].shape[1] else None
    assert stylegan2.num_ws(weights) == golden["num_ws"]

    pattern = re.compile(r"(ws|img)_psi([\d.]+)_cut(None|\d+)(?:_(const|none))?")
    recorded = {key: pattern.fullmatch(key) for key in golden if key not in ("seeds", "z", "c", "num_ws")}
    assert len(recorded) >= 5 and all(recorded.values()), sorted(recorded)
    for key, (kind, psi, cutoff, noise_mode) in ((k, m.groups()) for k, m in recorded.items()):
        truncation = {
            "truncation_psi": float(psi),
            "truncation_cutoff": None if cutoff == "None" else int(cutoff),
        }
        if kind == "ws":
            got = stylegan2.mapping(weights, z, c, **truncation)
        else:
            got = stylegan2.generate(weights, z, c, **truncation, noise_mode=noise_mode, **settings)
        assert relative_error(got, golden[key]) <= TOLERANCE, key


def test_every_stylegan2_golden_is_listed():
    golden_file("sg2ada_32.pkl")
    assert sorted(p.stem for p in GOLDENS.glob("sg2ada_32*.pkl")) == STYLEGAN2_GOLDENS[:-1]


@pytest.mark.parametrize(
    ("name", "file", "wrapper"),
    [
        ("dcgan64", "dcgan64_zip.pth", None),
        ("real/dcgan-faces64", "real/dcgan-faces64.tar", "netG_state_dict"),
    ],
)
def test_dcgan_draws_what_the_published_network_drew(name, file, wrapper):
    golden = golden_arrays(name)
    state = read_torch_zip(golden_file(file))
    settings, weights = fold_dcgan(state if wrapper is None else state[wrapper])
    assert relative_error(dcgan.generate(weights, golden["z"], **settings), golden["img"]) <= TOLERANCE


# --------------------------------------------------------------------------------------------------- fixtures


def stylegan2_shapes(architecture="skip", c_dim=0, channels=((4, 12), (8, 10), (16, 8))):
    """A 16² generator with z_dim 6, w_dim 5, two mapping layers."""
    shapes = {"mapping.w_avg": (5,), "mapping.fc0.weight": (5, 6 + (5 if c_dim else 0))}
    shapes |= {"mapping.fc0.bias": (5,), "mapping.fc1.weight": (5, 5), "mapping.fc1.bias": (5,)}
    if c_dim:
        shapes |= {"mapping.embed.weight": (5, c_dim), "mapping.embed.bias": (5,)}
    before = None
    for res, out in channels:
        block = f"synthesis.b{res}"
        layers = {"conv1": (out, out, 3, 3)}
        if before is None:
            shapes[f"{block}.const"] = (out, 4, 4)
        else:
            layers["conv0"] = (out, before, 3, 3)
            if architecture == "resnet":
                shapes[f"{block}.skip.weight"] = (out, before, 1, 1)
        for layer in layers:
            shapes |= {f"{block}.{layer}.noise_const": (res, res), f"{block}.{layer}.noise_strength": ()}
        if architecture == "skip" or res == channels[-1][0]:
            layers["torgb"] = (3, out, 1, 1)
        for layer, shape in layers.items():
            shapes |= {f"{block}.{layer}.weight": shape, f"{block}.{layer}.bias": shape[:1]}
            shapes[f"{block}.{layer}.affine.weight"] = (shape[1], 5)
            shapes[f"{block}.{layer}.affine.bias"] = (shape[1],)
        before = out
    return shapes


@pytest.fixture
def weights():
    return random_weights(stylegan2_shapes(), seed=1)


@pytest.fixture
def z():
    return np.random.RandomState(0).randn(3, 6)


@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_random_stylegan2_draws_pictures_in_range(architecture, seed, z):
    weights = random_weights(stylegan2_shapes(architecture), seed)
    image = stylegan2.generate(weights, z, architecture=architecture)
    assert image.shape == (3, 3, 16, 16)
    assert 0.15 < image.std() < 1.5
    assert not np.allclose(image[0], image[1], atol=0.05)


def test_random_weights_are_repeatable_and_never_degenerate(weights):
    again = random_weights(dict(reversed(stylegan2_shapes().items())), seed=1)
    other = random_weights(stylegan2_shapes(), seed=2)
    for name, array in weights.items():
        assert array.dtype == np.float32
        assert array.shape == stylegan2_shapes()[name]
        assert np.array_equal(array, again[name])
        assert not np.array_equal(array, other[name])
        assert np.abs(array).max() > 0.01
        if array.ndim == 4 and array.shape[-1] > 1:
            assert not np.allclose(array, array[:, :, ::-1, :])
            assert not np.allclose(array, array[:, :, :, ::-1])
            assert not np.allclose(array, array.transpose(0, 1, 3, 2))


# ---------------------------------------------------------------------------------------- properties: mapping


def test_one_mapping_layer_by_hand():
    # The mean square of (3, 4) is 12.5; √2 / √12.5 = 0.4; the second unit is negative: 0.2 of it leaks.
    weights = {
        "mapping.fc0.weight": np.array([[1, 0], [0, -1]]),
        "mapping.fc0.bias": np.zeros(2),
        "mapping.w_avg": np.array([1.0, 2.0]),
        "synthesis.b4.conv1.weight": np.zeros((1, 1, 3, 3)),
    }
    ws = stylegan2.mapping(weights, [[3, 4]])
    np.testing.assert_allclose(ws, [[[1.2, -0.32]] * 2], rtol=1e-8)
    ws = stylegan2.mapping(weights, [[3, 4]], truncation_psi=0.5, truncation_cutoff=1)
    np.testing.assert_allclose(ws, [[[1.1, 0.84], [1.2, -0.32]]], rtol=1e-8)


def test_psi_0_gives_one_picture_whatever_z(weights, z):
    images = stylegan2.generate(weights, z, truncation_psi=0)
    assert np.array_equal(images[0], images[1]) and np.array_equal(images[0], images[2])
    assert not np.allclose(images, stylegan2.generate(weights, z), atol=0.05)


def test_labels_change_the_picture_and_only_their_direction_counts(z):
    weights = random_weights(stylegan2_shapes(c_dim=4), seed=1)
    weights["mapping.embed.bias"][:] = 0
    labels = np.eye(4)[[0, 1, 2]]
    ws = stylegan2.mapping(weights, z, labels)
    np.testing.assert_allclose(ws, stylegan2.mapping(weights, z, 7 * labels), rtol=1e-6)
    assert not np.allclose(ws, stylegan2.mapping(weights, z, labels[::-1]), atol=0.05)


# -------------------------------------------------------------------------------------- properties: synthesis


def test_one_styled_convolution_by_hand():
    # One tap of 2, style 3: demodulation divides by 6, so the neighbours come back; noise, ·√2, clamp.
    kernel = np.zeros((1, 1, 3, 3))
    kernel[0, 0, 1, 2] = 2.0  # takes its right neighbour
    weights = {
        "l.weight": kernel,
        "l.bias": np.array([1.0]),
        "l.affine.weight": np.array([[1.0]]),
        "l.affine.bias": np.array([1.0]),
        "l.noise_const": np.array([[1.0, 0.5], [0.0, -1.0]]),
        "l.noise_strength": np.array(10.0),
    }
    x, w = np.array([[[[1.0, 2.0], [3.0, 4.0]]]]), np.array([[2.0]])
    quiet = np.sqrt(2) * np.array([[[[3.0, 1.0], [5.0, 1.0]]]])
    noisy = np.sqrt(2) * np.array([[[[13.0, 6.0], [5.0, -9.0 * 0.2]]]])
    got = stylegan2.styled_conv(x, w, weights, "l", None, noise_mode="none")
    np.testing.assert_allclose(got, quiet, rtol=1e-8)
    got = stylegan2.styled_conv(x, w, weights, "l", None)
    np.testing.assert_allclose(got, noisy, rtol=1e-8)
    got = stylegan2.styled_conv(x, w, weights, "l", None, conv_clamp=2.0)
    np.testing.assert_allclose(got, np.clip(noisy, -2, 2), rtol=1e-8)


def test_to_rgb_by_hand():
    # Styles 3 and -1 on two channels, not demodulated; the clamp comes after the bias.
    weights = {
        "l.weight": np.array([2.0, 5.0]).reshape(1, 2, 1, 1),
        "l.bias": np.array([1.0]),
        "l.affine.weight": np.array([[1.0], [0.0]]),
        "l.affine.bias": np.array([1.0, -1.0]),
    }
    x = np.array([[[[1.0, 0.5]], [[1.0, -1.0]]]])  # [1, 2, 1, 2]
    got = stylegan2.to_rgb(x, np.array([[2.0]]), weights, "l", None)
    np.testing.assert_array_equal(got, [[[[6 - 5 + 1, 3 + 5 + 1]]]])
    got = stylegan2.to_rgb(x, np.array([[2.0]]), weights, "l", 4.0)
    np.testing.assert_array_equal(got, [[[[2, 4]]]])


@pytest.mark.parametrize(
    ("taps", "row"),
    [
        ((1, 3, 3, 1), [0.75, 1.75, 3.25, 3.0]),  # 3/4 and 1/4 of the two nearest samples
        ((1, 2, 1), [0.5, 1.0, 2.5, 4.0]),
        ((1,), [0.0, 2.0, 0.0, 8.0]),
        ((1, 1), [1.0, 1.0, 4.0, 4.0]),  # nearest neighbour
        ((1, 2, 5, 0), [0.5, 2.25, 2.0, 5.0]),  # asymmetric: used as a convolution
        ((0, 5, 2, 1), [1.25, 0.5, 5.25, 2.0]),
    ],
)
def test_upsampling_a_row_by_hand(taps, row):
    # A row [1, 4], filtered along the row only: 2 is the gain of one axis, and the other's is 2 as well.
    taps = np.asarray(taps, float)[np.newaxis]
    got = stylegan2.upsample(np.array([[[[1.0, 4.0]]]]), stylegan2.fir(taps)) / 2
    # One tap down the column: the samples stand in the row where the zero-insertion put them.
    assert np.count_nonzero(got.any(axis=3)) == 1
    np.testing.assert_allclose(got.sum(axis=2)[0, 0], row, rtol=1e-12)


def test_fir_is_normalised_and_1d_means_both_axes():
    taps = np.array([1.0, 2.0, 5.0, 0.5])
    np.testing.assert_allclose(stylegan2.fir(taps), stylegan2.fir(100 * np.outer(taps, taps)), rtol=1e-12)
    assert stylegan2.fir(taps).sum() == pytest.approx(1.0)


def test_a_fir_of_one_tap_moved_by_one_shifts_the_picture_by_one():
    x = np.random.default_rng(0).standard_normal((1, 2, 5, 5))
    near, far = np.zeros((4, 4)), np.zeros((4, 4))
    near[1, 0], far[2, 1] = 1, 1
    a, b = stylegan2.upsample(x, near), stylegan2.upsample(x, far)
    assert np.array_equal(b[:, :, 1:, 1:], a[:, :, :-1, :-1])
    assert a.any()


def test_shifting_features_shifts_an_upsampled_convolution_by_twice_as_much():
    rng = np.random.default_rng(0)
    weights = random_weights({f"l.{n}": s for n, s in CONV_SHAPES.items()}, seed=1)
    taps = stylegan2.fir((1, 2, 5, 3))
    x, w = np.zeros((2, 3, 12, 12)), rng.standard_normal((2, 5))
    x[:, :, 3:7, 3:7] = rng.standard_normal((2, 3, 4, 4))
    moved = np.roll(x, (1, 2), axis=(2, 3))
    a = stylegan2.styled_conv(x, w, weights, "l", taps)
    b = stylegan2.styled_conv(moved, w, weights, "l", taps)
    np.testing.assert_allclose(b, np.roll(a, (2, 4), axis=(2, 3)), atol=1e-12)


CONV_SHAPES = {"weight": (4, 3, 3, 3), "bias": (4,), "affine.weight": (3, 5), "affine.bias": (3,)}


@pytest.mark.parametrize(
    "taps",
    [
        (1, 3, 3, 1),
        (1, 2, 1),
        (1,),
        (4, 1),
        (1, 2, 5, 0.5),
        (1, 2, 3, 4, 5, 6, 7),
        ((1, 2, 0), (0, 3, 1), (2, 0, 5), (1, 1, 7)),
    ],
    ids=str,
)
def test_upsampled_convolution_is_a_transposed_convolution_followed_by_the_fir(taps):
    # The other order of the two, in which the authors compute it; the transposed convolution is the DCGAN
    # oracle's. Kernels of norm 1 and styles of 1: demodulation does nothing.
    rng = np.random.default_rng(0)
    x, kernel = rng.standard_normal((2, 3, 5, 4)), rng.standard_normal((6, 3, 3, 3))
    kernel /= np.sqrt(np.sum(kernel**2, axis=(1, 2, 3), keepdims=True))
    weights = {"l.weight": kernel, "l.bias": np.zeros(6)}
    weights |= {"l.affine.weight": np.zeros((3, 5)), "l.affine.bias": np.ones(3)}
    taps = stylegan2.fir(taps)
    got = stylegan2.styled_conv(x, np.zeros((2, 5)), weights, "l", taps)

    y = dcgan.conv_transpose(x, kernel.transpose(1, 0, 2, 3), stride=2, padding=0)  # [N, 6, 11, 9]
    fh, fw = taps.shape
    rows, cols = ((fh - 1) // 2, (fh - 2) // 2), ((fw - 1) // 2, (fw - 2) // 2)  # 1, 1 for four taps
    y = stylegan2.pad(y, rows, cols)
    fir = np.einsum("op,hw->ophw", np.eye(6), 4 * taps[::-1, ::-1])
    expected = stylegan2.leaky_relu(stylegan2.convolve(y, fir))  # [N, 6, 10, 8]
    np.testing.assert_allclose(got, expected, atol=1e-6)


def test_a_turned_asymmetric_fir_draws_another_picture(weights, z):
    taps = (1, 2, 5, 0.5)
    image = stylegan2.generate(weights, z, resample_filter=taps)
    turned = stylegan2.generate(weights, z, resample_filter=taps[::-1])
    assert np.abs(image - turned).max() > 0.1


@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
def test_a_picture_does_not_depend_on_its_neighbours(architecture, z):
    weights = random_weights(stylegan2_shapes(architecture), seed=4)
    together = stylegan2.generate(weights, z, architecture=architecture)
    alone = stylegan2.generate(weights, z[1:2], architecture=architecture)
    np.testing.assert_allclose(together[1:2], alone, atol=1e-12)


@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
def test_every_tensor_and_every_w_takes_part(architecture, z):
    weights = random_weights(stylegan2_shapes(architecture), seed=4)
    ws = stylegan2.mapping(weights, z)
    image = stylegan2.synthesis(weights, ws, architecture=architecture)
    for name in weights:
        if name.startswith("synthesis."):
            changed = {**weights, name: weights[name] * 1.5}
            if name.endswith("conv0.weight") or name.endswith("conv1.weight"):
                changed[name] = weights[name][:, :, ::-1]  # demodulation takes a scale away
            other = stylegan2.synthesis(changed, ws, architecture=architecture)
            assert np.abs(other - image).max() > 1e-3, name
    for i in range(ws.shape[1]):
        other = ws.copy()
        other[:, i] = ws[::-1, i] + 0.5
        other = stylegan2.synthesis(weights, other, architecture=architecture)
        assert np.abs(other - image).max() > 1e-3, i


@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
def test_noise_and_clamp_change_the_picture(architecture, z):
    weights = random_weights(stylegan2_shapes(architecture), seed=4)
    image = stylegan2.generate(weights, z, architecture=architecture)
    quiet = stylegan2.generate(weights, z, architecture=architecture, noise_mode="none")
    clamped = stylegan2.generate(weights, z, architecture=architecture, conv_clamp=0.5)
    assert np.abs(image - quiet).max() > 0.01
    assert np.abs(image - clamped).max() > 0.01
    silent = {n: a for n, a in weights.items() if "noise" not in n}
    assert np.array_equal(stylegan2.generate(silent, z, architecture=architecture), quiet)


def test_resnet_clamps_before_it_halves_the_variance(z):
    weights = random_weights(stylegan2_shapes("resnet"), seed=4)
    ws = stylegan2.mapping(weights, z)
    for name in ("synthesis.b8.skip.weight", "synthesis.b8.conv1.bias"):
        weights[name] = np.zeros_like(weights[name]) if "skip" in name else weights[name] + 100
    blocks = stylegan2.synthesis_blocks(weights, ws, architecture="resnet", conv_clamp=3.0)
    np.testing.assert_allclose(blocks[8]["x"], 3.0 * np.sqrt(0.5))


# ------------------------------------------------------------------------------------------ properties: DCGAN


def test_transposed_convolution_by_hand():
    kernel = np.array([[[[1.0, 2.0], [3.0, 4.0]]]])  # [I, O, 2, 2]
    x = np.array([[[[1.0, 10.0]]]])
    got = dcgan.conv_transpose(x, kernel, stride=1, padding=0)
    np.testing.assert_array_equal(got, [[[[1, 12, 20], [3, 34, 40]]]])
    got = dcgan.conv_transpose(x, kernel, stride=2, padding=0)
    np.testing.assert_array_equal(got, [[[[1, 2, 10, 20], [3, 4, 30, 40]]]])
    kernel = np.arange(16.0).reshape(1, 1, 4, 4)
    got = dcgan.conv_transpose(np.array([[[[1.0]]]]), kernel, stride=2, padding=1)
    np.testing.assert_array_equal(got, [[[[5, 6], [9, 10]]]])


def test_dcgan_activations_by_hand():
    weights = {
        "layers.0.weight": np.array([1.0, -1.0]).reshape(1, 2, 1, 1),
        "layers.0.bias": np.array([0.5, 0.5]),
    }
    for activation, expected in (("linear", [2.5, -1.5]), ("relu", [2.5, 0]), ("tanh", np.tanh([2.5, -1.5]))):
        got = dcgan.generate(weights, [[2.0]], layers=((1, 0, activation),))
        np.testing.assert_allclose(got[0, :, 0, 0], expected, rtol=1e-12)


def test_random_dcgan_draws_pictures_in_range_and_takes_labels():
    layers = ((1, 0, "relu"), (2, 1, "relu"), (2, 1, "tanh"))
    shapes = {"layers.0.weight": (16 + 3, 24, 4, 4), "layers.0.bias": (24,)}
    shapes |= {"layers.1.weight": (24, 12, 4, 4), "layers.1.bias": (12,)}
    shapes |= {"layers.2.weight": (12, 3, 4, 4), "layers.2.bias": (3,)}
    weights = random_weights(shapes, seed=1)
    z = np.random.RandomState(0).randn(3, 16)
    images = dcgan.generate(weights, z, np.eye(3), layers=layers)
    assert images.shape == (3, 3, 16, 16)
    assert 0.2 < images.std() < 0.8
    other = dcgan.generate(weights, z[:, :, np.newaxis, np.newaxis], np.eye(3)[::-1], layers=layers)
    assert not np.allclose(images[0], other[0], atol=0.05)
    np.testing.assert_array_equal(images[1], other[1])


# ----------------------------------------------------------------------------------------- the readers' guard


def test_the_readers_run_nothing_that_a_pickle_names():
    with pytest.raises(pickle.UnpicklingError, match=r"builtins\.print is not on the list"):
        InertUnpickler(io.BytesIO(pickle.dumps(print))).load()
