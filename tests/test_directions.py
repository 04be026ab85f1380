"""Finding directions, against matrices and clouds of points whose axes are known, and straight-line arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.generators import dcgan_spec, make_generator, mlp_spec, random_tensors, stylegan2_spec
from support.stylegan3 import stylegan3_spec

from ganexport.architectures import ARCHITECTURES, lucidrains, progressive, stylegan
from ganexport.bundle import Bundle, open_bundle
from ganexport.directions.attributes import read_attributes
from ganexport.directions.find import DirectionOptions, Found, find_directions
from ganexport.directions.previews import save_preview
from ganexport.directions.sefa import latent_weights, reaction
from ganexport.directions.vectors import principal_axes
from ganexport.errors import BundleError, OptionError
from ganexport.latents import layer_range
from ganexport.spec import GeneratorSpec

QUICK: dict[str, Any] = {"samples": 400, "previews": False}


def orthogonal(size: int, seed: int = 3) -> np.ndarray:
    """Rows that are unit vectors at right angles; the entry of greatest size is positive in each."""
    rows = np.linalg.qr(np.random.RandomState(seed).randn(size, size))[0].T
    return rows * np.sign([row[np.argmax(abs(row))] for row in rows])[:, None]


# ------------------------------------------------------------------------------------------------------------ axes


def test_axes_of_a_matrix_that_was_made_of_them() -> None:
    axes, values = orthogonal(6), np.asarray([9.0, 5.0, 3.0, 2.0, 1.0, 0.0])
    found, shares = principal_axes(axes.T @ np.diag(values) @ axes, 4)
    np.testing.assert_allclose(found, axes[:4], atol=1e-12)
    np.testing.assert_allclose(shares, values[:4] / 20, atol=1e-12)
    assert len(principal_axes(np.eye(3), 9)[0]) == 3


def test_the_sign_of_an_axis_does_not_hang_on_the_matrix() -> None:
    for axis in ([0.6, -0.8], [-0.6, 0.8]):
        np.testing.assert_allclose(principal_axes(np.outer(axis, axis), 1)[0][0], [-0.6, 0.8])


@pytest.mark.parametrize("count", [0, -1])
def test_a_count_of_none_is_refused(count: int) -> None:
    with pytest.raises(OptionError, match=f"--count is how many directions to find, 1 or more; found {count}"):
        principal_axes(np.eye(2), count)


# ------------------------------------------------------------------------------------------------------------ sefa

LUCIDRAINS = {"resolution": 8, "image_channels": 3, "z_dim": 4, "w_dim": 4, "channels": (4, 3), "mapping_layers": 1}
GROWN = {"resolution": 8, "image_channels": 3, "z_dim": 4, "c_dim": 2, "channels": (4, 3)}
SKIP = {"b4.conv1": 0, "b4.torgb": 1, "b8.conv0": 1, "b8.conv1": 2}
SKIP |= {"b8.torgb": 3, "b16.conv0": 3, "b16.conv1": 4, "b16.torgb": 5}
STYLES: list[tuple[GeneratorSpec, dict[str, int | None]]] = [
    (stylegan2_spec(), SKIP),
    (stylegan2_spec(output="resnet"), {name: i for name, i in SKIP.items() if name not in ("b4.torgb", "b8.torgb")}),
    *[
        (
            lucidrains.Spec(**LUCIDRAINS, const=const),
            {f"b{size}.{layer}": i for i, size in enumerate((4, 8)) for layer in ("conv0", "conv1", "torgb")},
        )
        for const in (True, False)
    ],
]


@pytest.mark.parametrize(("spec", "expected"), STYLES)
def test_the_styles_of_the_second_stylegans(spec: GeneratorSpec, expected: dict[str, int]) -> None:
    assert dict(latent_weights(spec)) == {f"synthesis.{name}.affine.weight": i for name, i in expected.items()}


def test_the_styles_of_the_first_stylegan() -> None:
    spec = stylegan.Spec(**GROWN, w_dim=5, mapping_layers=1, mapping_width=5)
    layers = {"b4.conv0": 0, "b4.conv1": 1, "b8.conv0": 2, "b8.conv1": 3}
    expected = {f"synthesis.{n}.{part}.weight": i for n, i in layers.items() for part in ("affine", "shift")}
    assert dict(latent_weights(spec)) == expected


def test_the_styles_of_the_third_stylegan() -> None:
    spec = stylegan3_spec()
    found = latent_weights(spec)
    assert found[0] == ("synthesis.input.affine.weight", 0)
    assert [layer for _, layer in found] == list(range(spec.num_ws))
    assert len({name for name, _ in found}) == spec.num_ws
    assert all(name.endswith(".affine.weight") for name, _ in found)


def test_the_first_kernels_of_families_without_a_w_space() -> None:
    assert latent_weights(dcgan_spec(c_dim=2)) == [("synthesis.layer0.weight", None)]
    assert latent_weights(mlp_spec(c_dim=2)) == [("synthesis.fc0.weight", None)]
    assert latent_weights(progressive.Spec(**GROWN)) == [("synthesis.b4.conv0.weight", None)]


def test_every_architecture_was_looked_at() -> None:
    assert set(ARCHITECTURES) == {"stylegan", "stylegan2", "stylegan3", "lucidrains", "progressive", "dcgan", "mlp"}


def test_the_reaction_of_styles_and_of_kernels() -> None:
    generator = make_generator(stylegan2_spec())
    names = ["b8.conv0", "b4.torgb", "b8.conv1"]  # those of ws 1 and 2
    stacked = np.concatenate([generator.weights[f"synthesis.{name}.affine.weight"] for name in names], axis=0)
    rng = np.random.RandomState(0)
    for step in rng.randn(5, 7):
        expected = np.linalg.norm(stacked.astype(np.float64) @ step) ** 2
        np.testing.assert_allclose(step @ reaction(generator, (1, 3)) @ step, expected, rtol=1e-10)

    mlp = make_generator(mlp_spec(c_dim=2))
    for z in rng.randn(5, 10):
        expected = np.linalg.norm(mlp.weights["synthesis.fc0.weight"][:, :10].astype(np.float64) @ z) ** 2
        np.testing.assert_allclose(z @ reaction(mlp, None) @ z, expected, rtol=1e-10)

    dcgan = make_generator(dcgan_spec(c_dim=2))
    kernel = dcgan.weights["synthesis.layer0.weight"].astype(np.float64)  # [12, 10 + 2, 4, 4]
    for z in rng.randn(5, 10):
        painted = np.einsum("oihw,i->ohw", kernel[:, :10], z)
        np.testing.assert_allclose(z @ reaction(dcgan, None) @ z, (painted**2).sum(), rtol=1e-10)


def test_a_weight_that_was_made_of_axes_gives_them_back() -> None:
    spec, axes = stylegan2_spec(), orthogonal(7)
    tensors = random_tensors(spec)
    for name, layer in latent_weights(spec):
        inputs = len(tensors[name])
        left = np.linalg.qr(np.random.RandomState(layer or 0).randn(max(inputs, 7), 7))[0][:inputs]
        tensors[name] = (left @ np.diag(np.arange(7, 0, -1.0)) @ axes).astype(np.float32) * (layer == 0)
    found, _ = principal_axes(reaction(make_generator(spec, tensors), (0, 6)), 3)
    np.testing.assert_allclose(found, axes[:3], atol=1e-5)


# ----------------------------------------------------------------------------------------------------- sampled w


class Cloud(Bundle):
    """A bundle of three classes whose w, seven long, lie on the axes at known distances around each class's place."""

    axes = orthogonal(7)
    lengths = np.asarray([8.0, 6.0, 5.0, 3.0, 2.0, 1.0, 0.0])
    places = np.random.RandomState(8).randn(3, 7)

    def latents(
        self, seeds: Sequence[int], label: Any = None, psi: float | None = None, *, cutoff: int | None = None
    ) -> np.ndarray:
        assert psi == 1.0
        steps = np.stack([self.axes[s // 6 % 7] * self.lengths[s // 6 % 7] * (1 - 2 * (s // 3 % 2)) for s in seeds])
        w = steps + self.places[self.labels_of(label, len(seeds))]
        return np.repeat(w[:, None], 6, axis=1).astype(np.float32)


@pytest.fixture(scope="module")
def cloud(tiny_bundle: Path) -> Cloud:
    return Cloud(tiny_bundle)


def test_principal_components_of_a_known_cloud(cloud: Cloud) -> None:
    samples = 42 * 20
    found = find_directions(cloud, DirectionOptions(methods=("pca",), count=9, samples=samples))
    assert [one.direction.name for one in found] == [f"pca-{i}" for i in range(6)]  # the seventh does not spread
    deviations = cloud.lengths * np.sqrt(samples / 7 / (samples - 3))
    for i, one in enumerate(found):
        np.testing.assert_allclose(one.vector, cloud.axes[i] * deviations[i], atol=2e-6)
        assert one.direction.explained == pytest.approx(cloud.lengths[i] ** 2 / (cloud.lengths**2).sum(), rel=1e-5)
        assert (one.direction.space, one.direction.layers, one.direction.range) == ("w", (0, 6), (-3.0, 3.0))


def test_classes_of_a_known_cloud(cloud: Cloud) -> None:
    found = find_directions(cloud, DirectionOptions(methods=("classes",), samples=420))
    assert [one.direction.title for one in found] == ["towards ash", "towards birch", "towards cedar"]
    for one, place in zip(found, cloud.places, strict=True):
        step = place - cloud.places.mean(axis=0)
        along = step / np.linalg.norm(step)
        deviation = np.sqrt((420 / 7 / 417) * ((cloud.axes @ along * cloud.lengths) ** 2).sum())
        np.testing.assert_allclose(one.vector, along * deviation, rtol=1e-4, atol=1e-6)
        assert one.direction.range[1] == max(3, np.ceil(np.linalg.norm(step) / deviation))


def test_an_amount_of_one_is_one_standard_deviation(tiny_bundle: Path) -> None:
    bundle = open_bundle(tiny_bundle)
    labels = [i % 3 for i in range(400)]
    w = bundle.latents(range(400), labels, 1.0)[:, 0].astype(np.float64)
    rest = np.concatenate([w[k::3] - w[k::3].mean(axis=0) for k in range(3)])
    for one in find_directions(bundle, DirectionOptions(count=2, **QUICK)):
        amounts = rest @ one.vector / (one.vector.astype(np.float64) @ one.vector)
        assert np.sqrt((amounts**2).sum() / 397) == pytest.approx(1, rel=1e-5), one.direction.name


def test_layers_are_named_and_kept(tiny_bundle: Path) -> None:
    bundle = open_bundle(tiny_bundle)
    found = find_directions(bundle, DirectionOptions(("sefa", "pca"), count=1, layers="2-3", **QUICK))
    assert [(one.direction.name, one.direction.layers) for one in found] == [
        ("sefa-2-3-0", (2, 4)),
        ("pca-2-3-0", (2, 4)),
    ]
    whole = find_directions(bundle, DirectionOptions(("sefa", "pca"), count=1, **QUICK))
    assert abs(whole[0].vector - found[0].vector).max() > 1e-3  # other weights
    np.testing.assert_array_equal(whole[1].vector, found[1].vector)  # the same ws


@pytest.mark.parametrize(
    ("text", "num_ws", "expected"),
    [
        ("all", 18, (0, 18)),
        ("coarse", 18, (0, 6)),
        ("middle", 18, (6, 12)),
        ("fine", 18, (12, 18)),
        ("coarse", 8, (0, 3)),
        ("middle", 8, (3, 5)),
        ("fine", 8, (5, 8)),
        ("2-2", 4, (2, 3)),
        ("0-3", 4, (0, 4)),
    ],
)
def test_layers_by_name_and_number(text: str, num_ws: int, expected: tuple[int, int]) -> None:
    assert layer_range(text, num_ws) == expected


@pytest.mark.parametrize("text", ["", "rough", "3", "3-2", "0-4", "-1-2", "1-", "coarse-fine"])
def test_layers_that_there_are_not(text: str) -> None:
    with pytest.raises(OptionError, match="--layers is all, coarse, middle, fine, or first-last within 0-3; found"):
        layer_range(text, 4)


# ------------------------------------------------------------------------------------------------------- in z


def test_sefa_in_z_is_of_the_first_kernel(dcgan_bundle: Path) -> None:
    bundle = open_bundle(dcgan_bundle)
    (found,) = find_directions(bundle, DirectionOptions(count=1))  # all that there is
    kernel = make_generator(dcgan_spec()).weights["synthesis.layer0.weight"].astype(np.float64)
    columns = kernel.transpose(0, 2, 3, 1).reshape(-1, 10)
    _, _, right = np.linalg.svd(columns)
    assert abs(right[0] @ found.vector) == pytest.approx(1, rel=1e-5)  # one standard deviation of z is 1
    assert np.linalg.norm(found.vector) == pytest.approx(1, rel=1e-6)
    assert found.vector[np.argmax(abs(found.vector))] > 0
    assert (found.direction.space, found.direction.layers, found.direction.explained) == ("z", None, None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (DirectionOptions(("pca",)), "has no w space, and z spreads evenly, so pca finds nothing there"),
        (DirectionOptions(("classes",)), "so classes finds nothing there"),
        (DirectionOptions(layers="coarse"), "has no w space, so --layers means nothing"),
        (DirectionOptions(("ganspace",)), "unknown method ganspace; choose from sefa, pca, classes"),  # type: ignore[arg-type]
    ],
)
def test_what_z_has_not(options: DirectionOptions, message: str, dcgan_bundle: Path) -> None:
    with pytest.raises(OptionError, match=message):
        find_directions(open_bundle(dcgan_bundle), options)


def without(bundle: Path, **changes: Any) -> Bundle:
    """A bundle whose manifest says something else."""
    opened = open_bundle(bundle)
    opened.manifest = opened.manifest.model_copy(update=changes)
    return opened


def test_sefa_needs_weights(tiny_bundle: Path, dcgan_bundle: Path) -> None:
    bare = without(tiny_bundle, files={})
    with pytest.raises(BundleError, match=r"has no checkpoint.safetensors, whose weights sefa reads: convert it"):
        find_directions(bare, DirectionOptions(("sefa",)))
    found = find_directions(bare, DirectionOptions(count=1, **QUICK))
    assert [one.direction.name for one in found] == ["pca-0", "class-0", "class-1", "class-2"]

    graph = {"spec": open_bundle(dcgan_bundle).manifest.spec.model_copy(update={"architecture": "onnx"})}
    with pytest.raises(OptionError, match="is known by its graph alone: there are no weights for sefa to read"):
        find_directions(without(dcgan_bundle, **graph), DirectionOptions(("sefa",)))
    with pytest.raises(OptionError, match=r"has neither a checkpoint.safetensors nor a w space"):
        find_directions(without(dcgan_bundle, **graph), DirectionOptions())

    other = open_bundle(tiny_bundle).manifest.provenance.model_copy(update={"weights_sha256": "0" * 64})
    with pytest.raises(BundleError, match="holds other weights than the manifest says"):
        find_directions(without(tiny_bundle, provenance=other), DirectionOptions(("sefa",)))


# ------------------------------------------------------------------------------------------------------ attributes


def attribute(bundle: Bundle, path: Path) -> list[Found]:
    return find_directions(bundle, DirectionOptions(attributes=path, **QUICK))


def test_attributes_are_mean_differences_and_covariances(tiny_bundle: Path, tmp_path: Path) -> None:
    bundle = open_bundle(tiny_bundle)
    labels = [i % 3 for i in range(30)]
    w = bundle.latents(range(30), labels, 1.0)[:, 0].astype(np.float64)
    smile, age = [int(i % 7 < 2) for i in range(30)], [20 + i * 1.5 for i in range(30)]
    names = ("ash", "birch", "cedar")
    lines = [f"{i},{names[labels[i]]},{smile[i]},{age[i]}" for i in range(30)]
    path = tmp_path / "a.csv"
    path.write_text("seed,label,ein Lächeln!,age\n\n" + "\n".join(lines) + "\n", encoding="utf-8-sig")
    first, second = attribute(bundle, path)
    assert (first.direction.name, first.direction.title) == ("attribute-ein-L-cheln", "ein Lächeln!")
    assert first.direction.method == second.direction.method == "attribute"

    chosen = np.asarray(smile, bool)
    difference = w[chosen].mean(axis=0) - w[~chosen].mean(axis=0)
    unit = first.vector / np.linalg.norm(first.vector)
    np.testing.assert_allclose(unit, difference / np.linalg.norm(difference), atol=1e-5)
    reach = np.ceil(np.linalg.norm(difference) / np.linalg.norm(first.vector))
    assert first.direction.range == (-max(3, reach), max(3, reach))

    covariance = np.asarray([np.cov(column, age)[0, 1] for column in w.T])
    unit = second.vector / np.linalg.norm(second.vector)
    np.testing.assert_allclose(unit, covariance / np.linalg.norm(covariance), atol=1e-5)
    slope = np.linalg.norm(covariance) / np.var(age, ddof=1)
    reach = np.ceil(slope * (max(age) - min(age)) / np.linalg.norm(second.vector))
    assert second.direction.range == (-max(3, reach), max(3, reach))


def test_attributes_of_a_family_in_z(dcgan_bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("tall,seed\n1,4\n0,5\n")
    (found,) = attribute(open_bundle(dcgan_bundle), path)
    z = [np.random.RandomState(seed).randn(10) for seed in (4, 5)]
    np.testing.assert_allclose(found.vector, (z[0] - z[1]) / np.linalg.norm(z[0] - z[1]), rtol=1e-5)
    assert (found.direction.name, found.direction.space) == ("attribute-tall", "z")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty; its first line names the columns"),
        ("seed,a\n", "column 'a' must have different values"),
        ("seed,a\n1,1\n2,1\n", "column 'a' must have different values, found only one"),
        ("a,b\n1,2\n", "line 1: columns are seed, maybe label, and 1 to 256 attributes, each once; found a, b"),
        ("seed,label\n1,2\n", "found seed, label"),
        ("seed,a,a\n1,2,3\n", "each once; found seed, a, a"),
        ("seed,\n1,2\n", "each once; found seed, "),
        ("seed,a\n1,0\n\n2\n", r"line 4: 1 cells for 2 columns"),
        ("seed,a\n1,0\n-2,1\n", "line 3, column 'seed': expected a whole number from 0 to 4294967295, found '-2'"),
        ("seed,a\n1,0\n4294967296,1\n", "line 3, column 'seed'"),
        ("seed,a\n1,0\n2,yes\n", "line 3, column 'a': expected a number, found 'yes'"),
        ("seed,a\n1,0\n2,nan\n", "line 3, column 'a': expected a number, found 'nan'"),
        ("seed,a\n1,0\n2,\n", "line 3, column 'a': expected a number, found ''"),
        ("seed,a\n1,0\n2,inf\n", "found 'inf'"),
        ('seed,"a\n1,0\n', "cannot read the attributes"),
        (f"seed,a\n{'1' * 5000},0\n2,1\n", "line 2, column 'seed': expected a whole number"),
        ("seed,a\u202eb\n1,0\n2,1\n", "line 1: the name of a column is one line of at most 100 characters"),
        (f"seed,{'a' * 101}\n1,0\n2,1\n", "line 1: the name of a column is one line of at most 100 characters"),
        ("seed," + ",".join(map(str, range(300_000))) + "\n", "1 to 256 attributes, each once; found seed, 0, 1"),
    ],
)
def test_a_malformed_table_says_where(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(OptionError, match=message):
        read_attributes(path)


def test_a_table_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(bytes(range(256)))
    for name in ("missing.csv", ".", "binary"):
        with pytest.raises(OptionError, match="cannot read the attributes in"):
            read_attributes(tmp_path / name)


def test_a_table_and_its_bundle_agree_on_classes(tiny_bundle: Path, dcgan_bundle: Path, tmp_path: Path) -> None:
    plain, labelled = tmp_path / "plain.csv", tmp_path / "labelled.csv"
    plain.write_text("seed,a\n1,0\n2,1\n")
    labelled.write_text("seed,label,a\n1,0,0\n2,elm,1\n")
    with pytest.raises(OptionError, match=r"needs a column label: .* has 3 classes"):
        attribute(open_bundle(tiny_bundle), plain)
    with pytest.raises(OptionError, match="class 'elm' is unknown"):
        attribute(open_bundle(tiny_bundle), labelled)
    with pytest.raises(OptionError, match=r"has a column label, but .* has no classes"):
        attribute(open_bundle(dcgan_bundle), labelled)


# -------------------------------------------------------------------------------------------------------- previews


class Canvas(Bundle):
    """A bundle that says what it was asked to draw."""

    asked: list[tuple[Any, Any, list[int]]]

    def draw(
        self, latents: np.ndarray, label: Any = None, noise: Any = None, seeds: Any = None, **more: Any
    ) -> np.ndarray:
        self.asked.append((label, noise, list(seeds)))
        size = self.manifest.spec.resolution
        return np.full((len(latents), size, size, 3), 7, np.uint8)


@pytest.mark.parametrize(("mode", "noise"), [("const", None), ("random", None), ("input", "random")])
def test_large_pictures_are_drawn_a_few_at_a_time(
    mode: str, noise: str | None, tiny_bundle: Path, tmp_path: Path
) -> None:
    canvas = Canvas(tiny_bundle)
    canvas.asked = []
    spec = canvas.manifest.spec.model_copy(update={"resolution": 320})
    defaults = canvas.manifest.defaults.model_copy(update={"noise_mode": mode})
    canvas.manifest = canvas.manifest.model_copy(update={"spec": spec, "defaults": defaults})
    (found,) = find_directions(canvas, DirectionOptions(("pca",), count=1, **QUICK))
    save_preview(canvas, found.direction, found.vector, tmp_path / "strip.webp")
    assert canvas.asked == [(None, noise, [seed] * n) for seed in (0, 1, 2) for n in (2, 2, 2, 1)]
    with Image.open(tmp_path / "strip.webp") as strip:
        assert strip.size == (7 * 64, 3 * 64)
        assert abs(np.asarray(strip).astype(int) - 7).max() <= 2
