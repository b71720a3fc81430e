"""Why nnspec is slower, or takes more, where it does: by section, net and rival; `*` is any."""

from __future__ import annotations

from fnmatch import fnmatchcase

from .results import Comparison

CALLS = (
    "a handful of NumPy calls at a quarter to three quarters of a microsecond each is what it takes; "
    "a compiled graph has no calls in between"
)
ACTIVATIONS = (
    "bias and relu are calls of their own, over numbers in cache, and a product waits for its threads; "
    "compiled kernels do both while the numbers are in registers"
)
ADAM = "Adam makes ten NumPy sweeps over blocks in cache where a compiled loop makes one"
LIBRARY = (
    "on Intel's processors the rival's library takes three quarters of OpenBLAS's time for these products; "
    f"and {ADAM}"
)
NORMS = (
    "batch norm and the sums beside it go over the maps several times, in blocks in cache; compiled "
    "kernels go over them once"
)
ALONE = f"its products are too small for two threads to share, and {ADAM}"

REASONS: tuple[tuple[str, str, str, str], ...] = (
    ("training", "c *", "PyTorch eager", LIBRARY),
    ("training", "c *", "*", ADAM),
    ("training", "b *", "*", ALONE),
    (
        "training",
        "d *",
        "channels-last*",
        "few channels: kernels that skip the gathering of columns have less to do",
    ),
    ("training", "f *", "*", NORMS),
    ("training", "e *", "*", "within what one run differs from another"),
    ("inference", "[ab] *, batch 1", "*", CALLS),
    ("inference", "d *, batch 1", "*", CALLS),
    ("inference", "f *, batch 1", "*", CALLS),
    ("inference", "*", "onnxruntime", ACTIVATIONS),
)
"""(section, net, rival, reason); the first that fits is told."""


def reason(slower: Comparison) -> str | None:
    place = slower.section, slower.net, slower.rival
    for *patterns, why in REASONS:
        if all(map(fnmatchcase, place, patterns)):
            return why
    return None
