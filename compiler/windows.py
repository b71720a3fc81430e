"""What operators with a sliding window share: reading their sizes, and remarking what is unseen."""

from __future__ import annotations

from collections.abc import Sequence

from ..grammar.diagnostics import Mistake
from .op import Refused
from .shape_errors import Unseen, WindowTooLarge, WrongRank, WrongSizes
from .shapes import Value, Window, same_padding, written

AXES = {1: ("step",), 2: ("row", "column"), 3: ("plane", "row", "column")}


def spatial_axes(operator: str, x: Value) -> int:
    """How many axes lie behind the channels of CxL, CxHxW or CxDxHxW; raises `Refused`."""
    if x.rank - 1 not in AXES:
        wanted = "channels and 1 to 3 spatial axes, as in 3x32x32"
        raise Refused(WrongRank(None, operator, str(x), wanted))
    return x.rank - 1


def each_axis(operator: str, x: Value, argument: str, sizes: tuple[int, ...]) -> tuple[int, ...]:
    """A number for each spatial axis, from one for all or one for each; raises `Refused`."""
    axes = spatial_axes(operator, x)
    if len(sizes) not in (1, axes):
        raise Refused(WrongSizes(None, operator, argument, written(sizes), axes))
    return sizes * axes if len(sizes) == 1 else sizes


def slide(
    operator: str,
    x: Value,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...] = (1,),
    *,
    same: bool = False,
    ceil: bool = False,
) -> tuple[Window, ...]:
    """One `Window` for each spatial axis of CxL, CxHxW or CxDxHxW; raises `Refused`."""
    settings = zip(
        x.places,
        each_axis(operator, x, "kernel", kernel),
        each_axis(operator, x, "stride", stride),
        each_axis(operator, x, "padding", padding),
        each_axis(operator, x, "dilation", dilation),
        AXES[spatial_axes(operator, x)],
        strict=True,
    )
    windows: list[Window] = []
    for size, k, s, p, d, axis in settings:
        before, after = same_padding(size, k, s, d) if same else (p, p)
        window = Window(size, k, s, before, after, d, ceil)
        if not window.fits:
            thing = f"{axis}{'' if size == 1 else 's'}"
            raise Refused(WindowTooLarge(None, operator, window.reach, size, before, thing))
        windows.append(window)
    return tuple(windows)


def unseen(operator: str, windows: Sequence[Window]) -> tuple[Mistake, ...]:
    """A warning for each axis whose far end no window covers; one where all axes are alike.

    None where the stride is past the window: such an operator leaves out numbers by intention.
    """
    missed = [w.unseen if w.reach >= w.stride else 0 for w in windows]
    if len(windows) > 1 and len(set(windows)) == 1 and missed[0]:
        w, axis = windows[0], " and ".join(AXES[len(windows)])
        return (Unseen(None, operator, w.unseen, axis, w.size, w.derivation),)
    return tuple(
        Unseen(None, operator, count, axis, w.size, w.derivation)
        for w, count, axis in zip(windows, missed, AXES[len(windows)], strict=True)
        if count
    )
