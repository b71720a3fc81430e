"""Convolutions: one filter slides over every place. Rank is data: 1, 2 or 3 spatial axes."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from pydantic import Field

from ...grammar.diagnostics import Mistake
from ...grammar.quantity import quantity
from .. import environment, outermost, taps, winograd
from ..algebra import Symbol
from ..convolving import COLUMNS, gathered, mirrored, repeats, spread
from ..op import (
    Count,
    Index,
    Initialiser,
    Margins,
    Needed,
    Needs,
    Op,
    Refused,
    Sizes,
    Terms,
    Trait,
    Wanted,
    Weight,
    even,
)
from ..shape_errors import NotDivisible, OutputPaddingTooLarge, PaddedAway
from ..shapes import Value, Window
from ..windows import each_axis, slide, unseen

PREPARED = frozenset({"filters", "biases", "factor"})

SHORT = 16
"""Numbers in a row, for each row of the kernel after the first, up to which it is copied as a part of
a longer stretch: a copy costs about as much as that many numbers more."""

NARROW = 16
"""Channels, or numbers that a window sees, from which rows of them are long enough."""


class Convolution(Op):
    """What convolutions share: windows that slide over the wider side, and filters in groups."""

    traits = frozenset({Trait.NEURONS, Trait.LINEAR, Trait.SWEEPS})
    implied = Op.implied | {"k"}
    backwards: ClassVar[str] = ""
    """What its sign bears when it runs backwards."""
    to_learn: ClassVar[frozenset[str]] = frozenset({"padded", "rows"})
    """The scratch that the gradient of its input does without."""

    k: Sizes = Field(description="kernel")
    s: Sizes = Field(default=(1,), description="stride")
    p: Margins = Field(default=(0,), description="padding")
    d: Sizes = Field(default=(1,), description="dilation")
    nobias: bool = Field(default=False, description="leave out b")
    init: Initialiser | None = None

    def windows(self, x: Value) -> tuple[Window, ...]:
        """One for each spatial axis."""
        raise NotImplementedError(f"operator {self.name} has no windows")

    def groups(self, x: Value) -> int:
        raise NotImplementedError(f"operator {self.name} has no groups")

    def sides(self, x: Value) -> tuple[int, int]:
        """The channels of the side that the windows slide over, and of the other one."""
        raise NotImplementedError(f"operator {self.name} has no sides")

    def divided(self, *counts: tuple[str, int], groups: int) -> None:
        for what, count in counts:
            if count % groups:
                raise Refused(NotDivisible(None, self.name, what, count, groups, "groups"))

    def weights(self, *inputs: Value) -> tuple[Weight, ...]:
        (x,) = inputs
        kernel, groups = tuple(w.kernel for w in self.windows(x)), self.groups(x)
        wide, narrow = self.sides(x)
        shape = (narrow, wide // groups, *kernel)
        taps = math.prod(kernel)
        fan_in, fan_out = x.depth // groups * taps, self.shape(x).depth // groups * taps
        factors = (*kernel, shape[1], narrow)
        grid = (groups, narrow // groups, shape[1], taps) if self.backwards else None
        torch = even(math.prod(shape[1:]))
        w = Weight("weight", shape, fan_in, fan_out, None, True, factors, torch, grid)
        if self.nobias:
            return (w,)
        filters = (self.shape(x).depth,)
        return w, Weight("bias", filters, fan_in, fan_out, constant=0.0, torch=torch)

    def macs(self, *inputs: Value) -> int:
        return math.prod(self._macs(*inputs))

    def macs_formula(self, *inputs: Value) -> str:
        return "·".join(map(str, self._macs(*inputs)))

    def _macs(self, *inputs: Value) -> tuple[int, ...]:
        """Every weight is used once for each place that a window stands at."""
        (x,) = inputs
        windows, (wide, narrow) = self.windows(x), self.sides(x)
        outputs, kernel = [w.output for w in windows], [w.kernel for w in windows]
        return (*outputs, *kernel, wide // self.groups(x), narrow)

    def equation(self, m: Any, terms: Terms) -> Symbol:
        (x,), weights = terms.x, terms.weights
        product = m.convolved(self.sign(*terms.arrivals), weights["weight"], x)
        return product + weights["bias"] if "bias" in weights else product

    def sign(self, x: Value) -> str:
        return f"{'∗' if self.groups(x) == 1 else '⊛'}{self.backwards}"

    def meaning(self, m: Any, terms: Terms) -> tuple[Symbol, ...]:
        (x,), w, (arrival,) = terms.x, terms.weights["weight"], terms.arrivals
        product = m.convolved(self.sign(arrival), w, x)
        n, c, i = m.name("n"), m.name("c"), m.name("i")
        place = m.name("s") * i + m.name("d") * m.name("a") - m.name("p")
        seen, says = c, "i: a place, a: a place in the filter, s: stride, d: dilation, p: padding"
        if self.groups(arrival) > 1:
            seen = m.name("C") * m.floor(n / m.name("N")) + c
            says += "; C channels and N filters in a group"
        filtered = m.at(w, n, c, "a") * m.at(x, seen, place)
        return (m.equals(m.at(product, n, i), m.over("sum", "c, a", filtered), says),)

    def pointwise(self, x: Value) -> bool:
        """A 1x1 kernel that visits every place: its wider side is its columns."""
        return all(w.kernel == w.stride == 1 and w.before == w.after == 0 for w in self.windows(x))

    def needs(self, batch: int, *inputs: Value) -> Needs:
        (x,) = inputs
        match x.layout:
            case "last":
                return self._interleaved(batch, x)
            case "outermost":
                return self._outermost(batch, x)
            case "first":
                return self._plain(batch, x)

    def _outermost(self, batch: int, x: Value) -> Needs:
        """Examples side by side: one product of the filters with some rows of places of all maps."""
        windows, (depth, n), y = self.windows(x), self.sides(x), self.shape(x)
        gathering: dict[str, Needed] = {}
        learning = {} if self.nobias else {"sums": Needed((n, y.places[0]))}
        room: dict[str, Needed] = {}
        how = "one product over all places"
        if not self.pointwise(x):
            columns = outermost.columns(windows, batch, depth)
            taps, rows = (
                math.prod(columns.shape[: 1 + len(windows)]),
                columns.shape[1 + len(windows)],
            )
            gathering["columns"] = columns
            learning |= dict.fromkeys(("total", "part"), Needed((taps, n)))
            room = outermost.returning(windows, batch, depth, n)
            how = f"{quantity(rows, 'row')} of {quantity(batch, 'image')} at a time"
        if any(w.before or w.after for w in windows):
            around = outermost.padded(windows, batch, depth)
            gathering["padded"] = room["padded_gradient"] = around
        return Needs(
            algorithm="examples innermost",
            why=f"{self._filters(x)}: {how}",
            scratch=gathering,
            scratch_back={**gathering, **learning, **room},
            reads_back=frozenset({"x", "weight"}),
            product=self.macs(x),
            to_learn=frozenset({"x", *learning, *gathering}),
            to_return=frozenset(room),
        )

    def _interleaved(self, batch: int, x: Value) -> Needs:
        """Places in rows, of each what its window sees: one product with the filters, of the
        gradient with the filters mirrored."""
        windows, (depth, n) = self.windows(x), self.sides(x)
        taps = math.prod(w.kernel for w in windows)
        filters, y = Needed((taps * depth, n)), self.shape(x)
        biases = {"biases": Needed((repeats(y) * y.depth,))}
        if self.pointwise(x):
            return Needs(
                algorithm="pointwise",
                why=f"{self._filters(x)}: one product over all places",
                scratch={"filters": filters, **({} if self.nobias else biases)},
                scratch_infer={"filters": filters, **biases, "factor": Needed((n,))},
                prepared=PREPARED,
                reads_back=frozenset({"x", "weight"}),
                product=self.macs(x),
                to_learn=frozenset({"x"}),
            )
        tiled = winograd.suits(windows, batch, depth, n, self.groups(x))
        if tiled and environment.tiles():
            return self._tiled(batch, x)
        gathering, back = gathered("", batch, windows, depth), mirrored(windows)
        if back is None:
            returning = {"back_filters": filters, **spread(batch, windows, depth)}
        else:
            returning = {
                "back_filters": Needed((taps * n, depth)),
                **gathered("back_", batch, back, n),
            }
        return Needs(
            algorithm="columns",
            why=f"{self._filters(x)}: windows gathered{f', {environment.TILES}=0' if tiled else ''}",
            scratch={"filters": filters, **gathering, **({} if self.nobias else biases)},
            scratch_infer={"filters": filters, **gathering, **biases, "factor": Needed((n,))},
            prepared=PREPARED,
            scratch_back={**gathering, "part": filters, "total": filters, **returning},
            reads_back=frozenset({"x", "weight"}),
            product=self.macs(x),
            to_learn=frozenset({"x", "part", "total", *gathering}),
            to_return=frozenset(returning),
        )

    def _tiled(self, batch: int, x: Value) -> Needs:
        """Winograd's: tiles of the maps, transformed, times the filters, transformed."""
        sizes, n = (self.windows(x), batch, *self.sides(x)), Needed((self.sides(x)[1],))
        learning = {f"learn {n}": s for n, s in winograd.weight_scratch(*sizes).items()}
        back = {f"back {n}": s for n, s in winograd.input_scratch(*sizes).items()}
        return Needs(
            algorithm="winograd",
            why=f"{self._filters(x)}: tiles, fewer products",
            scratch=winograd.forward_scratch(*sizes),
            scratch_infer={**winograd.forward_scratch(*sizes), "biases": n, "factor": n},
            prepared=PREPARED,
            scratch_back={**learning, **back},
            reads_back=frozenset({"x", "weight"}),
            product=self.macs(x),
            to_learn=frozenset({"x", *learning}),
            to_return=frozenset(back),
        )

    def _plain(self, batch: int, x: Value) -> Needs:
        windows, groups, (wide, narrow) = self.windows(x), self.groups(x), self.sides(x)
        places = math.prod(w.output for w in windows)
        taps = wide // groups * math.prod(w.kernel for w in windows)
        row, column = self._row(wide, windows), taps + self.takes_bias(x)
        each = groups * column * places + (math.prod(row) if row else 0)
        images = max(1, min(batch, COLUMNS // max(1, each)))
        filters = (groups, taps, narrow // groups)
        room = {"products": Needed((images, *filters)), "total": Needed(filters)}
        gathering: dict[str, Needed] = {}
        if not self.pointwise(x):
            gathering["columns"] = Needed((images, groups, taps, places))
        rows = {"rows": Needed((images, *row))} if row else {}
        if any(w.before or w.after for w in windows):
            padded = (w.size + w.before + w.after for w in windows)
            gathering["padded"] = Needed((images, wide, *padded))
            room["padded_gradient"] = gathering["padded"]
        if not self.nobias:
            room["sums"] = Needed((batch, self.shape(x).depth))
        by_rows = ", short rows in two steps" if rows else ""
        forward = gathering if self.backwards else {**gathering, **rows}
        biased = None
        # Not where the filters, which are copied for it, are more than the columns.
        if "columns" in gathering and self.takes_bias(x) and narrow <= places:
            biased = {
                **forward,
                "columns": Needed((images, groups, column, places)),
                "filters": Needed((groups, narrow // groups, column)),
            }
        return Needs(
            why=f"{self._filters(x)}: {self._at_a_time(images)}{by_rows}",
            scratch=forward,
            scratch_infer=biased,
            prepared=PREPARED,
            scratch_back={**gathering, **rows, **room},
            reads_back=frozenset({"x", "weight"}),
            product=self.macs(x) // groups,
            to_learn=frozenset({"x", "products", "total", "sums", *self.to_learn}),
            to_return=frozenset({"padded_gradient"}),
        )

    @staticmethod
    def _row(wide: int, windows: tuple[Window, ...]) -> tuple[int, ...]:
        """What the taps of a row see of an image, where it pays to gather that first: the rows of one
        tap then lie one after the other, and are copied as one for each row of the kernel. Empty where
        it does not pay."""
        if len(windows) < 2:
            return ()
        *_, high, across = windows
        if across.kernel == 1 or high.stride > 1 or across.output > SHORT * (high.kernel - 1):
            return ()
        beyond = (w.size + w.before + w.after for w in windows[:-1])
        return wide, across.kernel, *beyond, across.output

    def takes_bias(self, x: Value) -> bool:
        """Whether at inference the bias may be a tap of the filters, which sees ones."""
        return not (self.nobias or self.backwards) and self.groups(x) == 1

    def _filters(self, x: Value) -> str:
        """`3x3 stride 2, 16 to 32 channels`."""
        windows, groups = self.windows(x), self.groups(x)
        kernel = "x".join(str(w.kernel) for w in windows)
        strides = dict.fromkeys(w.stride for w in windows)
        stride = "" if [*strides] == [1] else f" stride {'x'.join(map(str, strides))}"
        apart = f" in {groups} groups" if groups > 1 else ""
        return f"{kernel}{stride}, {x.depth} to {self.shape(x).depth} channels{apart}"

    @staticmethod
    def _at_a_time(images: int) -> str:
        return "image by image" if images == 1 else f"{images:,} images at a time"


class Conv(Convolution):
    """A bank of n filters slid over CxHxW, CxL or CxDxHxW.

    One number of a filter meets the same input channel everywhere; with `groups=` filters see only
    their share of the channels. Padding is 0 unless written; `same` keeps ceil(H / stride).
    """

    name, places = "conv", ("n", "k")
    source = "CS231n, convolutional networks, 'Convolutional layer'"
    samples = (
        "2x5x5 -> conv3 3x3",
        "2x6x7 -> conv4 3x2 s2 p1 nobias",
        "4x5x5 -> conv4 3 same g2",
        "2x9 -> conv3 3 d2",
        "2x4x4x4 -> conv2 2 s2",
        "3x4x4 -> conv2 1x1",
    )

    n: Count = Field(description="number of filters")
    g: Count = Field(default=1, description="groups")
    same: bool = Field(default=False, description="pad so that ceil(size / stride) remain")

    def windows(self, x: Value) -> tuple[Window, ...]:
        return slide(self.name, x, self.k, self.s, self.p, self.d, same=self.same)

    def groups(self, x: Value) -> int:
        return self.g

    def layout(self, examples: int, *inputs: Value) -> Wanted:
        """Last where that leaves rows long enough; else outermost where examples do. Few channels of
        single places need no rows."""
        (x,) = inputs
        windows = self.windows(x)
        if x.rank < 3 or self.g > 1:
            return "first"
        seen = x.depth * math.prod(w.kernel for w in windows)
        if max(x.depth, self.n // 2) >= NARROW and self.n >= NARROW and 2 * seen >= NARROW:
            return "last"
        if self.pointwise(x):
            return "any"
        return "outermost" if outermost.suits(windows, examples, x.depth) else "first"

    def absorbs(self, *inputs: Value) -> bool:
        return inputs[0].interleaved

    def sides(self, x: Value) -> tuple[int, int]:
        return x.depth, self.n

    def shape(self, *inputs: Value) -> Value:
        (x,) = inputs
        windows = self.windows(x)
        self.divided(("input channels", x.depth), ("filters", self.n), groups=self.g)
        return x.maps(self.n, *(w.output for w in windows))

    def derivation(self, *inputs: Value) -> tuple[str, ...]:
        return tuple(w.derivation for w in self.windows(inputs[0]))

    def remarks(self, *inputs: Value) -> tuple[Mistake, ...]:
        return unseen(self.name, self.windows(inputs[0]))


class DepthwiseConv(Convolution):
    """One filter a channel, or `m=` of them, and nothing across channels."""

    name, places = "dwconv", ("k",)
    source = "Howard et al. 2017, MobileNets"
    samples = ("3x5x5 -> dwconv 3x3 p1", "2x6x7 -> dwconv3 s2 same m=2 nobias", "2x9 -> dwconv3 d2")

    m: Count = Field(default=1, description="filters for each channel")
    same: bool = Field(default=False, description="pad so that ceil(size / stride) remain")

    def layout(self, examples: int, *inputs: Value) -> Wanted:
        """Last where that leaves rows long enough, one filter a channel."""
        (x,) = inputs
        suits = self.m == 1 and x.depth >= NARROW and taps.suits(self.windows(x))
        return "last" if x.rank > 2 and suits else "first"

    def absorbs(self, *inputs: Value) -> bool:
        return inputs[0].interleaved

    def windows(self, x: Value) -> tuple[Window, ...]:
        return slide(self.name, x, self.k, self.s, self.p, self.d, same=self.same)

    def groups(self, x: Value) -> int:
        return x.depth

    def sides(self, x: Value) -> tuple[int, int]:
        return x.depth, self.m * x.depth

    def _interleaved(self, batch: int, x: Value) -> Needs:
        """Rows of places, with all their channels side by side: a sweep for each tap."""
        windows, y = self.windows(x), self.shape(x)
        filters, padded = (
            taps.filters(windows, x.depth),
            taps.room("padded", batch, windows, x.depth),
        )
        biases, sums = Needed((repeats(y) * y.depth,)), {"part": filters, "total": filters}
        own = {"filters": filters, **padded}
        returning = taps.returning(batch, windows, x.depth)
        return Needs(
            algorithm="taps",
            why=f"{self._filters(x)}: tap by tap",
            scratch=own if self.nobias else {**own, "biases": biases},
            scratch_infer={**own, "biases": biases, "factor": Needed((x.depth,))},
            prepared=PREPARED,
            scratch_back={**padded, **sums, **returning},
            reads_back=frozenset({"x", "weight"}),
            to_learn=frozenset({"x", *padded, *sums}),
            to_return=frozenset(returning),
        )

    def shape(self, *inputs: Value) -> Value:
        (x,) = inputs
        windows = self.windows(x)
        return x.maps(self.m * x.depth, *(w.output for w in windows))

    def derivation(self, *inputs: Value) -> tuple[str, ...]:
        return tuple(w.derivation for w in self.windows(inputs[0]))

    def remarks(self, *inputs: Value) -> tuple[Mistake, ...]:
        return unseen(self.name, self.windows(inputs[0]))


class TransposedConv(Convolution):
    """A convolution run backwards: each input place spreads a filter over the output.

    Size (H − 1)·stride − 2·padding + dilation·(kernel − 1) + 1 + `outpad`: of the sizes that the
    convolution would bring to H, `outpad` (below the stride) chooses one.
    """

    name, places, backwards = "convt", ("n", "k"), "ᵀ"
    to_learn = frozenset({"padded_gradient"})
    sizing = "(W − 1)·S − 2P + F"
    source = "Dumoulin and Visin 2016, a guide to convolution arithmetic"
    samples = (
        "3x4x4 -> convt2 2x2 s2",
        "4x5x3 -> convt2 3 s2 p1 outpad=1 g2",
        "2x5 -> convt3 3 d2",
    )

    n: Count = Field(description="number of filters")
    g: Count = Field(default=1, description="groups")
    outpad: Index = Field(default=0, description="output padding")

    def meaning(self, m: Any, terms: Terms) -> tuple[Symbol, ...]:
        (x,), w, (arrival,) = terms.x, terms.weights["weight"], terms.arrivals
        product = m.convolved(self.sign(arrival), w, x)
        n, c, i = m.name("n"), m.name("c"), m.name("i")
        place = m.name("s") * i + m.name("d") * m.name("a") - m.name("p")
        made, says = n, "where several places meet they add up; s: stride, d: dilation, p: padding"
        if self.groups(arrival) > 1:
            made = m.name("N") * m.floor(c / m.name("C")) + n
            says += "; C channels and N filters in a group"
        spread = m.over("sum", "c", m.at(w, c, n, "a") * m.at(x, c, i))
        return (m.equals(m.at(product, made, place), spread, says),)

    def windows(self, x: Value) -> tuple[Window, ...]:
        """The windows that slide over the output, one place for each of the input's."""
        settings = zip(
            x.places,
            each_axis(self.name, x, "kernel", self.k),
            each_axis(self.name, x, "stride", self.s),
            each_axis(self.name, x, "padding", self.p),
            each_axis(self.name, x, "dilation", self.d),
            strict=True,
        )
        windows: list[Window] = []
        for places, kernel, stride, padding, dilation in settings:
            if self.outpad >= stride:
                raise Refused(OutputPaddingTooLarge(None, self.name, self.outpad, stride))
            size = (places - 1) * stride - 2 * padding + dilation * (kernel - 1) + 1 + self.outpad
            window = Window(size, kernel, stride, padding, padding, dilation)
            if size < 1:
                raise Refused(PaddedAway(None, self.name, self.derived(window, places)))
            windows.append(window)
        return tuple(windows)

    def groups(self, x: Value) -> int:
        return self.g

    def sides(self, x: Value) -> tuple[int, int]:
        return self.n, x.depth

    def shape(self, *inputs: Value) -> Value:
        (x,) = inputs
        windows = self.windows(x)
        self.divided(("input channels", x.depth), ("filters", self.n), groups=self.g)
        return x.maps(self.n, *(w.size for w in windows))

    def derivation(self, *inputs: Value) -> tuple[str, ...]:
        (x,) = inputs
        return tuple(map(self.derived, self.windows(x), x.places))

    def derived(self, window: Window, places: int) -> str:
        """The output's size along one axis, from the input's: `(4 − 1)·2 − 2·0 + 2 = 8`."""
        kernel = (
            f"{window.kernel}"
            if window.dilation == 1
            else f"{window.dilation}·({window.kernel} − 1) + 1"
        )
        more = f" + {self.outpad}" if self.outpad else ""
        slid = f"({places} − 1)·{window.stride} − 2·{window.before}"
        return f"{slid} + {kernel}{more} = {window.size}".replace("= -", "= −")
