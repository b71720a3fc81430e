"""Arrays that kernels read and nobody writes: ones to sum with, factors, masks, tables of angles.

Each is made once in a process and lives as long as some bound schedule reads it, whichever nets these
belong to. They are no part of the memory plan; `held()` tells their bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeAlias
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]

_HELD: WeakValueDictionary[Hashable, Array] = WeakValueDictionary()


def table(key: Hashable, make: Callable[[], Array]) -> Array:
    """What `make` returns, the same array for all who ask by this key."""
    found = _HELD.get(key)
    if found is None:
        found = make()
        found.flags.writeable = False
        _HELD[key] = found
    return found


def scalar(value: float, dtype: np.dtype[Any]) -> Array:
    """A 0-d array: ufuncs take it faster than a Python number, and keep the precision."""
    # The hexadecimal form tells 0.0 from -0.0.
    key = "scalar", float(value).hex(), dtype.str
    return table(key, lambda: np.array(value, dtype))


def filled(value: float, count: int, dtype: np.dtype[Any]) -> Array:
    """A vector full of one number."""
    key = "filled", float(value).hex(), count, dtype.str
    return table(key, lambda: np.full(count, value, dtype))


def ones(count: int, dtype: np.dtype[Any]) -> Array:
    return filled(1.0, count, dtype)


def held() -> int:
    """Bytes of all that are in use now."""
    return sum(array.nbytes for array in _HELD.values())
