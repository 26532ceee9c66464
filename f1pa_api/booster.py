"""A LightGBM model behind LightGBM's C API, without its Python package.

The package would bring numpy and more into every worker (about 150 MiB), and its `predict`
costs several times what the tree walk does. Values are bit for bit those of
`lightgbm.Booster.predict`. C API: https://lightgbm.readthedocs.io/en/stable/C-API.html
"""

import ctypes
import sys
import threading
import weakref
from collections.abc import Sequence
from ctypes import POINTER, byref, c_char_p, c_double, c_int, c_int64, c_size_t, c_void_p
from functools import cache
from importlib.util import find_spec
from pathlib import Path

FLOAT64 = 1
ROW_MAJOR = 1
NORMAL_PREDICTION = 0
FIRST_ITERATION, ALL_ITERATIONS = 0, -1
# More threads than one gain nothing for so few rows and fight with the other requests.
PARAMETERS = b"num_threads=1"
# Up to here the single-row call, which keeps its buffers, is faster than one call for all.
FEW_ROWS = 32
LONGEST_FEATURE_NAME_BYTES = 256


class BoosterError(Exception):
    """The library or the model can't be used. The message is LightGBM's, on one line."""


class _Handle:
    """The C object of a model. Freed when nothing refers to it, so never during a call."""

    def __init__(self, model_text: bytes) -> None:
        self.pointer = c_void_p()
        text, expected_trees = _checkable(model_text)
        trees = c_int()
        _check(_library().LGBM_BoosterLoadModelFromString(text, byref(trees), byref(self.pointer)))
        # Not at exit: daemon threads may still be predicting then.
        weakref.finalize(self, _library().LGBM_BoosterFree, self.pointer).atexit = False
        if trees.value != expected_trees:
            raise BoosterError(f"the text has {trees.value} trees and speaks of {expected_trees}")


class _SingleRow:
    """What one thread needs to score single rows: LightGBM's prepared call and its buffers."""

    def __init__(self, handle: _Handle, width: int) -> None:
        self._handle = handle  # The prepared call refers to the model.
        self._call = c_void_p()
        self._row = (c_double * width)()
        self._length = c_int64()
        self._value = c_double()
        _check(
            _library().LGBM_BoosterPredictForMatSingleRowFastInit(
                handle.pointer,
                NORMAL_PREDICTION,
                FIRST_ITERATION,
                ALL_ITERATIONS,
                FLOAT64,
                width,
                PARAMETERS,
                byref(self._call),
            )
        )
        weakref.finalize(self, _library().LGBM_FastConfigFree, self._call).atexit = False
        self._arguments = (self._call, self._row, byref(self._length), byref(self._value))

    def predict(self, row: Sequence[float]) -> float:
        self._row[:] = row  # type: ignore[call-overload]  # not only lists
        _check(_library().LGBM_BoosterPredictForMatSingleRowFast(*self._arguments))
        return self._value.value


class Booster:
    """A loaded model with one output. Safe to share between threads.

    Raises BoosterError when `model_text` (LightGBM's text format) is not such a model.
    """

    def __init__(self, model_text: bytes) -> None:
        self._handle = _Handle(model_text)
        self._threads = threading.local()
        if _integer("LGBM_BoosterGetNumClasses", self._handle) != 1:
            raise BoosterError("the model has more than one output")
        self.feature_names = _feature_names(self._handle)

    def predict(self, rows: Sequence[Sequence[float]]) -> list[float]:
        """One value per row; each row holds one value per feature. NaN is a missing value."""
        width = len(self.feature_names)
        for row in rows:
            if len(row) != width:
                raise BoosterError(f"a row has {len(row)} values, the model {width} features")
        if len(rows) > FEW_ROWS:
            return self._predict_matrix(rows, width)
        single: _SingleRow | None = getattr(self._threads, "single", None)
        if single is None:
            single = self._threads.single = _SingleRow(self._handle, width)
        return [single.predict(row) for row in rows]

    def _predict_matrix(self, rows: Sequence[Sequence[float]], width: int) -> list[float]:
        matrix = (c_double * (len(rows) * width))(*(value for row in rows for value in row))
        values = (c_double * len(rows))()
        length = c_int64()
        _check(
            _library().LGBM_BoosterPredictForMat(
                self._handle.pointer,
                matrix,
                FLOAT64,
                len(rows),
                width,
                ROW_MAJOR,
                NORMAL_PREDICTION,
                FIRST_ITERATION,
                ALL_ITERATIONS,
                PARAMETERS,
                byref(length),
                values,
            )
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
    _check(
        _library().LGBM_BoosterGetFeatureNames(
            handle.pointer,
            count,
            byref(found),
            LONGEST_FEATURE_NAME_BYTES,
            byref(longest),
            pointers,
        )
    )
    if longest.value > LONGEST_FEATURE_NAME_BYTES:
        raise BoosterError(f"a feature name is longer than {LONGEST_FEATURE_NAME_BYTES} bytes")
    return tuple(buffer.value.decode("utf-8", "replace") for buffer in buffers)


def _integer(function: str, handle: _Handle) -> int:
    value = c_int()
    _check(getattr(_library(), function)(handle.pointer, byref(value)))
    return value.value


def _check(return_code: int) -> None:
    if return_code:
        message = _library().LGBM_GetLastError().decode("utf-8", "replace")
        raise BoosterError(" ".join(message.split()))


@cache
def _library() -> ctypes.CDLL:
    """The shared library of the installed lightgbm wheel."""
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
        function.argtypes, function.restype = arguments, c_int
    library.LGBM_GetLastError.argtypes = []
    library.LGBM_GetLastError.restype = c_char_p
    return library


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
    "LGBM_BoosterPredictForMatSingleRowFast": [
        *(c_void_p, c_void_p, POINTER(c_int64), POINTER(c_double)),
    ],
    "LGBM_FastConfigFree": [c_void_p],
}
