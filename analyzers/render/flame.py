"""A profile drawn: boxes as wide as what they take, and the table of them; without a program."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..flame import Flame

WIDTH, ROW = 1200, 30
"""Of the picture, and of one level of it."""
LETTER = 7.2
"""Of a label, about."""
SHORT = {"forward": "→", "backward": "←"}
"""Labels where there is no room for words."""
THINNEST = 0.4
"""Boxes below this width are not drawn; the table has them."""
STEPS = (0.1, 0.25, 0.5, 0.75)
"""Where a colour ends: the share of what the machine can do at best."""


def body(root: Flame, found: Mapping[str, Any], title: str, subtitle: str) -> str:
    """The page's body: totals, picture, table."""
    return f"""<a class="skip" href="#table">To the table</a>
<header class="top"><div class="names"><h1>{_text(title)}</h1>
<p id="subtitle">{_text(subtitle)}</p></div></header>
<main>
{_tiles(root, found)}
<section aria-labelledby="flame-title">
<h2 id="flame-title">As wide as it takes</h2>
<figure class="chart"><div class="scroll" tabindex="0" role="region" aria-label="The picture">
{picture(root)}
</div><figcaption>{_legend()}</figcaption></figure>
</section>
<section aria-labelledby="table-title">
<h2 id="table-title">Layer by layer</h2>
<div class="wide" id="table" tabindex="0" role="region" aria-label="The table">
{_table(root, found)}
</div>
</section>
<footer><span>{_text(_machine(found))}</span>
<span>made with nnspec profile</span></footer>
</main>
"""


def _text(text: str) -> str:
    return escape(text).encode("utf-8", "backslashreplace").decode()


# --------------------------------------------------------------------------------- picture


def picture(root: Flame) -> str:
    """The boxes, the whole pass on top."""
    height = root.depth * ROW
    boxes = "\n".join(_boxes(root, root, 0.0, 0))
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" '
        'aria-labelledby="flame-says">\n<title id="flame-says">Blocks, layers, forward and backward, '
        f"each as wide as its time; the table below has the same numbers</title>\n{boxes}\n</svg>"
    )


def _boxes(part: Flame, root: Flame, x: float, level: int) -> Iterator[str]:
    width = WIDTH * part.seconds / root.seconds if root.seconds else 0.0
    if width < THINNEST:
        return
    kind = "whole" if part.kind == "whole" or not part.least else f"reach-{_step(part.reached)}"
    label = _label(part, width)
    text = f'<text x="{x + 6:.2f}" y="{level * ROW + 19}">{_text(label)}</text>' if label else ""
    yield (
        f'<g class="{kind}"><title>{_text(_says(part, root))}</title>'
        f'<rect x="{x:.2f}" y="{level * ROW}" width="{width:.2f}" height="{ROW - 1}"/>{text}</g>'
    )
    for inner in part.within.values():
        yield from _boxes(inner, root, x, level + 1)
        x += WIDTH * inner.seconds / root.seconds


def _step(reached: float) -> int:
    return sum(reached >= step for step in STEPS)


def _label(part: Flame, width: float) -> str:
    """The name and the time, or the name, or as much of it as can be read."""
    room = int((width - 10) / LETTER)
    whole = f"{part.name}  {duration(part.seconds)}"
    if len(whole) <= room:
        return whole
    if len(part.name) <= room:
        return part.name
    if part.kind == "direction":
        return SHORT[part.name] if room >= 1 else ""
    return f"{part.name[: room - 1]}…" if room >= 4 else ""


def _says(part: Flame, root: Flame) -> str:
    share = part.seconds / root.seconds if root.seconds else 0.0
    least = f"; at least {duration(part.least)}, reached {part.reached:.0%}" if part.least else ""
    return f"{part.path or part.name}: {duration(part.seconds)}, {share:.1%} of all{least}"


