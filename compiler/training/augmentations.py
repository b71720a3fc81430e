"""How training batches are varied before a step, declared. `runtime/augmentations.py` computes it.

They act in the order in which they are written, on what training sees and on nothing else: neither
`evaluate` nor a validation set is touched. Pictures of a net with several inputs are all changed in
the same way, so that what belongs together stays together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, ClassVar

from pydantic import Field, PositiveFloat

from ..op import Count, Needed
from ..shapes import Value
from .choice import Choice
from .losses import Loss

BLOCK = 32 * 1024
"""Numbers that are changed at a time: a block and its scratch share a core's cache."""

TRUTH = ""
"""No input has this name."""


class Augmentation(Choice):
    """A change that is drawn anew for every batch.

    Attributes
    ----------
    pictures: acts on every input that is a picture (CxHxW), else on every input.
    moves: what is seen moves within the picture.
    mixes: the truth is changed as the inputs are.
    """

    pictures: ClassVar[bool] = True
    moves: ClassVar[bool] = False
    mixes: ClassVar[bool] = False

    def changes(self, value: Value) -> bool:
        """Whether it acts on such an input."""
        return is_picture(value) or not (self.pictures or value.integer)

    def refusal(self, inputs: Sequence[Value], output: Value, loss: Loss) -> tuple[str, str]:
        """Why it does not suit a net of these inputs, and what to do; both empty when it does."""
        if not any(map(self.changes, inputs)):
            found = " and ".join(f"{v} int" if v.integer else str(v) for v in inputs)
            if self.pictures:
                advice = "begin the spec with the picture's shape, as in `1x28x28 -> flatten`"
                return f"changes pictures (CxHxW), but the net takes {found}", advice
            return f"changes numbers, but the net takes {found}", f"leave {self.name} out"
        if self.moves and output.rank > 2 and output.size > output.channels:
            problem = f"moves the picture, but the truth ({output}) has a value for every place"
            return problem, "noise, cutout and mixup keep every place where it is"
        return "", ""

    def changed(self, inputs: Mapping[str, Value], output: Value) -> dict[str, Value]:
        """What it acts on by name, the truth as `TRUTH`."""
        found = {name: value for name, value in inputs.items() if self.changes(value)}
        return {**found, TRUTH: output} if self.mixes else found

    def drawn(self, batch: int) -> dict[str, Needed]:
        """Arrays for what is drawn for a batch."""
        return {}

    def scratch(self, batch: int, value: Value) -> dict[str, Needed]:
        """Arrays that changing a batch of this value needs besides."""
        return {}


def is_picture(value: Value) -> bool:
    return value.rank == 3 and not value.channels_last and not value.integer


