"""The error function, which NumPy lacks, in ufuncs.

erf(x) = sign(x) (1 - exp(z P(z))) with z = min(|x|, 4) in float32, min(|x|, 6) in float64, where the
result is 1 to the last digit. P approximates log(erfc(z)) / z by least squares weighted with
z erfc(z), which makes the error of the result even; coefficients by falling power. Largest error:
1.2e-7 in float32, 4e-16 in float64.
"""

from __future__ import annotations

import numpy as np

from ..constants import scalar
from . import Array, Calls
from .bounds import bounded, minimum

SINGLE = (
    8.043815796554554e-06, -0.0001060266004060395, 0.0005879505188204348,
    -0.0015767599688842893, 5.87813337915577e-05, 0.019217142835259438,
    -0.10279920697212219, -0.6366161108016968, -1.1283793449401855,
)  # fmt: skip
DOUBLE = (
    -8.852032868160509e-15, 4.767634654069589e-13, -1.1851979359381404e-11,
    1.8107769256164028e-10, -1.9075576302416935e-09, 1.4708130140046355e-08,
    -8.574823171083792e-08, 3.830568795867058e-07, -1.3002816318565352e-06,
    3.187745622345574e-06, -4.5862716037955164e-06, -1.7063759475634073e-06,
    2.8410749828245424e-05, -6.369584848823458e-05, -2.625099572929823e-05,
    0.0005902570070388369, -0.001696240345732414, 0.0002092008494198525,
    0.01912844626900412, -0.10277260324893932, -0.6366197723695154, -1.1283791670954877,
)  # fmt: skip


def erf(x: Array, y: Array, z: Array) -> Calls:
    """The calls that fill y with erf(x); z is scratch, y may not be x; at most a block long."""
    single = y.dtype == np.float32
    first, *others = SINGLE if single else DOUBLE
    yield np.absolute, (x, z)
    yield from bounded(minimum, z, 4.0 if single else 6.0, z)
    yield np.multiply, (z, scalar(first, y.dtype), y)
    for coefficient in others:
        yield np.add, (y, scalar(coefficient, y.dtype), y)
        yield np.multiply, (y, z, y)
    yield np.expm1, (y, y)
    yield np.copysign, (y, x, y)
