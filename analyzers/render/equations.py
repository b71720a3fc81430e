"""A net's equations for the terminal, for a document and for programs.

What a net says several times running, stacked blocks, is told once and counted; JSON has it all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from textwrap import wrap

from ..equations import Collapse, Equations, Line, Quantity, plainly
from ..facts.repeats import Repeat, repeats
from ..formula import ZERO, Call, Equation, Formula, Name, walk
from .mathematics import latex, prose, unicode
from .messages import Paint

SAVED = 6
"""Equations that telling a repeat once has to save."""

COLUMN = 64
"""Where the shapes of equations stand at the latest; a longer equation pushes its own."""

MOST = 8
"""Statements that are shown; the rest is counted."""

WIDE = 100
"""Columns of a line of the page."""


@dataclass(frozen=True, eq=False)
class Page:
    """What is shown of a net's equations."""

    found: Equations

    @cached_property
    def runs(self) -> tuple[Repeat, ...]:
        return repeats(_keys(self.found.lines, self.found.quantities), SAVED)

    @cached_property
    def rows(self) -> tuple[Line | Repeat, ...]:
        """Equations, and behind the first of a run the run."""
        rows: list[Line | Repeat] = []
        at = 0
        for run in self.runs:
            rows += [*self.found.lines[at : run.start + run.period], run]
            at = run.stop
        return (*rows, *self.found.lines[at:])

    @cached_property
    def quantities(self) -> tuple[Quantity, ...]:
        """Those of the equations that are shown."""
        shown = {row.layer for row in self.rows if isinstance(row, Line)}
        hidden = {line.layer for line in self.found.lines} - shown
        return tuple(one for one in self.found.quantities if one.layer not in hidden)

    def told(self, run: Repeat) -> tuple[Formula, Formula, str]:
        """From which value to which a run goes on, and how often."""
        first = self.found.lines[run.start + run.period].equation.left
        last = self.found.lines[run.stop - 1].equation.left
        times = "once more" if run.times == 2 else f"{run.times - 1} more times"
        return first, last, f"likewise, {times}"

    @cached_property
    def numbered(self) -> Call | None:
        """A function with a number, where one has."""
        sides = (line.equation.right for line in self.found.lines)
        parts = (part for side in sides if side for part in walk(side))
        return next((part for part in parts if isinstance(part, Call) and part.index), None)


def _keys(lines: Sequence[Line], quantities: Sequence[Quantity]) -> list[tuple[object, ...]]:
    """What each line says, whatever number it, what it reads and its own weights have: so the only
    input is h₀."""
    own: dict[str, list[Quantity]] = {}
    for one in quantities:
        own.setdefault(one.layer, []).append(one)
    keys: list[tuple[object, ...]] = []
    for line in lines:
        weights = own.get(line.layer, [])
        kinds = tuple((one.symbol.numbered(""), one.shape, one.note) for one in weights)
        said = tuple(_key(part, line, weights) for part in walk(line.equation.right or ZERO))
        keys.append((said, kinds, line.shape))
    return keys


def _key(part: Formula, line: Line, own: Sequence[Quantity]) -> object:
    match part, line.equation.left:
        case Name("h", index), Name("h", number):
            return "h", int(number) - int(index)
        case Name("x", ""), Name("h", number):
            return "h", int(number)
        case Name(), _:
            return part.numbered("own") if part in [one.symbol for one in own] else part
        case Call(word, arguments, index, settings), _:
            ours = index in [one.symbol.index for one in own]
            return word, len(arguments), "own" if ours else index, settings
        case _:
            return type(part), getattr(part, "sign", ""), getattr(part, "value", None)


# --------------------------------------------------------------------------------- terminal


def text(page: Page, *, colour: bool) -> str:
    """Equations with shapes and layers, what their words mean, what their symbols stand for."""
    paint = Paint(colour)
    blocks = [_lines(page, paint), _quantities(page.quantities, paint)]
    if page.found.collapses:
        blocks.append("\n".join(_collapses(page.found.collapses)))
    if page.found.meanings:
        blocks.append(_meanings(page, paint))
    return "\n\n".join(blocks) + "\n"


