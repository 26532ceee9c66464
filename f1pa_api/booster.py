"""LightGBM models behind LightGBM's C API, without its Python package.

The package would bring numpy and more into every worker (about 150 MiB), and its `predict`
costs several times what the tree walk does. Values are bit for bit those of
`lightgbm.Booster.predict`. C API: https://lightgbm.readthedocs.io/en/stable/C-API.html
"""

import ctypes
import sys
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from ctypes import POINTER, byref, c_char_p, c_double, c_int, c_int64, c_size_t, c_void_p, sizeof
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from struct import Struct
from typing import cast

FLOAT64 = 1
ROW_MAJOR = 1
NORMAL_PREDICTION = 0
FIRST_ITERATION, ALL_ITERATIONS = 0, -1
# More threads than one gain nothing for so few rows and fight with the other requests.
PARAMETERS = b"num_threads=1"
# Up to here the single-row calls, which keep their buffers, are faster than one call for all.
FEW_ROWS = 3
LONGEST_FEATURE_NAME_BYTES = 256


class BoosterError(Exception):
    """The library or the model can't be used. The message is LightGBM's, on one line."""


class _Handle:
    """The C object of a model. Freed when nothing refers to it, so never during a call."""

    def __init__(self, model_text: bytes) -> None:
        self.pointer = c_void_p()
        text, expected_trees = _checkable(model_text)
        trees = c_int()
        _library().LGBM_BoosterLoadModelFromString(text, byref(trees), byref(self.pointer))
        # Not at exit: daemon threads may still be predicting then.
        weakref.finalize(self, _library().LGBM_BoosterFree, self.pointer).atexit = False
        if trees.value != expected_trees:
            raise BoosterError(f"the text has {trees.value} trees and speaks of {expected_trees}")


class _Call:
    """LightGBM's prepared call of one model on one thread's row."""

    def __init__(self, handle: _Handle, row: "ctypes.Array[c_double]") -> None:
        self._handle = handle  # The prepared call refers to the model.
        self._config = c_void_p()
        self._length = c_int64()
        self._value = c_double()
        _library().LGBM_BoosterPredictForMatSingleRowFastInit(
            handle.pointer,
            NORMAL_PREDICTION,
            FIRST_ITERATION,
            ALL_ITERATIONS,
            FLOAT64,
            len(row),
            PARAMETERS,
            byref(self._config),
        )
        weakref.finalize(self, _library().LGBM_FastConfigFree, self._config).atexit = False
        self._function = _row_function()
        self._arguments = (self._config, row, byref(self._length), byref(self._value))

    def value(self) -> float:
        if self._function(*self._arguments):
            raise _last_error()
        return self._value.value


class _Thread(threading.local):
    """One thread's row, which the calls of all models read."""

    def __init__(self, width: int) -> None:
        self.row = (c_double * width)()
        self.calls: dict[str, _Call] = {}


class Boosters:
    """Loaded models by name, with one output each, that are asked about the same rows. Safe to
    share between threads.

    Raises BoosterError when a text (LightGBM's text format) is not such a model of the features
    `feature_names`.
    """

    def __init__(self, feature_names: tuple[str, ...], model_texts: Mapping[str, bytes]) -> None:
        self._width = len(feature_names)
        self._write = Struct(f"{self._width}d").pack_into
        self._thread = _Thread(self._width)
        self._handles = {
            name: _loaded(name, text, feature_names) for name, text in model_texts.items()
        }

    def predict(
        self, names: Sequence[str], rows: Sequence[Sequence[float]]
    ) -> list[tuple[float, ...]]:
        """For each row the value of each named model. A row holds one value per feature; NaN
        is a missing value."""
        for row in rows:
            if len(row) != self._width:
                raise BoosterError(f"a row has {len(row)} values, the model {self._width} features")
        return (self._each_row if len(rows) <= FEW_ROWS else self._matrix)(names, rows)

    def _each_row(
        self, names: Sequence[str], rows: Sequence[Sequence[float]]
    ) -> list[tuple[float, ...]]:
        write, buffer = self._write, self._thread.row
        calls = [self._call(name) for name in names]
        values = []
        for row in rows:
            write(buffer, 0, *row)
            values.append(tuple([call.value() for call in calls]))
        return values

    def _call(self, name: str) -> _Call:
        calls = self._thread.calls
        if name not in calls:
            calls[name] = _Call(self._handles[name], self._thread.row)
        return calls[name]

    def _matrix(
        self, names: Sequence[str], rows: Sequence[Sequence[float]]
    ) -> list[tuple[float, ...]]:
        matrix = (c_double * (len(rows) * self._width))()
        row_bytes = sizeof(c_double) * self._width
        for place, row in enumerate(rows):
            self._write(matrix, place * row_bytes, *row)
        columns = [_predicted(self._handles[name], matrix, len(rows)) for name in names]
        return list(zip(*columns, strict=True))


def _loaded(name: str, model_text: bytes, feature_names: tuple[str, ...]) -> _Handle:
    try:
        handle = _Handle(model_text)
        if _integer("LGBM_BoosterGetNumClasses", handle) != 1:
            raise BoosterError("the model has more than one output")
        found = _feature_names(handle)
    except BoosterError as error:
        raise BoosterError(f"{name}: {error}") from error
    if found != feature_names:
        raise BoosterError(f"{name} has the features {found}, this build {feature_names}")
    return handle


