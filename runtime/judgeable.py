"""Whether the classes of a set can be judged by a loss on a net's output."""

from __future__ import annotations

from ..compiler.shapes import Value
from ..compiler.training.losses import Loss
from ..grammar.diagnostics import SpecError
from ..grammar.quantity import quantity
from .dataset import Dataset
from .errors import ClassesUnjudged


def check_classes(data: Dataset, loss: Loss, output: Value) -> None:
    """Raise SpecError for classes that the loss takes for values, or that outnumber the outputs.

    Whole numbers serve as classes and as values: a net of one output may learn them as either.
    """
    if not data.is_labelled or not data.classes or output.rank != 1:
        return
    problem, advice = _mismatch(data.classes, loss, output)
    if problem:
        raise SpecError([ClassesUnjudged(None, data.name, data.classes, problem, advice)])


def _mismatch(classes: tuple[str, ...], loss: Loss, output: Value) -> tuple[str, str]:
    """What is wrong, and what to do; empty where nothing is."""
    count, outputs = len(classes), output.size
    named = not all(name.isdecimal() for name in classes)
    if not loss.compares and outputs > 1:
        ending = "" if outputs >= count else f", and end the spec with fc{count}"
        judged = "values" if loss.target == "values" else "a yes or a no for each output"
        return f"{loss.name} judges {judged}", f"use loss = cross_entropy{ending}"
    if not named:
        return "", ""
    if outputs == 1 and count == 2 and loss.target == "values":
        problem = f"{loss.name} would take them for the numbers 0 and 1"
        return problem, "use loss = bce, of a yes or a no"
    enough = 2 if outputs == 1 and not loss.compares else outputs
    if count > enough:
        has = f"the net has {quantity(outputs, 'output')}"
        return has, f"end the spec with fc{count}"
    return "", ""
