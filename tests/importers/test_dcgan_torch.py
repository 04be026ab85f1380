"""The DCGAN family: goldens, wrappers and prefixes, and files of our own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracles import dcgan as oracle
from safetensors.numpy import save_file
from support.goldens import golden_arrays, golden_file
from support.imported import TOLERANCE, draw
from support.interpreters import relative_error
from support.torch_files import fold_dcgan
from support.torch_writer import Named, Object, Saved, StorageId

from ganexport.errors import CheckpointError, OptionError
from ganexport.generator import load
from ganexport.importers import ImportOptions, audit

Arrays = dict[str, np.ndarray]


@pytest.mark.parametrize("name", ["zip", "legacy", "half", "bf16", "ddp_plaindict", "nested", "fullmodel"])
def test_goldens(name: str) -> None:
    golden = golden_arrays("dcgan64")
    generator = load(golden_file(f"dcgan64_{name}.pth"))
    assert relative_error(draw(generator, golden["z"])["image"], golden["img"]) <= TOLERANCE


def test_a_real_one() -> None:
    golden = golden_arrays("real/dcgan-faces64")
    generator = load(golden_file("real/dcgan-faces64.tar"))
    assert relative_error(draw(generator, golden["z"])["image"], golden["img"]) <= TOLERANCE


# ---------------------------------------------------------------------------------------- files of our own


def tutorial(seed: int = 1, z_dim: int = 6, widths: tuple[int, ...] = (8, 5, 3), bias: bool = False) -> Arrays:
    """A state dict as the tutorial names it: 16², with BatchNorm after all but the last."""
    rng = np.random.default_rng(seed)
    state: Arrays = {}
    into = z_dim
    for i, width in enumerate(widths):
        n = 3 * i
        state[f"main.{n}.weight"] = rng.standard_normal((into, width, 4, 4)) * 0.3
        if bias:
            state[f"main.{n}.bias"] = rng.standard_normal(width)
        if i < len(widths) - 1:
            state[f"main.{n + 1}.weight"] = 1 + 0.2 * rng.standard_normal(width)
            state[f"main.{n + 1}.bias"] = 0.2 * rng.standard_normal(width)
            state[f"main.{n + 1}.running_mean"] = rng.standard_normal(width)
            state[f"main.{n + 1}.running_var"] = rng.uniform(0.1, 2, width)
            state[f"main.{n + 1}.num_batches_tracked"] = np.array(7)
        into = width
    return {k: v if v.dtype == np.int64 else v.astype(np.float32) for k, v in state.items()}


def discriminator() -> Arrays:
    rng = np.random.default_rng(0)
    shapes = {"main.0.weight": (5, 3, 4, 4), "main.2.weight": (8, 5, 4, 4), "main.5.weight": (1, 8, 4, 4)}
    return {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


def expected(state: Arrays, z: np.ndarray, c: np.ndarray | None = None) -> np.ndarray:
    settings, weights = fold_dcgan(state)
    image: np.ndarray = oracle.generate(weights, z, c, **settings)
    return image


def save(path: Path, tree: Any, how: str = "zip_file") -> Path:
    saved = Saved()

    def tensors(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: tensors(inner) for key, inner in value.items()}
        if isinstance(value, Object):
            return Object(value.cls, tensors(value.state))
        return saved.tensor(value) if isinstance(value, np.ndarray) else value

    path.write_bytes(getattr(saved, how)(tensors(tree)))
    return path


def renamed(state: Arrays, prefix: str) -> Arrays:
    return {k.replace("main.", prefix): v for k, v in state.items()}


STATE = tutorial()
TREES: dict[str, Any] = {
    "bare": STATE,
    "numbers only": renamed(STATE, ""),
    "parallel": renamed(STATE, "module.main."),
    "net": renamed(STATE, "net."),
    "netG": {"epoch": 3, "netG": STATE, "netD": discriminator(), "opt": {"lr": 0.1}},
    "state_dict": {"state_dict": STATE, "losses": [0.5, 0.25]},
    "one dict for both": {**renamed(STATE, "netG.main."), **renamed(discriminator(), "netD.main.")},
    "deep": {"models": {"generator": {"weights": STATE}}},
    "averaged": {"G": tutorial(seed=2), "G_ema": STATE},
}
Z = np.random.RandomState(1).randn(3, 6)


@pytest.mark.parametrize("how", ["zip_file", "legacy_file"])
@pytest.mark.parametrize("name", TREES)
def test_any_wrapper_and_prefix(name: str, how: str, tmp_path: Path) -> None:
    generator = load(save(tmp_path / "net.pth", TREES[name], how))
    assert relative_error(draw(generator, Z)["image"], expected(STATE, Z)) <= 1e-5
    assert generator.provenance.source_sha256 is not None


def test_safetensors_and_npz(tmp_path: Path) -> None:
    state = tutorial(widths=(8, 7, 6, 5, 3), bias=True)  # module 12 sorts before module 3 as text
    save_file(state, tmp_path / "net.safetensors")
    np.savez(tmp_path / "net.npz", **state)  # type: ignore[arg-type]
    np.savez_compressed(tmp_path / "small.npz", **state)  # type: ignore[arg-type]
    for name in ("net.safetensors", "net.npz", "small.npz"):
        assert relative_error(draw(load(tmp_path / name), Z)["image"], expected(state, Z)) <= 1e-5


def test_order_is_found_again_by_numbers(tmp_path: Path) -> None:
    """A safetensors file has its tensors sorted by type and name: norms before kernels, 10 before 2."""
    state = tutorial(widths=(8, 7, 6, 5, 3))
    names = {f"main.{n}.": f"{'bn' if n % 3 else 'deconv'}{7 + n // 3}." for n in range(13)}
    renamed = {names[k[: k.rindex(".") + 1]] + k.rpartition(".")[2]: v for k, v in state.items()}
    save_file(renamed, tmp_path / "net.safetensors")
    np.savez(tmp_path / "net.npz", **dict(sorted(renamed.items())))  # type: ignore[arg-type]
    for name in ("net.safetensors", "net.npz"):
        assert relative_error(draw(load(tmp_path / name), Z)["image"], expected(state, Z)) <= 1e-5


def test_labels_are_told_by_an_option(tmp_path: Path) -> None:
    generator = load(save(tmp_path / "net.pth", STATE), ImportOptions(c_dim=2, image_range=(0.0, 1.0)))
    assert (generator.spec.z_dim, generator.spec.c_dim, generator.spec.image_range) == (4, 2, (0.0, 1.0))
    c = np.eye(2)[[0, 1, 1]]
    got = draw(generator, Z[:, :4], c)["image"]
    assert relative_error(got, expected(STATE, Z[:, :4], c)) <= 1e-5
    with pytest.raises(OptionError, match="between 0 and 5"):
        load(tmp_path / "net.pth", ImportOptions(c_dim=6))


def test_several_networks_are_listed(tmp_path: Path) -> None:
    path = save(tmp_path / "net.pth", {"G_A": STATE, "G_B": tutorial(seed=2)})
    with pytest.raises(OptionError, match="--network: G_A, G_B"):
        load(path)
    generator = load(path, ImportOptions(network="G_A"))
    assert relative_error(draw(generator, Z)["image"], expected(STATE, Z)) <= 1e-5
    with pytest.raises(OptionError, match="no network 'G_C'"):
        load(path, ImportOptions(network="G_C"))


def model(
    state: Arrays,
    slope: float | None = None,
    eps: float = 1e-5,
    cls: str = "__main__.Generator",
    without: tuple[str, ...] = (),
) -> Object:
    """The whole model, with strides, eps and activations on record; some kinds of modules can be left out."""

    def module(name: str, tensors: Arrays, modules: dict[str, Any], **settings: Any) -> Object:
        parameters = {k: v for k, v in tensors.items() if k in ("weight", "bias")}
        buffers = {k: v for k, v in tensors.items() if k not in parameters}
        record = {"_parameters": parameters, "_buffers": buffers, "_modules": modules, **settings}
        return Object(Named(*name.rsplit(".", 1)), record)

    nn, layers = "torch.nn.modules", {}
    numbers = sorted({int(name.split(".")[1]) for name in state})
    for n in numbers:
        own = {k.rsplit(".", 1)[1]: v for k, v in state.items() if k.startswith(f"main.{n}.")}
        if "running_mean" in own:
            layers[str(n)] = module(f"{nn}.batchnorm.BatchNorm2d", own, {}, eps=eps)
            kind = "ReLU" if slope is None else "LeakyReLU"
            layers[str(n + 1)] = module(f"{nn}.activation.{kind}", {}, {}, negative_slope=slope or 0.0)
        else:
            window = {"stride": (1, 1), "padding": (0, 0)} if n == 0 else {"stride": (2, 2), "padding": (1, 1)}
            plain = {"kernel_size": (4, 4), "dilation": (1, 1), "output_padding": (0, 0), "groups": 1}
            layers[str(n)] = module(f"{nn}.conv.ConvTranspose2d", own, {}, **window, **plain)
    layers["99"] = module(f"{nn}.activation.Tanh", {}, {})
    layers = {n: layer for n, layer in layers.items() if layer.cls.name not in without}
    main = module(f"{nn}.container.Sequential", {}, layers)
    return module(cls, {}, {"main": main}) if cls else main


def test_whole_models_use_their_record(tmp_path: Path) -> None:
    generator = load(save(tmp_path / "net.pth", model(STATE, eps=0.5)))
    _, weights = fold_dcgan(STATE, eps=0.5)
    steps = [(1, 0, "relu"), (2, 1, "relu"), (2, 1, "tanh")]
    image = oracle.generate(weights, Z, layers=steps)
    assert relative_error(draw(generator, Z)["image"], image) <= 1e-5
    leaky = load(save(tmp_path / "net.pth", model(STATE, slope=0.1)))
    assert [layer.activation for layer in leaky.spec.layers] == ["leaky_relu", "leaky_relu", "tanh"]  # type: ignore[attr-defined]
    assert leaky.spec.layers[0].slope == 0.1  # type: ignore[attr-defined]


@pytest.mark.parametrize("how", ["zip_file", "legacy_file"])
@pytest.mark.parametrize("cls", ["models.Generator", "gan.nets.dcgan.netG", "Größe.Netz"])
def test_classes_may_be_the_authors_own(cls: str, how: str, tmp_path: Path) -> None:
    generator = load(save(tmp_path / "net.pth", {"epoch": 3, "netG": model(STATE, cls=cls)}, how))
    assert relative_error(draw(generator, Z)["image"], expected(STATE, Z)) <= 1e-5


def test_old_files_hold_the_source_of_classes(tmp_path: Path) -> None:
    """As PyTorch before 1.6 wrote a class when it first met it: with a file name and the source, which stay unread."""
    whole = model(STATE, cls="models.Generator")
    source = StorageId(("module", whole.cls, "/home/someone/models.py", "import os; os.system('false')"))
    generator = load(save(tmp_path / "net.pth", Object(source, whole.state), "legacy_file"))  # type: ignore[arg-type]
    assert relative_error(draw(generator, Z)["image"], expected(STATE, Z)) <= 1e-5
    assert audit(tmp_path / "net.pth")["ignored"] == {"Python source of a network module": 1}


@pytest.mark.parametrize(("without", "layer"), [(("ReLU",), 0), (("Tanh",), 2), (("ReLU", "Tanh"), 0)])
def test_activations_that_leave_no_record_are_not_guessed(without: tuple[str, ...], layer: int, tmp_path: Path) -> None:
    whole = model(STATE, cls="models.Generator", without=without)
    with pytest.raises(CheckpointError, match=rf"after layer {layer}: .* a plain state_dict of it may be read"):
        load(save(tmp_path / "net.pth", whole))
    chain = load(save(tmp_path / "chain.pth", model(STATE, cls="", without=without)))
    wanted = ["linear" if kind in without else kind.lower() for kind in ("ReLU", "ReLU", "Tanh")]
    assert [step.activation for step in chain.spec.layers] == wanted  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "change",
    [
        {"main.3.weight": np.zeros((8, 5, 3, 3), np.float32)},
        {"main.3.weight": np.zeros((9, 5, 4, 4), np.float32)},
        {"main.1.running_var": np.zeros(7, np.float32)},
        {"main.6.weight": np.zeros((5, 2, 4, 4), np.float32)},
        {"main.6.weight_orig": np.zeros((5, 3, 4, 4), np.float32)},
        {"main.9.weight": np.zeros((3, 3), np.float32)},
    ],
)
def test_what_does_not_fit_is_refused(change: Arrays, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError):
        load(save(tmp_path / "net.pth", STATE | change))


def test_numbers_that_are_no_weights_are_refused(tmp_path: Path) -> None:
    for change in ({"main.1.running_var": -np.ones(8, np.float32)}, {"main.0.weight": STATE["main.0.weight"] * np.nan}):
        with pytest.raises(CheckpointError):
            load(save(tmp_path / "net.pth", STATE | change))


def test_a_discriminator_is_no_generator(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no generator that can be imported"):
        load(save(tmp_path / "net.pth", discriminator()))
