"""An initialiser that does not suit the activation behind it.

He's variance, 2 / n, makes up for the half of the signal that a relu cuts off; before a tanh or a
sigmoid it drives units into saturation. Xavier's, about 1 / n, keeps the signal of what is nearly
linear at 0; before a relu the variance halves in every layer: a thousandth is left after ten.

Source: He et al. 2015, delving deep into rectifiers; Glorot and Bengio 2010; CS231n, neural
networks 2, 'Weight initialization'.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...compiler.op import Initialiser, Trait
from ...grammar.diagnostics import Applicability, Edit, Fix
from ...grammar.source import Span
from ..facts.anatomy import Anatomy, affine, passes, word
from ..rule import Finding

WRONG = ("8 -> fc8(init=he) tanh -> fc2", "8 -> fc8(init=xavier) relu -> fc2")
RIGHT = (
    "8 -> fc8(init=he) relu -> fc2",
    "8 -> fc8(init=xavier) tanh -> fc2",
    "8 -> fc8 tanh -> fc2",
)
SUITS = {"he": "relu and its kin", "xavier": "tanh and sigmoid"}


def check(net: Anatomy) -> Iterator[Finding]:
    for node in net.graph.nodes:
        chosen = getattr(node.op, "init", None)
        if not isinstance(chosen, Initialiser) or not affine(node):
            continue
        behind = next((after for after in net.ahead(node) if not passes(after)), None)
        if behind is None:
            continue
        start = chosen.word.removesuffix("_uniform")
        wanted = {Trait.SATURATES: "xavier", Trait.RECTIFIES: "he"}
        better = next((w for trait, w in wanted.items() if trait in behind.op.traits), start)
        if start in wanted.values() and start != better:
            yield Finding(
                node.span,
                f"`init={start}` suits {SUITS[start]}, but `{behind.op.name}` follows `{word(node)}`",
                f"use `init={better}`, or leave it out: it is chosen so",
                _mending(node.span, start, better),
            )


def _mending(span: Span, start: str, better: str) -> Fix | None:
    match = re.search(rf"\binit\s*=\s*({start})(?:_uniform)?\b", span.text)
    if match is None:
        return None
    word = Span(span.source, span.start + match.start(1), span.start + match.end(1))
    return Fix(f"use `init={better}`", (Edit(word, better),), Applicability.UNSAFE)
