"""Compiled loops behind the kernels' interface. Needs the extra `jit`; nothing loads it unasked.

A loop fills the arrays that the NumPy kernel would fill, in one sweep where NumPy takes several; what
it has no use for among the scratch arrays stays untouched. What has no loop here is NumPy's. Loops
let go of the interpreter's lock, keep IEEE arithmetic in the order written, and are compiled once on
a machine: Numba keeps them beside this package, or in the user's cache.
"""

from __future__ import annotations

from functools import partial
from importlib import import_module
from pkgutil import iter_modules

from numba import __version__

from ...compiler.op import Elementwise, Op
from ..engine import Engine
from ..kernels import Kernel, Kernels
from ..kernels import kernel as numpy_kernel
from ..kernels import kernel_of as by_numpy

KERNELS: Kernels = {}

kernel = partial(numpy_kernel, among=KERNELS)


def kernel_of(op: Op, algorithm: str = "") -> Kernel:
    """The kernel of an operator: compiled, or NumPy's where there is none."""
    own = KERNELS.get((type(op), algorithm))
    if own is None and isinstance(op, Elementwise):
        return KERNELS[Elementwise, ""]
    return own or by_numpy(op, algorithm)


for _family in sorted(module.name for module in iter_modules(__path__)):
    import_module(f"{__name__}.{_family}")

ENGINE = Engine(kernel_of, import_module(f"{__name__}.optimizers").sweep, f"numba {__version__}")
