"""The operators, one family a file. Defining a class here is all it takes to enter the catalogue."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from ..op import Catalogue, Op, catalogue

for _family in sorted(module.name for module in iter_modules(__path__)):
    import_module(f"{__name__}.{_family}")

CATALOGUE: Catalogue = catalogue()

__all__ = ["CATALOGUE", "Op"]
