"""What was measured as a Markdown page: tables, what was asked and reached, what is slower and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import geometric_mean

from . import inference, training
from .in_torch import EAGER, WAYS
from .reasons import reason
from .results import Comparison, Section, Skipped, Table

TITLES = {
    "training": "A training step",
    "inference": "Answers",
    "memory": "Memory of a training run",
    "scaling": "Growth with batch, depth and threads",
    "overhead": "What a layer costs in Python",
    "products": "Products of fully connected layers",
    "wall": "A whole training, from the command line",
    "front_end": "Before a net runs",
}
INTRODUCTION = (
    "Written by `make bench`. nnspec runs from the spec's text through the public API, in float32 with "
    "default settings. Both sides have the same weights and batches and take turns in one process; "
    "before anything is timed their losses or outputs must agree within 0.001. A ratio is the rival's "
    "time, or memory, over nnspec's: **above 1 nnspec needs less**. It is the median over the rounds; "
    "the quartiles stand behind it. An earlier run, on an AMD processor, stands in [amd.md](amd.md)."
)
UNEXPLAINED = "**NO REASON GIVEN**"


def page(sections: Sequence[Section], machine: Mapping[str, str]) -> str:
    parts = ["# How fast it is", INTRODUCTION]
    parts.append(markdown(("with", ""), machine.items()))
    for section in sections:
        parts += [f"## {TITLES[section.name]}", *told(section)]
    parts += ["## What is slower than a peer, and why", *slower(sections)]
    return "\n\n".join(parts) + "\n"


def told(section: Section) -> Iterator[str]:
    if section.words:
        yield section.words
    if section.name == training.NAME:
        yield from against_eager(section)
        yield from against_all(section)
    elif section.comparisons:
        yield markdown(HEAD, map(row, section.comparisons))
    if section.name == inference.NAME:
        yield from reached(section.comparisons)
    for table in section.tables:
        yield from titled(table)
    if section.skipped:
        yield "Not measured:"
        yield "\n".join(map(left_out, section.skipped))


# ------------------------------------------------------------------------------------- training


def against_eager(section: Section) -> Iterator[str]:
    """PyTorch as it comes, the mean of the ratios, and what was asked."""
    plain = [c for c in section.comparisons if c.rival == EAGER.name]
    if not plain:
        return
    yield markdown(HEAD, map(row, plain))
    mean = geometric_mean(c.ratio for c in plain)
    yield f"Geometric mean of the {len(plain)} ratios: **{mean:.2f}**."
    yield from reached(plain, training.AIMED)


def against_all(section: Section) -> Iterator[str]:
    """Every rival of every net, the best one in bold."""
    order = [*(way.name for way in WAYS), training.JAX]
    rivals = sorted({c.rival for c in section.comparisons}, key=order.index)
    nets = list(dict.fromkeys(c.net for c in section.comparisons))
    if len(rivals) < 2:
        return
    yield "Against everything that is said to speed PyTorch up, and JAX; the fastest rival in bold:"
    ratios = {(c.net, c.rival): c.ratio for c in section.comparisons}
    rows = []
    for net in nets:
        fastest = min(r for (name, _), r in ratios.items() if name == net)
        each = (marked(ratios.get((net, rival)), fastest) for rival in rivals)
        rows.append((net, *each, f"{fastest:.2f}"))
    yield markdown(("training step", *rivals, "fastest rival / nnspec"), rows)
    best = geometric_mean(float(cells[-1]) for cells in rows)
    yield f"Geometric mean of the ratios to the fastest: **{best:.2f}**."


def marked(ratio: float | None, fastest: float) -> str:
    if ratio is None:
        return "-"
    return f"**{ratio:.2f}**" if ratio == fastest else f"{ratio:.2f}"


def reached(
    comparisons: Iterable[Comparison], aimed: Mapping[str, float] | None = None
) -> Iterator[str]:
    """Asked and reached, in words, in the order of the table."""
    lines = []
    for found in comparisons:
        if found.asked is None:
            continue
        aim = f", aimed at {aimed[found.net[0]]:g}" if aimed else ""
        verdict = "reached" if found.ratio >= found.asked else "**not reached**"
        lines.append(
            f"- {found.net}, of {found.rival}: asked {found.asked:g}{aim}; "
            f"measured {found.ratio:.2f}: {verdict}"
        )
    if lines:
        yield "\n".join(lines)


# --------------------------------------------------------------------------------------- tables

HEAD = ("what", "rival", "nnspec", "rival's", "rival / nnspec", "quartiles")


def row(found: Comparison) -> tuple[str, ...]:
    return (
        found.net,
        found.rival,
        quantity(found.ours, found.unit),
        quantity(found.theirs, found.unit),
        f"{found.ratio:.2f}",
        f"{found.low:.2f} to {found.high:.2f}",
    )


def quantity(worth: float, unit: str) -> str:
    """In the unit that gives it few digits."""
    if unit == "bytes":
        return f"{worth / 2**20:,.1f} MiB"
    if worth >= 1:
        return f"{worth:.2f} s"
    return f"{1e3 * worth:.3g} ms" if worth >= 1e-3 else f"{1e6 * worth:.3g} µs"


def titled(table: Table) -> Iterator[str]:
    if table.title:
        yield f"### {table.title}"
    yield markdown(table.head, table.rows)


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)


def left_out(found: Skipped) -> str:
    return f"- {found.net}, {found.rival}: {found.reason}"


def slower(sections: Iterable[Section]) -> Iterator[str]:
    """Every comparison that nnspec loses, the worst first."""
    lost = sorted(
        (found for section in sections for found in section.comparisons if found.ratio < 1),
        key=lambda found: found.ratio,
    )
    if not lost:
        yield "Nothing of what was measured."
        return
    rows = [
        (TITLES[f.section].lower(), f.net, f.rival, f"{f.ratio:.2f}", reason(f) or UNEXPLAINED)
        for f in lost
    ]
    yield markdown(("where", "what", "rival", "rival / nnspec", "why"), rows)
