"""The error function, which NumPy lacks, in ufuncs.

erf(x) = sign(x) (1 - t exp(P(s) - x^2)) with t = 2 / (2 + |x|) and s = 2 t - 1: the form of Numerical
Recipes section 6.2.2. P is the Chebyshev interpolant of log(erfc(z) / t) + z^2, computed with 40
digits and written as a polynomial in s, the highest power first. Largest error: 4e-7 in float32,
4e-14 in float64.
"""

from __future__ import annotations

import numpy as np

from . import Array, Calls

SINGLE = (
    0.0003337359168941538, -0.00020790912969859783, -0.002048734809246567,
    0.0017765646526553863, 0.008703812068609242, -0.009873768757529268,
    -0.04687488818705612, 0.04734310629269966, 0.6726422171560106,
    -0.671794076054381,
)  # fmt: skip
DOUBLE = (
    -3.41474538836648e-07, 2.0321252935724734e-07, 1.744296611236755e-06,
    -9.074614627542776e-07, -3.5423114556572024e-06, 7.073215689368657e-07,
    3.5367565694083445e-06, 5.8641956566586825e-06, -5.334441564309114e-06,
    -2.798478787481991e-05, 3.4739171140878217e-05, 7.026668649912943e-05,
    -0.0001753710218895383, -9.336450586163964e-05, 0.0006739221636971531,
    -0.0001463215911664009, -0.002345846184886197, 0.0017589422742833069,
    0.008824941131316344, -0.009872689883458817, -0.04689561032136428,
    0.04734330685376461, 0.6726432239785833, -0.6717940840567368,
)  # fmt: skip


def erf(x: Array, y: Array, z: Array, s: Array, t: Array) -> Calls:
    """The calls that fill y with erf(x); z, s and t are scratch, y may not be x."""
    coefficients = SINGLE if y.dtype == np.float32 else DOUBLE

    def constant(value: float) -> Array:
        return np.array(value, y.dtype)

    two, one = constant(2), constant(1)
    yield np.absolute, (x, z)
    yield np.add, (z, two, t)
    yield np.divide, (two, t, t)
    yield np.add, (t, t, s)
    yield np.subtract, (s, one, s)
    yield np.multiply, (s, constant(coefficients[0]), y)
    for coefficient in coefficients[1:-1]:
        yield np.add, (y, constant(coefficient), y)
        yield np.multiply, (y, s, y)
    yield np.add, (y, constant(coefficients[-1]), y)
    yield np.multiply, (z, z, z)
    yield np.subtract, (y, z, y)
    yield np.exp, (y, y)
    yield np.multiply, (y, t, y)
    yield np.subtract, (one, y, y)
    yield np.copysign, (y, x, y)
