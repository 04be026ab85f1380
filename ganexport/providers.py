"""Execution providers of ONNX Runtime by short names: on what the graphs run, and with which options."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ganexport.errors import OptionError, RuntimeUnavailableError

__all__ = ["PROVIDERS", "Provider", "check_installed", "check_providers"]


@dataclass(frozen=True)
class Provider:
    """One execution provider.

    Attributes:
        name: As ONNX Runtime has it.
        install: What pip installs to have it.
        options: Its options, such that pictures stay the same.
    """

    name: str
    install: str
    options: Mapping[str, str] = field(default_factory=dict)


PROVIDERS: dict[str, Provider] = {
    "cpu": Provider("CPUExecutionProvider", '"ganexport[cpu]"'),
    # TF32 rounds what goes into products to 10 bits: up to half a grey level off, in 0.6 to 0.9 of the time.
    "cuda": Provider("CUDAExecutionProvider", '"ganexport[gpu]"', {"use_tf32": "0"}),
    "tensorrt": Provider("TensorrtExecutionProvider", '"ganexport[gpu]" tensorrt'),
    "migraphx": Provider("MIGraphXExecutionProvider", "onnxruntime-migraphx"),
    "openvino": Provider("OpenVINOExecutionProvider", "onnxruntime-openvino"),
    "coreml": Provider("CoreMLExecutionProvider", "onnxruntime"),
}
"""By the name that users give. Pictures are proven on `cpu` and `cuda`; the others may reckon in fewer bits."""


def check_providers(names: str | Sequence[str]) -> tuple[str, ...]:
    """One name or several as a tuple.

    Raises:
        OptionError: There is none, one is unknown, or one comes twice.
    """
    given = (names,) if isinstance(names, str) else tuple(names)
    if not given or len(set(given)) < len(given):
        raise OptionError(f"providers are one or more different ones of {', '.join(PROVIDERS)}; found {list(given)}")
    if unknown := [name for name in given if name not in PROVIDERS]:
        raise OptionError(f"no provider {unknown[0]!r}; choose from: {', '.join(PROVIDERS)}")
    return given


def check_installed(names: Sequence[str], available: Collection[str]) -> None:
    """Whether the installed onnxruntime has been built with these providers.

    Args:
        names: As `check_providers` gives them.
        available: Its providers, by the names that it has for them.

    Raises:
        RuntimeUnavailableError: It lacks one; the error lists those that it has.
    """
    for name in names:
        if PROVIDERS[name].name not in available:
            there = ", ".join(known for known, one in PROVIDERS.items() if one.name in available)
            raise RuntimeUnavailableError(
                f"the installed onnxruntime has no {name}; it has: {there or 'none of ours'}. "
                f"For {name}: pip install {PROVIDERS[name].install}, in place of the other onnxruntime"
            )
