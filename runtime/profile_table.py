"""A measured pass as a table: a row a layer, beside the least it could take."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

from ..grammar.console import terminal

if TYPE_CHECKING:
    from rich.table import Table

    from .profile import Part, Profile

BAR = 10
WIDEST = 1000
"""Columns of a terminal to ask how wide a table would like to be."""
NOTHING = "[dim]·[/]"


def table(found: Profile, *, width: int, colour: bool) -> str:
    """One row a layer, the totals, and what they are held against."""
    from rich.measure import Measurement

    out = StringIO()
    console = terminal(out, width, colour=colour)
    wide = console.options.update(width=WIDEST)
    drawn = (_rows(found, titles) for titles in _choices(found))
    rows = next(
        (one for one in drawn if Measurement.get(console, wide, one).maximum <= width), None
    )
    rows = rows or _rows(found, _choices(found)[-1])
    what = "a training step" if found.mode == "train" else "inference"
    examples = "one example" if found.batch == 1 else f"{found.batch:,} examples"
    median = f"the median of {found.passes:,} passes"
    console.print(f"[bold]{what}[/] over {examples}{_shared(found)}, {median}")
    console.print(rows)
    for line in _totals(found):
        console.print(line)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _shared(found: Profile) -> str:
    """`, 32 + 32 on two threads`."""
    if len(found.lanes) == 1:
        return ""
    return f", {' + '.join(map(str, found.lanes))} on {len(found.lanes)} threads"


def _choices(found: Profile) -> list[tuple[str, ...]]:
    """Which columns to show, the most first: a number is shown whole or not at all, but where not
    even the last choice has room."""
    times = ("forward", "backward") if found.mode == "train" else ("forward",)
    held, rates = ("least", "reached"), ("products", "memory")
    return [
        (*times, *held, *rates, "share", "bar"),
        (*times, *held, *rates, "share"),
        (*times, *held, "share"),
        (*times, "share"),
        times,
    ]


def _rows(found: Profile, titles: tuple[str, ...]) -> Table:
    from rich import box
    from rich.table import Table

    rows = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), header_style="bold")
    rows.add_column("layer", style="cyan", no_wrap=True)
    for title in titles:
        if title == "bar":
            rows.add_column(style="green", no_wrap=True)
        else:
            rows.add_column(title, justify="right", no_wrap=True)
    for parts in found.by_layer:
        cells = _cells(parts, found)
        name = parts[0].layer or f"[dim]{parts[0].direction}[/]"
        rows.add_row(name, *(cells[title] for title in titles))
    return rows


def _cells(parts: tuple[Part, ...], found: Profile) -> dict[str, str]:
    by = {part.direction: part for part in parts}
    whole = sum(parts[1:], parts[0])
    late = by.get("backward") or by.get("update")
    early = by.get("forward") or by.get("threads")
    share = whole.seconds / found.seconds if found.seconds else 0.0
    machine = found.machine
    return {
        "forward": duration(early.seconds) if early else NOTHING,
        "backward": duration(late.seconds) if late else NOTHING,
        "least": duration(whole.least),
        "reached": _rate(whole.least, whole.seconds),
        "products": _rate(whole.flops / machine.flops, whole.seconds),
        "memory": _rate(whole.bytes / machine.bandwidth, whole.seconds),
        "share": f"{share:.0%}",
        "bar": "█" * int(share * BAR) + ("", *"▏▎▍▌▋▊▉")[int(share * BAR * 8) % 8],
    }


def _rate(least: float, seconds: float) -> str:
    """A share of what the machine can do; a dot where nothing of the kind is done."""
    return f"{least / seconds:.0%}" if least and seconds else NOTHING


def _totals(found: Profile) -> list[str]:
    examples = found.batch / found.seconds if found.seconds else 0.0
    reached = found.least / found.seconds if found.seconds else 1.0
    machine = found.machine
    threads = "one thread" if found.threads == 1 else f"{found.threads} threads"
    return [
        f"[bold]{duration(found.seconds)}[/] measured, {duration(found.least)} at least ({reached:.0%}); "
        + f"{examples:,.0f} examples/s",
        f"[dim]this machine, {threads}: {machine.flops / 1e9:,.0f} GFLOP/s in a matrix product, "
        + f"{machine.bandwidth / 1e9:,.1f} GB/s in a copy[/]",
    ]


def duration(seconds: float) -> str:
    """6.06 ms, 120 µs."""
    for unit, scale in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if seconds * scale >= 1 or unit == "µs":
            value = seconds * scale
            return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"
    raise AssertionError(seconds)
