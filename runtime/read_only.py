"""Arrays by name, as a net shows them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NoReturn

from ..grammar.near import nearest
from .kernels import Array
from .leases import Ledger


class Named(Mapping[str, Array]):
    """Arrays that can be written into, under names that stay."""

    def __init__(self, arrays: Mapping[str, Array], ledger: Ledger | None = None) -> None:
        self._arrays = arrays
        self._ledger = ledger

    def __getitem__(self, name: str) -> Array:
        if name in self._arrays:
            array = self._arrays[name]
            return array if self._ledger is None else self._ledger.lent(array)
        raise KeyError(f"no array is called `{name}`{self._hint(name)}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._arrays!r})"

    def __setitem__(self, name: str, array: object) -> NoReturn:
        hint = "" if name in self._arrays else self._hint(name)
        raise TypeError(f'write into the array that is there: ["{name}"][:] = ...{hint}')

    def _hint(self, name: str) -> str:
        of_operator = (known for known in self._arrays if known.startswith(f"{name}."))
        near = next(of_operator, None) or nearest(str(name), self._arrays)
        return f"; did you mean `{near}`?" if near else ""
