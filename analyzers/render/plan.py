"""The plan of a pass for the terminal: a line a step, what repeats said once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from io import StringIO
from itertools import groupby
from typing import TYPE_CHECKING, Literal

from ...grammar.console import FLOOR, terminal
from ...grammar.quantity import quantity
from ..facts.repeats import repeats
from .columns import NOTHING, escaped, number, size
from .fold import named

if TYPE_CHECKING:
    from rich.table import Table

    from ..plan import Plan, PlanRow

BETWEEN = 3
"""Columns that the table takes for itself with each of its own."""
FOLDED = 32
"""Columns that a reason is content with: it goes on in the line below."""

DOES: Mapping[str, str] = {
    "gather": "the threads' parts put together",
    "loss": "the loss and its gradient",
    "accumulate": "gradients of readers added",
    "meet": "threads wait for each other",
    "join": "gradients of threads added",
}
"""What steps do that are no operator's."""


@dataclass(frozen=True)
class Line:
    """A row of the plan, or the heading of several that repeat.

    Attributes
    ----------
    rows: all that are alike, or all below a heading. heading: whether lines below tell them.
    """

    indent: int
    name: str
    times: int
    rows: tuple[PlanRow, ...]
    heading: bool = False

    @property
    def row(self) -> PlanRow:
        return self.rows[0]


@dataclass(frozen=True)
class Column:
    header: str
    justify: Literal["left", "right"]
    cell: Callable[[Line], str]


def _name(line: Line) -> str:
    times = f" [bold]×{line.times}[/]" if line.times > 1 else ""
    style = "bold" if line.heading else "cyan"
    return f"{'  ' * line.indent}[{style}]{escaped(line.name)}[/]{times}"


def _layout(line: Line) -> str:
    return NOTHING if line.heading or not line.row.layout else line.row.layout


def _how(line: Line) -> str:
    row = line.row
    if line.heading:
        return ""
    if row.phase in DOES:
        return f"[dim]{DOES[row.phase]}[/]"
    if not row.why:
        return f"[dim]{escaped(row.op)}[/]"
    return f"[bold]{row.algorithm}[/] {row.why}" if row.algorithm else row.why


def _threads(line: Line) -> str:
    if line.heading:
        return ""
    meets = "[yellow]meet[/]" if line.row.meets else ""
    return ", ".join(filter(None, (split(line.row.examples), meets))) or NOTHING


def split(examples: Sequence[int]) -> str:
    """`2 x 32`; `33 + 32` where they are not equal."""
    if len(examples) < 2:
        return f"{examples[0]}" if examples else ""
    if len(set(examples)) == 1:
        return f"{len(examples)} x {examples[0]}"
    return " + ".join(map(str, examples))


def _bytes(of: Callable[[PlanRow], int]) -> Callable[[Line], str]:
    def cell(line: Line) -> str:
        count = sum(map(of, line.rows))
        return size(count) if count else NOTHING

    return cell


COLUMNS: Mapping[str, Column] = {
    "step": Column("step", "left", _name),
    "layout": Column("channels", "left", _layout),
    "how": Column("how", "left", _how),
    "threads": Column("examples", "left", _threads),
    "read": Column("read", "right", _bytes(lambda row: row.read)),
    "written": Column("written", "right", _bytes(lambda row: row.written)),
    "scratch": Column("scratch", "right", _bytes(lambda row: row.scratch)),
    "moved": Column("moved", "right", _bytes(lambda r: r.read + r.written + 2 * r.scratch)),
    "macs": Column("MACs", "right", lambda line: number(sum(row.macs for row in line.rows))),
}
CHOICES = (
    ("step", "layout", "how", "threads", "read", "written", "scratch", "macs"),
    ("step", "layout", "how", "threads", "moved", "macs"),
    ("step", "how", "threads", "moved", "macs"),
    ("step", "how", "threads", "macs"),
    ("step", "how", "macs"),
    ("step", "how"),
)
"""The columns of a table, from the widest terminal to the narrowest."""


def plan(found: Plan, *, width: int, colour: bool) -> str:
    """What is planned, step by step, and its totals."""
    out = StringIO()
    console = partial(terminal, out, colour=colour)
    parts = [(title, list(_lines(rows))) for title, rows in _parts(found)]
    lines = [line for _, part in parts for line in part]
    names = _fitting(lines, width)
    what = "a training step" if found.mode == "train" else "inference"
    console(width).print(f"[bold]{what}[/] over {_examples(found.batch)}")
    console(max(width, FLOOR)).print(_table(parts, names))
    for told in _totals(found):
        console(width).print(told)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _parts(found: Plan) -> Iterator[tuple[str, tuple[PlanRow, ...]]]:
    """Forward, with what leads to the loss, and backward."""
    if found.mode == "infer":
        yield "", found.steps
        return
    ends = next(i for i, row in enumerate(found.steps) if row.phase == "loss") + 1
    yield "forward", found.steps[:ends]
    yield "backward", found.steps[ends:]


