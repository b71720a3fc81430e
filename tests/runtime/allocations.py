"""A counter on NumPy's allocator: every block of array data asked for while it is in place.

NumPy lets a thread put its own functions in the place of `malloc` and its like (NEP 49, data allocation
strategies); so no array escapes it, however small or short-lived. What a ufunc has to cast becomes an
array where it is no longer than `np.getbufsize()`, and is counted; longer ones go
through buffers, which are not.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

INNER = import_module("numpy._core._multiarray_umath")
SET_HANDLER = 304
"""The place of `PyDataMem_SetHandler` in NumPy's table of functions."""

Malloc = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
Calloc = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t)
Realloc = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
Free = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)


class Handler(ctypes.Structure):
    """`PyDataMem_Handler` of numpy/ndarraytypes.h."""

    _fields_ = (
        ("name", ctypes.c_char * 127),
        ("version", ctypes.c_uint8),
        ("context", ctypes.c_void_p),
        ("malloc", Malloc),
        ("calloc", Calloc),
        ("realloc", Realloc),
        ("free", Free),
    )


C = ctypes.CDLL(None)
C.malloc.restype = C.calloc.restype = C.realloc.restype = ctypes.c_void_p
C.malloc.argtypes = (ctypes.c_size_t,)
C.calloc.argtypes = (ctypes.c_size_t, ctypes.c_size_t)
C.realloc.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
C.free.argtypes = (ctypes.c_void_p,)

SIZES: list[int] = []
"""Bytes of each block, in order; of one count at a time."""


def _malloc(_: object, size: int) -> object:
    SIZES.append(size)
    return C.malloc(size)


def _calloc(_: object, count: int, size: int) -> object:
    SIZES.append(count * size)
    return C.calloc(count, size)


def _realloc(_: object, block: object, size: int) -> object:
    SIZES.append(size)
    return C.realloc(block, size)


def _free(_context: object, block: object, _size: int) -> None:
    C.free(block)


FUNCTIONS = Malloc(_malloc), Calloc(_calloc), Realloc(_realloc), Free(_free)

# An array remembers who made it, and may live as long as the process: so does the handler.
HANDLER = Handler(b"counted", 1, None, *FUNCTIONS)


def _set_handler(capsule: object) -> object:
    """Put a handler in the place of this thread's; returns the one before."""
    api = ctypes.pythonapi
    api.PyCapsule_GetPointer.restype = ctypes.c_void_p
    api.PyCapsule_GetPointer.argtypes = (ctypes.py_object, ctypes.c_char_p)
    table = api.PyCapsule_GetPointer(INNER._ARRAY_API, None)
    address = ctypes.cast(table, ctypes.POINTER(ctypes.c_void_p))[SET_HANDLER]
    return ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object)(address)(capsule)


@contextmanager
def counted() -> Iterator[list[int]]:
    """The bytes of each block that NumPy asks for in this thread, as long as it goes on."""
    new = ctypes.pythonapi.PyCapsule_New
    new.restype = ctypes.py_object
    new.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
    SIZES.clear()
    before = _set_handler(new(ctypes.addressof(HANDLER), b"mem_handler", None))
    try:
        yield SIZES
    finally:
        _set_handler(before)
