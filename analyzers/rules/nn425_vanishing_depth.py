"""A net that is too deep for its start: nearly nothing comes through it.

Forward every layer changes the spread of its numbers by a factor, and backward the gradient by another,
told by the activation's slope and the variance the weights are drawn with. Over many layers the factors
multiply: the first layers learn nothing, or the output hardly depends on the input. The finding tells
what is foretold for inputs of mean 0 and variance 1, and what takes the most.

Source: Hochreiter 1991; Glorot and Bengio 2010; CS231n, neural networks 2, 'Weight initialization'.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..facts.anatomy import Anatomy
from ..facts.signal import FADED, blamed, can_drift, reaches, runaway, scores
from ..rule import Finding

LEAST = 1e-3
WRONG = (
    "8" + " -> fc8 sigmoid" * 6 + " -> fc2",
    "64" + " -> fc64(init=normal(0.01)) relu" * 4 + " -> fc2",
    "64" + " -> fc64(init=xavier) relu" * 24 + " -> fc2",
    "64 -> [fc64(init=normal(0.01)) relu]*30 -> fc2",
    "64 -> [fc64(init=normal(0.01)) relu]*100 -> fc2",
)
RIGHT = (
    "8 -> fc8 sigmoid -> fc2",
    "8" + " -> fc8 relu" * 24 + " -> fc2",
    "8" + " -> fc8 bn sigmoid" * 3 + " -> fc2",
    "8 -> fc8 relu -> fc2(init=zeros)",
)


def check(net: Anatomy) -> Iterator[Finding]:
    if not can_drift(net.graph):
        return
    faded = runaway(net.graph, net.travels, FADED)
    if faded is not None:
        yield Finding(
            faded.span,
            f"at the start the numbers fade from layer to layer: at `{faded.layer}` less than 1e-30 of"
            " the input is left",
            _advice("`init=" if getattr(faded.op, "init", None) else ""),
        )
        return
    least = min(reaches(net.graph, net.travels), key=lambda reach: reach.share, default=None)
    if least is not None and least.share < LEAST:
        cause = blamed(net.graph, net.travels, -1)
        yield Finding(
            least.layer.span,
            f"at the start, of the gradient at the output about {least.share:.1g} reaches"
            f" `{least.layer.layer}`; most is lost in {cause}",
            _advice(cause),
        )
        return
    output = scores(net.graph)
    variance = net.travels[output.name].variance
    if variance and variance < LEAST**2:
        yield Finding(
            output.span,
            f"at the start the output differs by {variance**0.5:.1g} (standard deviation) over"
            " inputs that differ by 1",
            "use `init=he` before relu and `init=xavier` elsewhere, or a norm between the layers",
        )


def _advice(cause: str) -> str:
    if cause.startswith("`init="):
        return "leave `init=` out: it is chosen by the activation; or put a norm between the layers"
    return "use relu, or a norm between the layers"
