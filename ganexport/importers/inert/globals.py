"""The list of names that a checkpoint may hold, and what stands in for each. Nothing here imports what it names."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable
from typing import Any

from ganexport.errors import CheckpointError
from ganexport.importers.inert.stubs import (
    MAX_AXES,
    Array,
    Audit,
    Dtype,
    Global,
    NumpyArray,
    Storage,
    Stub,
    Tensor,
    shown,
)
from ganexport.importers.inert.unpickle import Budget

__all__ = ["CALLS", "STORAGE_KINDS", "InertWorld"]

STORAGE_KINDS = {
    "torch.DoubleStorage": "f8",
    "torch.FloatStorage": "f4",
    "torch.HalfStorage": "f2",
    "torch.BFloat16Storage": "bf16",
    "torch.LongStorage": "i8",
    "torch.IntStorage": "i4",
    "torch.ShortStorage": "i2",
    "torch.CharStorage": "i1",
    "torch.ByteStorage": "u1",
    "torch.BoolStorage": "?",
    "torch.storage.UntypedStorage": "u1",
    "torch.UntypedStorage": "u1",
}

TORCH_DTYPES = {
    "torch.float64": "f8",
    "torch.float32": "f4",
    "torch.float16": "f2",
    "torch.bfloat16": "bf16",
    "torch.int64": "i8",
    "torch.int32": "i4",
    "torch.int16": "i2",
    "torch.int8": "i1",
    "torch.uint8": "u1",
    "torch.bool": "?",
}

MODULE_CLASSES = re.compile(r"(torch\.nn\.(modules|parallel|utils)\.[\w.]+|torch\.optim\.[\w.]+|__main__)\.\w+")
"""Classes whose instances are read as recorded attributes: PyTorch's own modules, and those of a training script."""

OWN_CLASS = re.compile(r"(?!_)[^\W\d]\w*(\.[^\W\d]\w*)*\.[^\W\d]\w*")
"""A class in a program of the author's own, as `models.Generator`. It passes if it turns out to be a module's: there
are instances of it, made without arguments, and each is recorded with the modules within it."""

LIBRARIES = {*sys.stdlib_module_names, "commands", "copy_reg", "dnnlib", "numpy", "pip", "tensorflow", "torch"}
"""Where no class is the author's own."""

CLASSES = {
    "argparse.Namespace",
    "dnnlib.tflib.network.Network",
    "dnnlib.util.EasyDict",
    "easydict.EasyDict",
    "collections.OrderedDict",
    "numpy.dtype",
    "tfutil.Network",
    "types.SimpleNamespace",
}
"""Other classes of which a pickle may hold instances."""

DICTS = {"collections.OrderedDict", "dnnlib.util.EasyDict", "easydict.EasyDict"}

BARE = {
    "__builtin__.dict",
    "__builtin__.object",
    "builtins.dict",
    "builtins.object",
    "numpy.ndarray",
    "torch.Tensor",
    "torch.nn.parameter.Parameter",
    *STORAGE_KINDS,
    *TORCH_DTYPES,
}
"""Names that are only ever handed to others."""

MAX_ARGUMENTS = 32
MAX_NAMES = 10_000


