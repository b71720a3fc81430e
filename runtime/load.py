"""A net from a weights file."""

from __future__ import annotations

from pathlib import Path

from ..compiler.elaborate import elaborate
from ..compiler.files import from_there
from ..grammar.source import Source
from .budget import MaxMemory
from .ensemble import Ensemble, compiled
from .folder import BEST, TOLD
from .net import DType, Net
from .weights import check_members, opened, pour


def load(path: str | Path, *, max_memory: MaxMemory = None) -> Net | Ensemble:
    """The net, or the ensemble, that `save` wrote: its spec is compiled anew, its weights put back.

    Of a folder that keeps a run it is the net of the best epoch. `max_memory` is what its arrays may
    take together, "2GiB" or bytes; 80 % of what is free where None. Raises SpecError when the file is
    damaged, is no weights file, or does not fit its own spec.
    """
    place = Path(path)
    if (place / TOLD).is_file():
        place /= BEST
    with opened(place) as saved:
        texts = from_there(saved.files, str(place))
        graph = elaborate(
            Source(str(place), saved.spec), None, saved.settings, saved.lets, texts
        ).net
        check_members(saved, graph.training.ensemble)
        precise = any(entry.dtype == "F64" for entry in saved.arrays.entries.values())
        dtype: DType = "float64" if precise else "float32"
        net = compiled(graph, dtype=dtype, max_memory=max_memory)
        pour(saved, graph, {**net.weights, **net.state})
    return net
