"""The rows of a report as a table shows them: blocks as headings, what repeats said once.

The rows that stand outermost add up to the whole net; those below a heading to one of what the
heading counts.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..facts.repeats import repeats

if TYPE_CHECKING:
    from ..report import BlockRow, LayerRow, Report

LINES = 64
"""Lines that a table takes before blocks are closed by themselves."""


@dataclass(frozen=True)
class Line:
    """One line of the table.

    Attributes
    ----------
    name: what it is called below its heading; of several that are alike the first and the last.
    times: how many are alike. outer: how many of what stands under this line's headings the net holds.
    layer, block: what the line stands for, the first where many are alike; neither for a stretch of
        several that repeats.
    layers: what is counted here: every layer of all that are alike.
    """

    indent: int
    name: str
    times: int
    outer: int
    layer: LayerRow | None
    block: BlockRow | None
    layers: tuple[LayerRow, ...]

    @property
    def params(self) -> int:
        return sum(layer.params for layer in self.layers)

    @property
    def macs(self) -> int:
        return sum(layer.macs for layer in self.layers)


@dataclass(frozen=True)
class _Part:
    """A layer, or a block with what is in it, or a stretch of either that repeats."""

    name: str
    layer: LayerRow | None
    block: BlockRow | None
    parts: tuple[_Part, ...]
    kind: Hashable
    """The same for all that are alike."""
    layers: tuple[LayerRow, ...]
    times: int = 1
    last: str = ""


def folded(report: Report, depth: int | None = None) -> list[Line]:
    """The table's lines; `depth` is how many blocks deep it looks, as deep as `LINES` allow where
    None is given."""
    parts = _alike(_tree(report))
    if depth is not None:
        return list(_lines(parts, depth))
    deepest = max((_depth(part) for part in parts), default=1)
    for tried in range(deepest, 1, -1):
        lines = list(_lines(parts, tried))
        if len(lines) <= LINES:
            return lines
    return list(_lines(parts, 1))


def deepest(report: Report) -> int:
    """How many blocks deep the net goes, its layers counted as one."""
    return max((_depth(part) for part in _tree(report)), default=1)


def _depth(part: _Part) -> int:
    return 1 + max(map(_depth, part.parts), default=0)


# --------------------------------------------------------------------------------- the tree


def _tree(report: Report) -> tuple[_Part, ...]:
    inside: dict[str, list[_Part | str]] = {"": []}
    rows = {row.name: row for row in report.blocks}

    def opened(name: str) -> None:
        if name not in inside:
            inside[name] = []
            opened(rows[name].parent)
            inside[rows[name].parent].append(name)

    for layer in report.layers:
        opened(layer.block)
        inside[layer.block].append(_leaf(layer))

    def built(name: str) -> tuple[_Part, ...]:
        return tuple(
            _block(rows[part], built(part)) if isinstance(part, str) else part
            for part in inside[name]
        )

    return built("")


def _leaf(layer: LayerRow) -> _Part:
    kind = (layer.spelled, *layer.input, 0, *layer.output, layer.params, bool(layer.shares))
    name = _below(layer.name, layer.block)
    return _Part(name, layer, None, (), kind, (layer,))


def _block(row: BlockRow, parts: tuple[_Part, ...]) -> _Part:
    name = _below(row.name, row.parent)
    if len(parts) == 1:
        return replace(parts[0], name=f"{name}.{parts[0].name}", kind=(row.kind, parts[0].kind))
    kind = (row.kind, *(part.kind for part in parts))
    return _Part(name, None, row, _alike(parts), kind, _layers(parts))


def _layers(parts: Sequence[_Part]) -> tuple[LayerRow, ...]:
    return tuple(layer for part in parts for layer in part.layers)


def _below(name: str, block: str) -> str:
    return name.removeprefix(f"{block}.") if block else name


# ------------------------------------------------------------------------------ what repeats


def _alike(parts: Sequence[_Part]) -> tuple[_Part, ...]:
    """The same parts, each run of what repeats made one."""
    found: list[_Part] = []
    at = 0
    for run in repeats([part.kind for part in parts]):
        found += parts[at : run.start]
        found.append(_run(parts[run.start : run.stop], run.period, run.times))
        at = run.stop
    return (*found, *parts[at:])


def _run(parts: Sequence[_Part], length: int, times: int) -> _Part:
    first, last = parts[0], parts[-1]
    layers = _layers(parts)
    if length == 1:
        return replace(first, layers=layers, times=times, last=last.name)
    kinds = tuple(part.kind for part in parts[:length])
    return _Part(first.name, None, None, tuple(parts[:length]), kinds, layers, times, last.name)


# -------------------------------------------------------------------------------- the lines


def _lines(parts: Sequence[_Part], depth: int, indent: int = 0, outer: int = 1) -> Iterator[Line]:
    for part in parts:
        name = named(part.name, part.last)
        yield Line(indent, name, part.times, outer, part.layer, part.block, part.layers)
        if depth > 1:
            yield from _lines(part.parts, depth - 1, indent + 1, outer * part.times)


def named(first: str, last: str) -> str:
    """`conv2 … 4` for conv2, conv3, conv4."""
    if not last:
        return first
    one, other = (re.fullmatch(r"(.*?)(\d+)", name) for name in (first, last))
    if one and other and one[1] == other[1]:
        return f"{first} … {other[2]}"
    return f"{first} … {last}"