def _lines(page: Page, paint: Paint) -> str:
    loss = [paint("bold", plainly(page.found.loss))] if page.found.loss else []
    if len(page.found.lines) == 1:
        return "\n".join((paint("bold", plainly(page.found.lines[0].equation)), *loss))
    shown = [plainly(row.equation) for row in page.rows if isinstance(row, Line)]
    wide = max((len(one) for one in shown if len(one) <= COLUMN), default=0)
    sizes = max(len(_size(line.shape)) for line in page.found.lines)
    rows: list[str] = []
    for row in page.rows:
        if isinstance(row, Line):
            equation = plainly(row.equation).ljust(wide)
            told = f"{_size(row.shape):<{sizes}}  {row.layer}"
            rows.append(f"{paint('bold', equation)}   {paint('frame', told)}")
        else:
            first, last, often = page.told(row)
            rows.append(paint("frame", f"{unicode(first)} to {unicode(last)} {often}"))
    return "\n".join((*rows, *loss))


def _quantities(quantities: Sequence[Quantity], paint: Paint) -> str:
    rows = [_quantity(list(alike)) for _, alike in groupby(quantities, _kin)]
    wide = [max(len(row[i]) for row in rows) for i in range(3)]
    return "\n".join(
        f"  {paint('bold', symbols.ljust(wide[0]))}  {size.ljust(wide[1])}  "
        + paint("frame", f"{name.ljust(wide[2])}  {note}".rstrip())
        for symbols, size, name, note in rows
    )


def _kin(one: Quantity) -> object:
    """Weights of one node and one size share a row."""
    node, _, name = one.name.rpartition(".")
    return node or name, one.shape


def _quantity(alike: Sequence[Quantity]) -> tuple[str, str, str, str]:
    """`γ₁, β₁`, `64`, `bn1.scale, shift` and the settings."""
    first, *others = alike
    symbols = ", ".join(unicode(one.symbol) for one in alike)
    name = ", ".join((first.name, *(one.name.rpartition(".")[2] for one in others)))
    return symbols, _size(first.shape), name, first.note


def _meanings(page: Page, paint: Paint) -> str:
    rows = ["where"]
    for equation in (equation for group in page.found.meanings for equation in group):
        rows += _meaning(equation, paint)
    if page.numbered:
        example = f"{page.numbered.word}{unicode(Name('', page.numbered.index))}"
        rows.append(f"  the number of a function, as in {example}, is that of its weights")
    return "\n".join(rows)


def _meaning(equation: Equation, paint: Paint) -> Iterator[str]:
    """The words behind the equation where they fit, else below it."""
    left = plainly(equation)
    if not equation.says:
        yield f"  {left}"
    elif len(left) + len(equation.says) + 7 <= WIDE:
        between = ": " if equation.right is None else "   "
        yield f"  {left}{between}{paint('frame', equation.says)}"
    else:
        yield f"  {left}"
        yield from (f"      {paint('frame', part)}" for part in wrap(equation.says, WIDE - 6))


def _collapses(found: Sequence[Collapse]) -> Iterator[str]:
    for one in found[:MOST]:
        yield one.says
        yield from (f"  {plainly(equation)}" for equation in one.equations)
    if len(found) > MOST:
        yield f"and {len(found) - MOST:,} more"


