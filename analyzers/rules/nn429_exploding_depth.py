"""A net whose signal or gradient grows from layer to layer at the start.

Weights drawn too large multiply: what leaves the net, or what comes back to its first layers, is
thousands of times as large as what went in, and the first step of training throws the weights away.
The finding tells what is foretold for inputs of mean 0 and variance 1.

Source: Glorot and Bengio 2010; He et al. 2015, delving deep into rectifiers, section 2.2.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..facts.anatomy import Anatomy
from ..facts.signal import BLOWN, blamed, can_drift, reaches, runaway, scores
from ..rule import Finding

MOST = 1e3
ADVICE = "leave `init=` out: it is chosen by the activation; or put a norm between the layers"
WRONG = (
    "64" + " -> fc64(init=normal(1)) relu" * 5 + " -> fc2",
    "64" + " -> fc64(init=uniform(1)) lrelu" * 6 + " -> fc2",
    "64 -> [fc64(init=normal(1)) relu]*40 -> fc2",
    "64 -> [fc64(init=normal(1e30)) relu]*5 -> fc2",
)
RIGHT = (
    "64" + " -> fc64 relu" * 30 + " -> fc2",
    "64" + " -> fc64(init=normal(1)) bn relu" * 5 + " -> fc2",
)


def check(net: Anatomy) -> Iterator[Finding]:
    if not can_drift(net.graph):
        return
    blown = runaway(net.graph, net.travels, BLOWN)
    if blown is not None:
        yield Finding(
            blown.span,
            "at the start the numbers grow from layer to layer: at"
            f" `{blown.layer}` they are past 1e30 times the input",
            ADVICE,
        )
        return
    most = max(reaches(net.graph, net.travels), key=lambda reach: reach.share, default=None)
    if most is not None and most.share > MOST:
        yield Finding(
            most.layer.span,
            f"at the start the gradient grows to about {_told(most.share)} times that at the output on its way"
            f" to `{most.layer.layer}`, most of it in {blamed(net.graph, net.travels, 1)}",
            ADVICE,
        )
        return
    output = scores(net.graph)
    variance = net.travels[output.name].variance
    if variance and variance > MOST**2:
        yield Finding(
            output.span,
            f"at the start the output differs by {_told(variance**0.5)} (standard deviation) over"
            " inputs that differ by 1",
            ADVICE,
        )


def _told(factor: float) -> str:
    return f"{factor:,.0f}" if factor < 1e6 else f"{factor:.1g}"
