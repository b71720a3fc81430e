"""`train(...)`: the settings of a run, declared. `runtime` computes them under the same names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat

from ...grammar.diagnostics import Mistake
from ...grammar.source import Span
from ..errors import BadSetting
from ..op import Count, Index, Initialiser
from ..shapes import Value
from .augmentations import AUGMENTATIONS, Augmentation, unsuited
from .choice import Menu
from .clips import CLIPS, Clip, Norm
from .learning import ON_MATRICES, Learning
from .losses import LOSSES, CrossEntropy, Loss, Mse
from .optimizers import OPTIMIZERS, Adam, Optimizer
from .schedules import SCHEDULES, Constant, Schedule
from .stops import STOPS, Patience, Stop


class Training(BaseModel):
    """The settings of a run, as `train(...)` writes them.

    `loss` left out is cross_entropy where the net has several outputs, mse where it has one.
    `l2` adds l2/2 times the squared weights (not biases) to the loss, `l1` adds l1 times their
    absolute values; both together are the elastic net. `clip` bounds the gradient before they join
    it. `max_norm` keeps every neuron's incoming weights, a row of a matrix or a filter, to that
    length after each step; 0 leaves them free. `augment` varies what training sees. `ensemble` is how
    many nets are trained, whose answers are averaged. `init` is how weights begin where no operator
    says it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, strict=True)

    loss: Loss | None = None
    optimizer: Optimizer = Adam()
    schedule: Schedule = Constant()
    clip: Clip | None = None
    batch: Count = 32
    epochs: Count = 10
    l2: NonNegativeFloat = 0.0
    l1: NonNegativeFloat = 0.0
    max_norm: NonNegativeFloat = 0.0
    early_stop: Stop | None = None
    augment: tuple[Augmentation, ...] = ()
    ensemble: Annotated[int, Field(ge=1, le=100)] = 1
    seed: Index = 0
    init: Initialiser | None = None

    def of(self, learning: Learning) -> Training:
        """The settings for weights that learn otherwise."""
        own = {name: getattr(learning, name) for name in sorted(ON_MATRICES)}
        said = {name: worth for name, worth in own.items() if worth is not None}
        return self.model_copy(update=said) if said else self

    def judged_by(self, output: Value) -> Loss:
        """The loss for a net with this output."""
        if self.loss is not None:
            return self.loss
        return CrossEntropy() if output.rank == 1 and output.size > 1 else Mse()

    def learned_by(self, output: Value) -> Loss:
        """The loss that training follows: of mixed truths where `augment` mixes them."""
        loss = self.judged_by(output)
        mixes = any(augmentation.mixes for augmentation in self.augment)
        return loss.mixed() or loss if mixes else loss


MENUS: Mapping[str, Menu] = MappingProxyType(
    {
        "loss": Menu(LOSSES),
        "optimizer": Menu(OPTIMIZERS),
        "schedule": Menu(SCHEDULES),
        "clip": Menu(CLIPS, bare=Norm),
        "early_stop": Menu(STOPS, bare=Patience),
        "augment": Menu(AUGMENTATIONS, many=True),
    }
)
"""The settings of `Training` that are chosen by name."""


def unsuitable(training: Training, inputs: Sequence[Value], output: Value) -> tuple[Mistake, ...]:
    """What keeps the loss from judging this output, and batches of these inputs from being varied."""
    loss = training.judged_by(output)
    reason = loss.refusal(output)
    return (
        *((BadSetting(None, loss.name, reason, unsuited=True),) if reason else ()),
        *unvaried(training, inputs, output),
    )


def unstoppable(training: Training, output: Value, *, held_out: bool) -> tuple[Mistake, ...]:
    """What keeps early stopping from telling which epoch is better."""
    stop, loss = training.early_stop, training.judged_by(output)
    if stop is None or stop.metric == "loss":
        return ()
    if not held_out:
        problem = "goes by the accuracy of held-out examples, but there are none"
        advice = "hold some out, or leave out `metric`"
        return (BadSetting(None, "early_stop", problem, advice, unsuited=True),)
    if not loss.compares and loss.target != "answers":
        problem = f"goes by accuracy, but {loss.name} judges numbers"
        return (BadSetting(None, "early_stop", problem, "leave out `metric`", unsuited=True),)
    return ()


def unvaried(
    training: Training, inputs: Sequence[Value], output: Value, where: Span | None = None
) -> tuple[Mistake, ...]:
    """What in `augment`, written at `where`, does not suit a net of these inputs."""
    wrong = unsuited(training.augment, inputs, output, training.judged_by(output))
    return tuple(BadSetting(where, *told, unsuited=True) for told in wrong)


Overrides = Mapping[str, Any]
"""Settings given from outside: text as the language writes it, or plain numbers."""