class InertWorld:
    """The stand-ins for one file.

    Args:
        audit: Notes what was met.
        budget: What the file may still spend.
        load_bytes: Reads a torch file within the pickle.
        storage_of: What a persistent id stands for; None where there can be none.
        lenient: Whether unknown names are noted and stubbed instead of refused (for an audit).
    """

    def __init__(
        self,
        audit: Audit,
        budget: Budget,
        load_bytes: Callable[[memoryview], Any] | None = None,
        storage_of: Callable[[tuple[Any, ...]], Storage] | None = None,
        *,
        lenient: bool = False,
    ) -> None:
        self.audit, self.budget, self.lenient = audit, budget, lenient
        self._load_bytes, self._storage_of = load_bytes, storage_of
        self._own: dict[str, list[Stub]] = {}  # instances of the author's own classes, to be looked at in the end

    def find(self, module: str, name: str) -> Global:
        """The stand-in of a global.

        Raises:
            CheckpointError: The name is not on the list.
        """
        full = f"{module}.{name}"
        known = full in CALLS or full in CLASSES or full in BARE or MODULE_CLASSES.fullmatch(full)
        key = shown(full)
        self.audit.globals[key] = self.audit.globals.get(key, 0) + 1
        if len(self.audit.globals) > MAX_NAMES:
            raise CheckpointError(f"the pickle names more than {MAX_NAMES} things, as no real checkpoint does")
        if known and "." not in name:
            return Global(full)
        if OWN_CLASS.fullmatch(full) and "." not in name and full.partition(".")[0] not in LIBRARIES:
            self._own.setdefault(full, [])
            return Global(full)
        return self._refused(full)

    def _refused(self, full: str) -> Global:
        """Stands for a name that is not on the list, in an audit.

        Raises:
            CheckpointError: This is no audit.
        """
        key = shown(full)
        self.audit.refused[key] = self.audit.refused.get(key, 0) + 1
        if not self.lenient:
            raise CheckpointError(
                f"the pickle names {key}, which no known checkpoint needs; nothing of it was run (`ganexport info "
                "--audit` lists all names). Save a plain state_dict instead, which has no such names: "
                "torch.save(model.state_dict(), path)"
            )
        return Global(f"?{key}")

    def call(self, callee: Global, args: tuple[Any, ...]) -> Any:
        """What a known function would make of its arguments, as data."""
        function = CALLS.get(callee.name)
        if function is not None:
            return function(self, *_few(args))
        if callee.name in self._own:
            callee = self._refused(callee.name)
        if callee.name.startswith("?"):
            return Stub(callee.name, args)
        raise CheckpointError(f"the pickle calls {callee.name}, which is known as a class only; it was not run")

    def new(self, callee: Global, args: tuple[Any, ...]) -> Any:
        """An inert object of a known class."""
        name = callee.name
        if name in DICTS:
            return _ordered_dict(self, *_few(args))
        if name == "numpy.dtype":
            return _dtype(self, *_few(args))
        if name in self._own:
            made = Stub(name if not args else self._refused(name).name, args)
            self._own[name].append(made)
            return made
        if name in CLASSES or name.startswith("?") or MODULE_CLASSES.fullmatch(name):
            return Stub(name, args)
        raise CheckpointError(f"the pickle makes an object of {name}, which is no class of a checkpoint")

    def build(self, target: Any, state: Any) -> None:
        """Give an inert object its state."""
        if isinstance(target, Stub):
            target.state = state
        elif isinstance(target, NumpyArray):
            _version, shape, dtype, fortran, data = state if len(state) == 5 else (1, *state)
            _fill(self, target, shape, dtype, data, fortran=bool(fortran))
        elif isinstance(target, Dtype):
            order = state[1]
            if order not in ("<", ">", "=", "|") or state[2] is not None:
                raise CheckpointError("a NumPy type in the pickle is not a plain number")
            target.order = order
        elif isinstance(target, dict | Tensor):
            self.audit.ignore("attributes of a dict or a tensor")
        else:
            raise CheckpointError(f"the pickle sets the state of a {type(target).__name__}")

    def finish(self) -> None:
        """Look at what is said to be the author's own classes, now that their instances have their state.

        Raises:
            CheckpointError: One of them is no module.
        """
        for name, made in self._own.items():
            if not made or not all(isinstance(stub.attributes.get("_modules"), dict) for stub in made):
                self._refused(name)

    def persistent(self, pid: Any) -> Any:
        """The storage of a persistent id, or the class of a module, which old files write with its source."""
        if self._storage_of is None:
            raise CheckpointError("the pickle has persistent ids, which only PyTorch's own files may have")
        if type(pid) is tuple and len(pid) == 4 and pid[0] == "module" and isinstance(pid[1], Global):
            self.audit.ignore("Python source of a network module")
            return pid[1]
        if type(pid) is not tuple or len(pid) not in (5, 6) or pid[0] != "storage":
            raise CheckpointError("the pickle has a persistent id that is no tensor storage")
        return self._storage_of(pid)

    def nested(self, data: Any) -> Any:
        """What a torch file within this pickle holds."""
        if self._load_bytes is None:
            raise CheckpointError("a torch file within a torch file within a pickle")
        return self._load_bytes(memoryview(_raw(self, data)))


