"""A net from a weights file, or from the folder of a run."""

from __future__ import annotations

from functools import partial
from itertools import count, takewhile
from pathlib import Path

from ..compiler.elaborate import elaborate
from ..compiler.files import from_there
from ..grammar.source import Source
from .budget import MaxMemory
from .ensemble import Ensemble, compiled, folder
from .ensemble import members as nets
from .folder import BEST, LAST
from .identity import TOLD
from .net import DType, Net
from .weights import check_members, opened, pour


def load(path: str | Path, *, max_memory: MaxMemory = None, jit: bool = False) -> Net | Ensemble:
    """The net, or the ensemble, that `save` wrote: its spec is compiled anew, its weights put back.

    Of a folder that keeps a run it is the net of the best epoch, or the last weights where the run
    stopped before its first epoch was judged; of an ensemble's run each member's.
    `max_memory` is what a net's arrays may take together, "2GiB" or bytes; 80 % of what is free where
    None; `jit` as for `compile`. Raises SpecError when a file is damaged, is no weights file, or does not
    fit its own spec.
    """
    place = Path(path)
    numbered = (folder(place, number) for number in count(1))
    read = partial(_read, max_memory=max_memory, jit=jit)
    if members := [read(_weights(each)) for each in takewhile(_keeps_run, numbered)]:
        return Ensemble.of([net for net in members if isinstance(net, Net)])
    return read(_weights(place) if _keeps_run(place) else place)


def _keeps_run(place: Path) -> bool:
    return (place / TOLD).is_file()


def _weights(place: Path) -> Path:
    """Where a run's best weights are; the last, where it was put down before it had judged any."""
    best, last = place / BEST, place / LAST
    return last if last.is_file() and not best.exists() else best


def _read(place: Path, *, max_memory: MaxMemory, jit: bool) -> Net | Ensemble:
    with opened(place) as saved:
        texts = from_there(saved.files, str(place))
        graph = elaborate(
            Source(str(place), saved.spec), None, saved.settings, saved.lets, texts
        ).net
        check_members(saved, graph.training.ensemble)
        precise = any(entry.dtype == "F64" for entry in saved.arrays.entries.values())
        dtype: DType = "float64" if precise else "float32"
        net = compiled(graph, dtype=dtype, max_memory=max_memory, jit=jit)
        pour(saved, graph, {**net.weights, **net.state})
        for member in nets(net):
            member.names = saved.names
            member.settle()
    return net