def _legend() -> str:
    ends = [f"{step:.0%}" for step in STEPS]
    names = [f"below {ends[0]}", *(f"to {end}" for end in ends[1:]), f"{ends[-1]} and more"]
    keys = "".join(
        f'<li><svg class="key" width="14" height="14" aria-hidden="true">'
        f'<g class="reach-{number}"><rect width="14" height="14"/></g></svg>{name}</li>'
        for number, name in enumerate(names)
    )
    return f"<p>Colour: how much of what this machine can do at best is reached</p><ul>{keys}</ul>"


# ----------------------------------------------------------------------------------- table


def _table(root: Flame, found: Mapping[str, Any]) -> str:
    titles = ["layer", "forward", "backward", "at least", "reached", "products", "memory", "share"]
    if found["mode"] != "train":
        titles.remove("backward")
    head = "".join(f'<th scope="col">{title}</th>' for title in titles)
    rows = "\n".join(_row(part, root, found) for part in _layers(root))
    return f'<table class="layers flames"><thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table>'


def _layers(part: Flame) -> Iterator[Flame]:
    """Layer by layer, and what belongs to none."""
    if part.kind == "layer":
        yield part
        return
    for inner in part.within.values():
        yield from _layers(inner)


def _row(part: Flame, root: Flame, found: Mapping[str, Any]) -> str:
    machine = found["machine"]
    times = {leaf.name: leaf.seconds for leaf in part.within.values()} or {
        "backward" if part.name == "update" else "forward": part.seconds
    }
    columns = ("forward", "backward") if found["mode"] == "train" else ("forward",)
    cells = [
        *(duration(times[name]) if name in times else "" for name in columns),
        duration(part.least) if part.least else "",
        _rate(part.least, part.seconds),
        _rate(part.flops / machine["flops"], part.seconds),
        _rate(part.bytes / machine["bandwidth"], part.seconds),
        _rate(part.seconds, root.seconds),
    ]
    told = "".join(f"<td>{_text(cell)}</td>" for cell in cells)
    return f'<tr><th scope="row" class="mono">{_text(part.path)}</th>{told}</tr>'


def _rate(part: float, whole: float) -> str:
    if not part or not whole:
        return ""
    return f"{part / whole:.0%}" if part / whole >= 0.005 else "<1%"


# ---------------------------------------------------------------------------------- totals


def _tiles(root: Flame, found: Mapping[str, Any]) -> str:
    rate = found["batch"] / root.seconds if root.seconds else 0.0
    machine = found["machine"]
    facts = [
        ("measured", duration(root.seconds), f"{rate:,.0f} examples a second"),
        ("at least", duration(root.least), f"{root.reached:.0%} of the best is reached"),
        ("products", _rate(root.flops / machine["flops"], root.seconds) or "none",
         f"of {machine['flops'] / 1e9:,.0f} GFLOP/s"),
        ("memory", _rate(root.bytes / machine["bandwidth"], root.seconds) or "none",
         f"of {machine['bandwidth'] / 1e9:,.1f} GB/s"),
    ]  # fmt: skip
    told = "".join(
        f"<div><dt>{name}</dt><dd>{_text(value)}<small>{_text(more)}</small></dd></div>"
        for name, value, more in facts
    )
    return f'<dl class="tiles">{told}</dl>'


def _machine(found: Mapping[str, Any]) -> str:
    threads = "one thread" if found["threads"] == 1 else f"{found['threads']} threads"
    return (
        f"At least: what products, and what is read and written, take at the rates of this machine's best "
        f"matrix product and of a copy on {threads}, whichever is slower. Memory: scratch counts too. "
        f"What a cache still holds comes faster."
    )


def duration(seconds: float) -> str:
    """`6.06 ms`."""
    for unit, scale in (("s", 1.0), ("ms", 1e3)):
        if seconds * scale >= 1:
            return _figure(seconds * scale, unit)
    return _figure(seconds * 1e6, "µs")


def _figure(value: float, unit: str) -> str:
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"
