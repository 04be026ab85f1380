"""`GraphModel`: a generator that is known only as a graph, with the source's own answer as its oracle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganexport.errors import SpecError
from ganexport.pictures import to_uint8
from ganexport.spec import GeneratorSpec, Provenance

__all__ = ["TFJS_OPERATIONS", "FrozenGraph", "GraphModel", "GraphOracle", "words"]


def words(text: str) -> frozenset[str]:
    """Names written one after the other."""
    return frozenset(text.split())


TFJS_OPERATIONS = words(
    "Abs Add AddN AddV2 All Any ArgMax ArgMin AvgPool BatchMatMul BatchMatMulV2 BatchToSpaceND BiasAdd "
    "BroadcastTo Cast Ceil ClipByValue ConcatV2 Const Conv2D Conv2DBackpropInput Cos Cosh Cumsum DepthToSpace "
    "DepthwiseConv2dNative Einsum Elu Equal Erf Exp ExpandDims Expm1 Fill Floor FloorDiv FloorMod "
    "FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 GatherNd GatherV2 Greater GreaterEqual Identity IdentityN "
    "LRN LeakyRelu Less LessEqual Log Log1p LogSoftmax LogicalAnd LogicalNot LogicalOr MatMul Max MaxPool "
    "Maximum Mean Min Minimum MirrorPad Mod Mul Neg NotEqual OneHot OnesLike Pack Pad PadV2 Placeholder Pow "
    "Prelu Prod Range RealDiv Reciprocal Relu Relu6 Reshape ResizeBilinear ResizeNearestNeighbor ReverseV2 "
    "Round Rsqrt Select SelectV2 Selu Shape Sigmoid Sign Sin Sinh Slice Softmax Softplus SpaceToBatchND Split "
    "SplitV Sqrt Square SquaredDifference Squeeze StridedSlice Sub Sum Tan Tanh Tile TopKV2 Transpose Unpack "
    "ZerosLike"
)
"""Operations of TensorFlow that TensorFlow.js has too, that touch nothing outside and always give the same."""

Feeds = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class FrozenGraph:
    """A TensorFlow graph without variables: `z` (and `c`) -> `image` [N, H, W, C].

    Attributes:
        nodes: Nodes in the JSON form of a GraphDef, each after its inputs; constants carry no values.
        weights: Values of the constants by node name.
    """

    nodes: tuple[Mapping[str, Any], ...]
    weights: Mapping[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class GraphModel:
    """A foreign generator in the signature of ours; there is no architecture and no canonical checkpoint.

    Attributes:
        spec: What goes in and what comes out; its architecture is the kind of the file.
        provenance: Where the graph came from; the hash is that of its constants by name.
        parameters: Number of weights.
        onnx: An ONNX model: `z` [N, z_dim] (and `c` [N, c_dim]) -> `image` [N, C, H, W].
        multiply_adds: Of one picture, in its convolutions and matrix products.
        draw: What the source itself makes of such inputs, [N, C, H, W].
        tensorflow: The same for TensorFlow.js, where the source has it.
        labels: Names of the classes, in order; None without names.

    Raises:
        SpecError: There are not as many names as classes, or two are the same.
    """

    spec: GeneratorSpec
    provenance: Provenance
    parameters: int
    onnx: bytes
    multiply_adds: int
    draw: Callable[[Feeds], NDArray[np.floating]]
    tensorflow: FrozenGraph | None = None
    labels: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.labels is not None and len(self.labels) != self.spec.c_dim:
            raise SpecError(f"{len(self.labels)} label names for {self.spec.c_dim} classes")
        if self.labels is not None and len(set(self.labels)) != len(self.labels):
            raise SpecError("two classes have the same name")


class GraphOracle:
    """The source's own pictures, in the form of the gate's oracle."""

    def __init__(self, model: GraphModel) -> None:
        self.spec = model.spec
        self._draw = model.draw

    def __call__(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        """`image` [N, C, H, W] and `images` uint8 [N, H, W, C] of one case."""
        image = self._draw(feeds)
        return {"image": image, "images": to_uint8(image.astype(np.float64), self.spec.image_range)}
