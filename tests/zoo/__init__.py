"""Published nets: what their sources count, and what nnspec counts from the specs that ship.

`python -m tests.zoo` prints the table.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import nnspec
from nnspec.analyzers.report import report

SPECS = Path(__file__).parents[2] / "specs"


@dataclass(frozen=True)
class Row:
    """A published net; `macs` is None where its source gives none."""

    net: str
    spec: str
    input: str
    params: int
    macs: int | None
    source: str

    def counted(self) -> tuple[str, int, int]:
        """Input, parameters and multiply-adds by nnspec."""
        graph = nnspec.graph(SPECS / self.spec)
        (node,) = graph.inputs
        given = f"{node.value}{' int' * node.value.integer}"
        counts = report(graph)
        return given, counts.params, counts.macs

    def exact(self, counted: tuple[str, int, int]) -> bool:
        given, params, macs = counted
        return (given, params) == (self.input, self.params) and self.macs in (None, macs)


def published() -> list[Row]:
    rows = json.loads(Path(__file__).with_name("published.json").read_text("utf-8"))
    return [Row(**row) for row in rows]


def table() -> tuple[str, bool]:
    """The table as text, and whether every row is exact."""
    heads = ("parameters", 15), ("counted", 15), ("multiply-adds", 19), ("counted", 19)
    columns = " ".join(f"{name:>{width}}" for name, width in heads)
    lines = [f"{'net':24} {'input':>10} {columns}"]
    right = 0
    for row in published():
        _, params, macs = counted = row.counted()
        given = "-" if row.macs is None else f"{row.macs:,}"
        right += (exact := row.exact(counted))
        lines.append(
            f"{row.net:24} {row.input:>10} {row.params:>15,} {params:>15,} "
            f"{given:>19} {macs:>19,}  {'exact' if exact else 'WRONG'}"
        )
    total = len(lines) - 1
    return "\n".join([*lines, "", f"{right} of {total} exact"]), right == total


def main() -> int:
    text, exact = table()
    print(text)
    return 0 if exact else 1