def at_once(batch: int, value: Value) -> int:
    """How many examples make a block."""
    return max(1, min(batch, BLOCK // value.size))


class Flip(Augmentation):
    """Mirrors each picture left to right, by chance p."""

    name, places, moves = "flip", ("p",), True
    source = "Krizhevsky, Sutskever and Hinton 2012, section 4.1"

    p: float = Field(default=0.5, ge=0, le=1, description="chance")

    def drawn(self, batch: int) -> dict[str, Needed]:
        return {"chance": Needed((batch,)), "chosen": Needed((batch,), "bool")}

    def scratch(self, batch: int, value: Value) -> dict[str, Needed]:
        return {"copy": Needed((at_once(batch, value), *value.shape))}


class Moved(Augmentation):
    """What moves pictures by whole pixels has in common; `reach` is how far they go at most."""

    moves = True

    @property
    def reach(self) -> int:
        raise NotImplementedError(f"{self.name} has no reach")

    def drawn(self, batch: int) -> dict[str, Needed]:
        return {"chance": Needed((batch, 2)), "offset": Needed((batch, 2), "int64")}

    def scratch(self, batch: int, value: Value) -> dict[str, Needed]:
        return {"copy": Needed(value.shape)}


class Shift(Moved):
    """Moves each picture by whole pixels, up to so many either way, down and across each on its own;
    zeros come in behind it."""

    name, places = "shift", ("pixels",)
    source = "Simard, Steinkraus and Platt 2003"

    pixels: Count = 2

    @property
    def reach(self) -> int:
        return self.pixels


class Crop(Moved):
    """Pads each picture with zeros on all sides, and cuts its own size out at a place drawn evenly:
    `shift` under the name that papers on CIFAR give it."""

    name, places = "crop", ("pad",)
    source = "He et al. 2016, section 4.2"

    pad: Count = 4

    @property
    def reach(self) -> int:
        return self.pad


class Rotate(Augmentation):
    """Turns each picture about its centre by an angle drawn evenly from -degrees to degrees.

    Values between pixels are bilinear, zeros come in at the corners.
    """

    name, places, moves = "rotate", ("degrees",), True
    source = "Simard, Steinkraus and Platt 2003; PyTorch, torchvision.transforms.RandomRotation"

    degrees: Annotated[float, Field(gt=0, le=180)] = 10.0

    def drawn(self, batch: int) -> dict[str, Needed]:
        one = Needed((batch, 1, 1))
        return {"angle": one, "sine": one, "cosine": one}

    def scratch(self, batch: int, value: Value) -> dict[str, Needed]:
        channels, height, width = value.shape
        some = at_once(batch, value)
        plane = Needed((some, height, width))
        number = Needed((some, height, width), "int64")
        return {
            "bordered": Needed((some, channels, height + 2, width + 2)),
            "down": plane,
            "across": plane,
            "upper": plane,
            "lower": plane,
            "right": plane,
            "where": number,
            "column": number,
        }


class Noise(Augmentation):
    """Adds normal draws of standard deviation sd to every number of every input."""

    name, places, pictures = "noise", ("sd",), False
    source = "Bishop 1995, 'Training with noise is equivalent to Tikhonov regularization'"

    sd: PositiveFloat = 0.1

    def scratch(self, batch: int, value: Value) -> dict[str, Needed]:
        return {"draws": Needed((min(batch * value.size, BLOCK),))}


class Cutout(Augmentation):
    """Blanks a square of so many pixels a side with zeros, centred on a pixel drawn evenly: at the
    edge a part of it lies outside."""

    name, places = "cutout", ("size",)
    source = "DeVries and Taylor 2017"

    size: Count = 8

    def drawn(self, batch: int) -> dict[str, Needed]:
        return {"chance": Needed((batch, 2))}


class Mixup(Augmentation):
    """Blends each example, and its truth, with another of the batch: lam of one and 1 - lam of the
    other, with one lam a batch, drawn from Beta(alpha, alpha).

    For labels the loss is then lam times that of one label and 1 - lam times that of the other; with
    class weights the mean is over examples, as PyTorch's is where truths are shares.
    """

    name, places, pictures, mixes = "mixup", ("alpha",), False, True
    source = "Zhang et al. 2018"

    alpha: PositiveFloat = 0.2

    def refusal(self, inputs: Sequence[Value], output: Value, loss: Loss) -> tuple[str, str]:
        if any(value.integer for value in inputs):
            return "blends numbers, but whole numbers (tokens) cannot be blended", "leave mixup out"
        if loss.mixed() is None:
            return (
                f"blends two truths, but {loss.name} judges one",
                "use cross_entropy for classes, bce for yes or no",
            )
        return super().refusal(inputs, output, loss)

    def drawn(self, batch: int) -> dict[str, Needed]:
        return {"partner": Needed((batch,), "int64"), "share": Needed(()), "rest": Needed(())}

    def scratch(self, batch: int, value: Value) -> dict[str, Needed]:
        return {"other": Needed((batch, *value.shape))}


def unsuited(
    augment: Sequence[Augmentation], inputs: Sequence[Value], output: Value, loss: Loss
) -> Iterator[tuple[str, str, str]]:
    """Of each that does not suit the net: its name, why, and what to do."""
    names = [augmentation.name for augmentation in augment]
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            yield name, "is given twice", "keep one"
    for augmentation in augment:
        problem, advice = augmentation.refusal(inputs, output, loss)
        if problem:
            yield augmentation.name, problem, advice


def needed(
    augment: Sequence[Augmentation], inputs: Mapping[str, Value], output: Value, batch: int
) -> Iterator[Needed]:
    """Every array that they keep for batches of this size."""
    for augmentation in augment:
        yield from augmentation.drawn(batch).values()
        for value in augmentation.changed(inputs, output).values():
            yield from augmentation.scratch(batch, value).values()


AUGMENTATIONS: Mapping[str, type[Augmentation]] = MappingProxyType(
    {kind.name: kind for kind in (Flip, Shift, Crop, Rotate, Noise, Cutout, Mixup)}
)