def _predicted(handle: _Handle, matrix: "ctypes.Array[c_double]", rows: int) -> list[float]:
    values = (c_double * rows)()
    length = c_int64()
    _library().LGBM_BoosterPredictForMat(
        handle.pointer,
        matrix,
        FLOAT64,
        rows,
        len(matrix) // rows,
        ROW_MAJOR,
        NORMAL_PREDICTION,
        FIRST_ITERATION,
        ALL_ITERATIONS,
        PARAMETERS,
        byref(length),
        values,
    )
    return list(values)


def _checkable(model_text: bytes) -> tuple[bytes, int]:
    """The text, so that LightGBM reports what is wrong with it, and how many trees it has.

    With the sizes of the trees at hand it reads them in parallel, and there an error, such as
    the one that a cut-off text gives, ends the whole process.
    """
    header, separator, trees = model_text.partition(b"\nTree=")
    lines = header.split(b"\n")
    sizes = [line for line in lines if line.startswith(b"tree_sizes=")]
    if not sizes or b"\nend of trees" not in trees or b"\0" in model_text:
        raise BoosterError("the text is not a whole LightGBM model")
    header = b"\n".join(line for line in lines if line not in sizes)
    return header + separator + trees, len(sizes[0].split())


def _feature_names(handle: _Handle) -> tuple[str, ...]:
    count = _integer("LGBM_BoosterGetNumFeature", handle)
    buffers = [ctypes.create_string_buffer(LONGEST_FEATURE_NAME_BYTES) for _ in range(count)]
    pointers = (c_char_p * count)(*(ctypes.cast(buffer, c_char_p) for buffer in buffers))
    found, longest = c_int(), c_size_t()
    _library().LGBM_BoosterGetFeatureNames(
        handle.pointer,
        count,
        byref(found),
        LONGEST_FEATURE_NAME_BYTES,
        byref(longest),
        pointers,
    )
    if longest.value > LONGEST_FEATURE_NAME_BYTES:
        raise BoosterError(f"a feature name is longer than {LONGEST_FEATURE_NAME_BYTES} bytes")
    return tuple(buffer.value.decode("utf-8", "replace") for buffer in buffers)


def _integer(function: str, handle: _Handle) -> int:
    value = c_int()
    getattr(_library(), function)(handle.pointer, byref(value))
    return value.value


def _last_error() -> BoosterError:
    message = _library().LGBM_GetLastError().decode("utf-8", "replace")
    return BoosterError(" ".join(message.split()))


def _checked(return_code: int, _function: object, _arguments: object) -> None:
    if return_code:
        raise _last_error()


@cache
def _library() -> ctypes.CDLL:
    """The shared library of the installed lightgbm wheel. Its functions run without the GIL, and
    raise BoosterError where they return an error."""
    # Found and not imported: see above.
    spec = find_spec("lightgbm")
    if spec is None or spec.origin is None:
        raise BoosterError("the package lightgbm is not installed")
    suffix = {"darwin": ".dylib", "win32": ".dll"}.get(sys.platform, ".so")
    path = Path(spec.origin).parent / "lib" / f"lib_lightgbm{suffix}"
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise BoosterError(f"no LightGBM library: {error}") from error
    for name, arguments in _SIGNATURES.items():
        function = getattr(library, name)
        function.argtypes, function.restype, function.errcheck = arguments, c_int, _checked
    library.LGBM_GetLastError.argtypes = []
    library.LGBM_GetLastError.restype = c_char_p
    return library


@cache
def _row_function() -> Callable[..., int]:
    """The call on one row, with the GIL held: it takes microseconds, while a thread that lets
    the GIL go for it may wait milliseconds to have it back. Without argtypes, whose
    conversions would cost as much as a few trees."""
    function = ctypes.PyDLL(_library()._name).LGBM_BoosterPredictForMatSingleRowFast
    function.restype = c_int
    return cast(Callable[..., int], function)


_SIGNATURES: dict[str, list[type]] = {
    "LGBM_BoosterLoadModelFromString": [c_char_p, POINTER(c_int), POINTER(c_void_p)],
    "LGBM_BoosterFree": [c_void_p],
    "LGBM_BoosterGetNumClasses": [c_void_p, POINTER(c_int)],
    "LGBM_BoosterGetNumFeature": [c_void_p, POINTER(c_int)],
    "LGBM_BoosterGetFeatureNames": [
        *(c_void_p, c_int, POINTER(c_int), c_size_t, POINTER(c_size_t), POINTER(c_char_p)),
    ],
    "LGBM_BoosterPredictForMat": [
        *(c_void_p, c_void_p, c_int, ctypes.c_int32, ctypes.c_int32, c_int),
        *(c_int, c_int, c_int, c_char_p, POINTER(c_int64), POINTER(c_double)),
    ],
    "LGBM_BoosterPredictForMatSingleRowFastInit": [
        *(c_void_p, c_int, c_int, c_int, c_int, ctypes.c_int32, c_char_p, POINTER(c_void_p)),
    ],
    "LGBM_FastConfigFree": [c_void_p],
}
