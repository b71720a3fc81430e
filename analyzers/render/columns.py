"""What a table of layers can tell: one column a fact."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from .fold import Line

if TYPE_CHECKING:
    from ..report import CostRow, Report


@dataclass(frozen=True)
class Column:
    """Attributes
    ----------
    cell: the text of a line, in the markup of rich.
    says: what it tells, for `--help`.
    """

    header: str
    justify: Literal["left", "right"]
    says: str
    cell: Callable[[Line, Report], str]


def escaped(text: str) -> str:
    """Brackets that are no markup."""
    return text.replace("[", r"\[")


NOTHING = "[dim]·[/]"
BAR = 10


def dimensions(shape: list[int]) -> str:
    return "x".join(map(str, shape))


def flow(report: Report) -> str:
    """`3x32x32 → 10`: what goes in and what comes out."""
    inputs, outputs = (
        ", ".join(map(dimensions, shapes.values())) for shapes in (report.inputs, report.outputs)
    )
    return f"{inputs} → {outputs}"


def number(value: float) -> str:
    return f"{value:,}" if value else NOTHING


def size(count: int) -> str:
    """Bytes in binary units."""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB", "PiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:,.0f} EiB"


def _name(line: Line, report: Report) -> str:
    times = f" [bold]×{line.times}[/]" if line.times > 1 else ""
    name = line.name if line.layer else f"[bold]{line.name}[/]"
    return f"{'  ' * line.indent}[cyan]{name}[/]{times}"


def _operators(line: Line, report: Report) -> str:
    if line.layer:
        return escaped(line.layer.spelled)
    return f"[dim]{escaped(line.block.spelled)}[/]" if line.block else "[dim]repeats[/]"


def _input(line: Line, report: Report) -> str:
    return dimensions(line.layers[0].input)


def _output(line: Line, report: Report) -> str:
    return dimensions(line.layers[-1].output)


def _params(line: Line, report: Report) -> str:
    shared = line.layer.shares if line.layer else ""
    if not line.params and shared:
        return f"[dim]those of {shared}[/]"
    return f"[bold]{line.params:,}[/]" if line.params else NOTHING


def working(line: Line, report: Report) -> str:
    """`3·4 + 4 = 16`, the result with its thousands parted."""
    if not line.params or not line.layer:
        return _params(line, report)
    if line.times > 1:
        return f"[dim]{line.times} × {line.params // line.times:,} =[/] [bold]{line.params:,}[/]"
    work, equals, _ = line.layer.formula.rpartition(" = ")
    return f"[dim]{work} =[/] {_params(line, report)}" if equals else _params(line, report)


def _macs(line: Line, report: Report) -> str:
    return number(line.macs)


def share(part: int, whole: int) -> str:
    """A part of all; empty where there is none of it."""
    if not part or not whole:
        return ""
    return f"{part / whole:4.0%}" if part / whole >= 0.01 else " <1%"


def _share(line: Line, report: Report) -> str:
    return share(line.outer * line.params, report.params)


def _bars(line: Line, report: Report) -> str:
    """The share of all parameters, and a bar as long."""
    part = line.outer * line.params
    if not part or not report.params:
        return ""
    eighths = round(part / report.params * BAR * 8)
    bar = "█" * (eighths // 8) + ("", *"▏▎▍▌▋▊▉")[eighths % 8]
    return f"{share(part, report.params)} [green]{bar}[/]"


def _activations(line: Line, report: Report) -> str:
    return number(sum(layer.activations for layer in line.layers))


def _seen(line: Line, report: Report) -> str:
    return dimensions(line.layers[-1].receptive_field) or NOTHING


def _costs(line: Line, report: Report) -> list[CostRow]:
    names = {layer.name for layer in line.layers}
    return [row for row in report.cost if row.layer in names]


def _flops(line: Line, report: Report) -> str:
    return number(sum(row.flops for row in _costs(line, report)))


def _back(line: Line, report: Report) -> str:
    return number(sum(row.flops_back for row in _costs(line, report)))


def _moved(line: Line, report: Report) -> str:
    return size(sum(row.bytes + row.bytes_back for row in _costs(line, report)))


def _intensity(line: Line, report: Report) -> str:
    rows = _costs(line, report)
    flops = sum(row.flops + row.flops_back for row in rows)
    moved = sum(row.bytes + row.bytes_back for row in rows)
    return f"{flops / moved:.1f}" if flops else NOTHING


COLUMNS: Mapping[str, Column] = {
    "layer": Column("layer", "left", "its name, below the block that it stands in", _name),
    "operators": Column("operators", "left", "what it is, every number filled in", _operators),
    "input": Column("input", "right", "the shape that arrives", _input),
    "output": Column("output", "right", "the shape that leaves", _output),
    "params": Column("parameters", "right", "learned numbers", _params),
    "working": Column("parameters", "right", "learned numbers and how they add up", working),
    "share": Column("share", "right", "its part of all parameters", _share),
    "bar": Column("share", "left", "its part of all parameters, with a bar", _bars),
    "macs": Column("MACs", "right", "multiply-adds for one example", _macs),
    "flops": Column("FLOPs, step", "right", "of a training step's forward, whole batch", _flops),
    "back": Column("back, step", "right", "of a training step's backward", _back),
    "moved": Column("moved, step", "right", "bytes that a training step reads and writes", _moved),
    "intensity": Column("FLOPs/B", "right", "operations a byte in a training step", _intensity),
    "activations": Column(
        "activations", "right", "numbers it puts out for one example", _activations
    ),
    "field": Column("sees", "right", "its receptive field in the input", _seen),
}