def _size(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "1"


# --------------------------------------------------------------------------------- document


def document(page: Page) -> str:
    """LaTeX to be put into a document: needs amsmath, and amssymb for grouped convolutions."""
    loss = [_latex_row(page.found.loss)] if page.found.loss else []
    blocks = [_aligned([*_latex_rows(page), *loss])]
    blocks.append(_table(page.quantities))
    for one in page.found.collapses[:MOST]:
        rows = [_latex_row(equation) for equation in one.equations]
        blocks.append("\n".join((prose(one.says), *([_aligned(rows)] if rows else []))))
    if page.found.meanings:
        rows = [_latex_row(one) for group in page.found.meanings for one in group]
        blocks.append(f"where\n{_aligned(rows)}")
    return "\n\n".join(blocks) + "\n"


def _latex_rows(page: Page) -> list[str]:
    rows: list[str] = []
    for row in page.rows:
        if isinstance(row, Line):
            rows.append(_latex_row(row.equation))
        else:
            first, last, often = page.told(row)
            rows.append(rf"{latex(first)} &\text{{ to }} {latex(last)} \text{{ {often}}}")
    return rows


def _latex_row(equation: Equation) -> str:
    says = rf"\quad \text{{{prose(equation.says)}}}" if equation.says else ""
    right = "" if equation.right is None else f"= {latex(equation.right)}"
    return f"{latex(equation.left)} &{right}{says}"


def _aligned(rows: Sequence[str]) -> str:
    between = " \\\\\n  "
    return f"\\begin{{align*}}\n  {between.join(rows)}\n\\end{{align*}}"


def _table(quantities: Sequence[Quantity]) -> str:
    rows = [
        rf"  ${latex(one.symbol)}$ & ${_symbolic(one.shape)}$ & \texttt{{{prose(one.name)}}} & "
        rf"{prose(one.note)} \\"
        for one in quantities
    ]
    return "\n".join((r"\begin{tabular}{llll}", *rows, r"\end{tabular}"))


def _symbolic(shape: Sequence[int]) -> str:
    return r" \times ".join(map(str, shape)) or "1"


# --------------------------------------------------------------------------------- programs


@dataclass(frozen=True)
class Spelling:
    """An equation in Unicode and in LaTeX, and what is said of it in words."""

    text: str
    latex: str
    says: str


@dataclass(frozen=True)
class LayerEquation(Spelling):
    """The equation of a layer; shape: of its value."""

    shape: tuple[int, ...]
    layer: str


@dataclass(frozen=True)
class Symbol:
    """What a symbol stands for: name, as in net.weights."""

    text: str
    latex: str
    shape: tuple[int, ...]
    name: str
    note: str


@dataclass(frozen=True)
class SingleMap:
    """Layers that are one affine map; equals: the layer they are together, where there is one."""

    layers: tuple[str, ...]
    equals: str | None
    exact: bool
    parameters: int
    parameters_of_one: int | None
    equations: tuple[Spelling, ...]


@dataclass(frozen=True)
class Mathematics:
    """What `nnspec math --format json` prints; nothing is folded."""

    equations: tuple[LayerEquation, ...]
    loss: Spelling | None
    symbols: tuple[Symbol, ...]
    one_maps: tuple[SingleMap, ...]
    meanings: tuple[Spelling, ...]


def mathematics(found: Equations) -> Mathematics:
    """Every equation in both spellings."""
    return Mathematics(
        equations=tuple(
            LayerEquation(*_both(line.equation), tuple(line.shape), line.layer)
            for line in found.lines
        ),
        loss=Spelling(*_both(found.loss)) if found.loss else None,
        symbols=tuple(
            Symbol(unicode(one.symbol), latex(one.symbol), tuple(one.shape), one.name, one.note)
            for one in found.quantities
        ),
        one_maps=tuple(
            SingleMap(
                layers=tuple(node.name for node in one.chain.layers),
                equals=one.chain.equals,
                exact=one.chain.exact,
                parameters=one.chain.before,
                parameters_of_one=one.chain.after if one.chain.equals else None,
                equations=tuple(Spelling(*_both(equation)) for equation in one.equations),
            )
            for one in found.collapses
        ),
        meanings=tuple(
            Spelling(*_both(equation)) for group in found.meanings for equation in group
        ),
    )


def _both(equation: Equation) -> tuple[str, str, str]:
    right = "" if equation.right is None else f" = {latex(equation.right)}"
    return plainly(equation), latex(equation.left) + right, equation.says