def _few(args: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(args) > MAX_ARGUMENTS:
        raise CheckpointError(f"the pickle calls something with {len(args)} arguments")
    return args


def _raw(world: InertWorld, data: Any) -> Any:
    """Bytes, which Python 2 wrote as text."""
    if not isinstance(data, str):
        return data
    world.budget.spend("copied", len(data))
    return data.encode("latin-1")


def _fill(world: InertWorld, target: NumpyArray, shape: Any, dtype: Any, data: Any, *, fortran: bool) -> Array:
    target.fill(shape, dtype, _raw(world, data), fortran=fortran)
    array = target.array()
    world.budget.spend("numbers", array.size)
    return array


def _ordered_dict(world: InertWorld, items: Any = (), *_: Any) -> dict[Any, Any]:
    pairs = items.items() if isinstance(items, dict) else items
    world.budget.spend("containers", len(pairs))
    made: dict[Any, Any] = {}
    for pair in pairs:
        key, value = pair
        if not isinstance(key, str | int):
            raise CheckpointError("a dict in the pickle is made of other things than names")
        made[key] = value
    return made


def _default_dict(world: InertWorld, _factory: Any = None, items: Any = (), *_: Any) -> dict[Any, Any]:
    return _ordered_dict(world, items)


def _reconstructor(world: InertWorld, cls: Any, base: Any, state: Any = None) -> Any:
    """How protocols 0 and 1 make an object: only of the classes on the list."""
    if not isinstance(cls, Global) or not isinstance(base, Global):
        raise CheckpointError("the pickle makes an object of something that is no known class")
    made = world.new(cls, ())
    if isinstance(made, dict) and isinstance(state, dict):
        world.budget.spend("containers", len(state))
        made.update(state)
    return made


def _persistent_object(world: InertWorld, meta: Any, *_: Any) -> Stub:
    """An NVIDIA module: its class by name, its state; the Python source that it carries stays unread."""
    if not isinstance(meta, dict) or not isinstance(meta.get("class_name"), str):
        raise CheckpointError("an NVIDIA module in the pickle has no class name")
    world.audit.ignore("Python source of a network module (module_src)")
    return Stub(f"torch_utils.persistence.{shown(meta['class_name'])}", (), meta.get("state"))


def _tensor_v2(world: InertWorld, storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> Tensor:
    if not isinstance(storage, Storage):
        raise CheckpointError("a tensor in the pickle has no storage")
    made = Tensor(storage, offset, size, stride)
    world.budget.spend("numbers", math.prod(made.size))
    return made


def _tensor_v3(world: InertWorld, storage: Any, offset: Any, size: Any, stride: Any, *rest: Any) -> Tensor:
    dtype = next((TORCH_DTYPES[g.name] for g in rest if isinstance(g, Global) and g.name in TORCH_DTYPES), None)
    if not isinstance(storage, Storage) or dtype is None:
        raise CheckpointError("a tensor in the pickle has no storage or type")
    typed = Storage(dtype, 0, None, storage.big_endian)
    nbytes = storage.numel * storage.itemsize
    if nbytes % typed.itemsize or storage.data is None:
        raise CheckpointError("a tensor's storage does not fit its type")
    typed.numel = nbytes // typed.itemsize
    typed.attach(storage.data)
    return _tensor_v2(world, typed, offset, size, stride)


def _from_type(world: InertWorld, function: Any, _type: Any, args: Any, *_: Any) -> Any:
    rebuilds = ("torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter")
    if not isinstance(function, Global) or function.name not in rebuilds or type(args) is not tuple:
        raise CheckpointError("a tensor in the pickle is made by something unknown")
    return world.call(function, args)


def _size(_world: InertWorld, sizes: Any = (), *_: Any) -> tuple[Any, ...]:
    if not isinstance(sizes, tuple | list) or len(sizes) > MAX_AXES:
        raise CheckpointError("a size in the pickle is no short list")
    return tuple(sizes)


def _dtype(_world: InertWorld, code: Any, *_: Any) -> Dtype:
    if not isinstance(code, str) or not re.fullmatch(r"[<>=|]?[?a-zA-Z]\d{0,3}|bool|float(16|32|64)|u?int\d\d?", code):
        raise CheckpointError("a NumPy type in the pickle is not a plain number")
    return Dtype(code)


def _scalar(world: InertWorld, dtype: Any, data: Any = b"", *_: Any) -> Any:
    return _fill(world, NumpyArray(), (1,), dtype, data, fortran=False)[0].item()


def _from_buffer(world: InertWorld, data: Any, dtype: Any, shape: Any, order: Any = "C", *_: Any) -> NumpyArray:
    made = NumpyArray()
    _fill(world, made, shape, dtype, data, fortran=order == "F")
    return made


def _encode(world: InertWorld, text: Any, encoding: Any = "latin1", *_: Any) -> bytes:
    """How protocols 0 to 2 write bytes."""
    if type(text) is not str or encoding not in ("latin1", "latin-1"):
        raise CheckpointError("bytes in the pickle are not written as latin-1")
    world.budget.spend("copied", len(text))
    return text.encode("latin-1")


def _bytes(world: InertWorld, value: Any = b"", encoding: Any = "latin-1", *_: Any) -> bytes:
    if isinstance(value, str):
        return _encode(world, value, encoding)
    if not isinstance(value, bytes | memoryview):
        raise CheckpointError("bytes in the pickle are made of other things than bytes")
    world.budget.spend("copied", len(value))
    return bytes(value)


def _set(world: InertWorld, items: Any = (), *_: Any) -> set[Any]:
    world.budget.spend("containers", len(items))
    if not isinstance(items, list | tuple) or not all(isinstance(i, str | int) and len(str(i)) < 999 for i in items):
        raise CheckpointError("a set in the pickle holds other things than names")
    return set(items)


def _inert(name: str) -> Callable[..., Stub]:
    return lambda _world, *args: Stub(name, args)


_NUMPY = ("numpy.core.", "numpy._core.")

CALLS: dict[str, Callable[..., Any]] = {
    "collections.OrderedDict": _ordered_dict,
    "collections.Counter": _ordered_dict,
    "collections.defaultdict": _default_dict,
    "dnnlib.util.EasyDict": _ordered_dict,
    "copyreg._reconstructor": _reconstructor,
    "copy_reg._reconstructor": _reconstructor,
    "torch_utils.persistence._reconstruct_persistent_obj": _persistent_object,
    "torch._utils._rebuild_tensor": _tensor_v2,
    "torch._utils._rebuild_tensor_v2": _tensor_v2,
    "torch._utils._rebuild_tensor_v3": _tensor_v3,
    "torch._utils._rebuild_parameter": lambda _world, data, *_: data,
    "torch._utils._rebuild_parameter_with_state": lambda _world, data, *_: data,
    "torch._tensor._rebuild_from_type_v2": _from_type,
    "torch.storage._load_from_bytes": lambda world, data: world.nested(data),
    "torch.Size": _size,
    "numpy.dtype": _dtype,
    **{f"{prefix}multiarray.scalar": _scalar for prefix in _NUMPY},
    **{f"{prefix}multiarray._reconstruct": lambda _world, *_: NumpyArray() for prefix in _NUMPY},
    **{f"{prefix}numeric._frombuffer": _from_buffer for prefix in _NUMPY},
    "_codecs.encode": _encode,
    "builtins.bytes": _bytes,
    "__builtin__.bytes": _bytes,
    "builtins.bytearray": _bytes,
    "__builtin__.bytearray": _bytes,
    "builtins.set": _set,
    "__builtin__.set": _set,
    **{name: _inert(name) for name in ("torch.device", "pathlib.PosixPath", "pathlib.WindowsPath")},
    "torch.nn.backends.thnn._get_thnn_function_backend": _inert("torch.nn.backends.thnn"),
}
"""Functions that a pickle may name, and what they make: data, never more."""