@dataclass(frozen=True)
class _Part:
    """A step, or a block with all its steps that follow each other."""

    name: str
    rows: tuple[PlanRow, ...]
    block: bool

    @property
    def kind(self) -> Hashable:
        """The same for all that are alike."""
        return tuple(replace(row, name="", layer="") for row in self.rows)


def _lines(rows: Sequence[PlanRow], block: str = "", indent: int = 0) -> Iterator[Line]:
    """The lines of a block's steps, blocks within it as headings, what repeats said once."""
    parts = list(_within(rows, block))
    at = 0
    for run in repeats([part.kind for part in parts]):
        for part in parts[at : run.start]:
            yield from _told(part, 1, indent, part.rows, part.name)
        alike = parts[run.start : run.stop]
        at = run.stop
        every = tuple(row for part in alike for row in part.rows)
        if run.period == 1:
            name = named(alike[0].name, alike[-1].name)
            yield from _told(alike[0], run.times, indent, every, name)
            continue
        name = f"{alike[0].name} … {alike[-1].name}"
        yield Line(indent, name, run.times, every, heading=True)
        for part in alike[: run.period]:
            yield from _told(part, 1, indent + 1, part.rows, part.name)
    for part in parts[at:]:
        yield from _told(part, 1, indent, part.rows, part.name)


def _within(rows: Sequence[PlanRow], block: str) -> Iterator[_Part]:
    def head(row: PlanRow) -> str:
        return _called(row).removeprefix(block).partition(".")[0]

    for name, found in groupby(rows, head):
        own = tuple(found)
        inner = f"{block}{name}."
        if len(own) > 1 and all(row.name.startswith(inner) for row in own):
            yield _Part(name, own, block=True)
        else:
            yield from (_Part(_called(row).removeprefix(block), (row,), block=False) for row in own)


def _told(
    part: _Part, times: int, indent: int, rows: tuple[PlanRow, ...], name: str
) -> Iterator[Line]:
    yield Line(indent, name, times, rows, heading=part.block)
    if part.block:
        first = part.rows[0].name
        inner = first[: first.index(f"{part.name}.") + len(part.name) + 1]
        yield from _lines(part.rows, inner, indent + 1)


def _called(row: PlanRow) -> str:
    return row.name or row.phase


def _fitting(lines: Sequence[Line], width: int) -> Sequence[str]:
    """The first choice of columns whose cells have room, reasons going on in the line below; in the last
    one names do too."""
    from rich.text import Text

    def widest(name: str) -> int:
        cells = [Text.from_markup(COLUMNS[name].cell(line)).cell_len for line in lines]
        needed = max([len(COLUMNS[name].header), *cells])
        return BETWEEN + (min(needed, FOLDED) if name == "how" else needed)

    needs = {name: widest(name) for name in COLUMNS}
    fitting = (names for names in CHOICES if sum(needs[name] for name in names) <= width)
    return next(fitting, CHOICES[-1])


def _table(parts: Sequence[tuple[str, Sequence[Line]]], names: Sequence[str]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), header_style="bold")
    columns = [COLUMNS[name] for name in names]
    for column in columns:
        wraps = column.header == "how" or names == CHOICES[-1]
        table.add_column(column.header, justify=column.justify, no_wrap=not wraps, overflow="fold")
    for title, lines in parts:
        if title:
            table.add_row(f"[bold]{title}[/]")
        for line in lines:
            cells = [column.cell(line) for column in columns]
            table.add_row(*(f"  {cells[0]}" if title else cells[0], *cells[1:]))
    return table


def _totals(found: Plan) -> Iterator[str]:
    yield f"[bold]{quantity(found.macs, 'multiply-add')}[/], {size(found.moved)} read and written"
    arena = f"{size(found.arena)} for what comes and goes (arena)"
    kept = "weights, gradients, optimiser" if found.mode == "train" else "weights"
    yield f"memory: {arena}, {size(found.weights)} for what stays ({kept})"
    yield _shared_out(found)
    if found.alone < found.arena:
        yield f"where memory is short, fewer share it: one thread takes {size(found.alone)} (arena)"


def _shared_out(found: Plan) -> str:
    lanes = found.lanes
    if len(lanes) == 1:
        why = f": {found.why}" if found.why else ""
        return f"one thread makes all steps{why}"
    each = (
        f"{quantity(lanes[0], 'example')} each"
        if len(set(lanes)) == 1
        else f"{split(lanes)} examples"
    )
    times = "once" if found.meetings == 1 else f"{found.meetings} times"
    meets = f"they meet {times}" if found.meetings else "they meet at the end alone"
    return f"{len(lanes)} threads share the batch, {each}; {meets}"


def _examples(batch: int) -> str:
    return "one example" if batch == 1 else f"{batch:,} examples"
