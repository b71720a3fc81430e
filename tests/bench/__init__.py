"""The proof of what is said about speed and memory: `python -m tests.bench` measures and writes.

Every figure of nnspec is that of a spec's text run through the public API in float32 with default
settings. Both sides of a comparison run in one process, in turns, on the same threads; a ratio above
1 means that nnspec needs less.
"""

from __future__ import annotations

import os

THREADS = 2
"""Of every side: BLAS's, PyTorch's, onnxruntime's; JAX takes the cores that the process may use."""

# Libraries read these when they are loaded, which is when a module of this package is imported.
os.environ.setdefault("OMP_NUM_THREADS", str(THREADS))
os.environ.setdefault("OPENBLAS_NUM_THREADS", str(THREADS))
