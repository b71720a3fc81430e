"""What changed between two nets: layers, parameters, cost, memory."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import Literal

from .report import LayerRow, Model, Report

Change = Literal["added", "removed", "changed"]


class Total(Model):
    """One number of the whole net, before and after."""

    fact: str
    before: int
    after: int


class LayerChange(Model):
    """A layer that is on one side alone, or not the same on both."""

    change: Change
    before: LayerRow | None = None
    after: LayerRow | None = None


class Comparison(Model):
    """Two nets side by side."""

    before: str
    after: str
    totals: list[Total]
    layers: list[LayerChange]

    @property
    def same(self) -> bool:
        """Whether nothing that is counted differs."""
        return not self.layers and all(total.before == total.after for total in self.totals)


def compare(before: Report, after: Report) -> Comparison:
    """The second net as a change of the first.

    Layers are matched in order by what they are, not by name: an operator put in between renumbers
    those behind it and changes nothing else.
    """
    numbers = [
        Total(fact=fact, before=getattr(before, fact), after=getattr(after, fact))
        for fact in ("params", "macs", "neurons", "depth")
    ]
    numbers += [
        Total(fact=f"{fact} memory", before=old, after=new)
        for fact, old, new in (
            ("inference", before.memory.inference, after.memory.inference),
            ("training", before.memory.training, after.memory.training),
        )
    ]
    return Comparison(
        before=before.source,
        after=after.source,
        totals=numbers,
        layers=_layers(before.layers, after.layers),
    )


def _layers(before: list[LayerRow], after: list[LayerRow]) -> list[LayerChange]:
    old_keys, new_keys = ([_key(row) for row in rows] for rows in (before, after))
    found: list[LayerChange] = []
    for kind, a, b, c, d in SequenceMatcher(None, old_keys, new_keys, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        olds, news = before[a:b], after[c:d]
        pairs = min(len(olds), len(news)) if kind == "replace" else 0
        for old, new in zip(olds[:pairs], news[:pairs], strict=True):
            if old.op == new.op:
                found.append(LayerChange(change="changed", before=old, after=new))
            else:
                found.append(LayerChange(change="removed", before=old))
                found.append(LayerChange(change="added", after=new))
        found += [LayerChange(change="removed", before=row) for row in olds[pairs:]]
        found += [LayerChange(change="added", after=row) for row in news[pairs:]]
    return found


def _key(row: LayerRow) -> tuple[object, ...]:
    """What makes two layers the same: their operators with what they are given and put out."""
    operators = tuple((one.op, tuple(one.output), one.params, one.macs) for one in row.operators)
    return operators, tuple(row.input), row.shares != ""
