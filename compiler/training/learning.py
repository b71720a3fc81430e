"""How the weights of one layer learn, where that is not as `train(...)` says for the whole net."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, NonNegativeFloat


class Learning(BaseModel):
    """What may stand behind any operator with weights, any use of a block, and any brackets:
    `fc4 l2=1e-3 lr=0.1`, `[conv64 3x3 relu]*2 freeze`. None: as the brackets around it have it, and in
    the end the net.

    Attributes
    ----------
    freeze: whether the weights stay as they are.
    lr: a factor of the net's rate.
    l2, l1, max_norm: in place of the net's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, strict=True)

    freeze: bool | None = None
    lr: NonNegativeFloat | None = None
    l2: NonNegativeFloat | None = None
    l1: NonNegativeFloat | None = None
    max_norm: NonNegativeFloat | None = None

    @property
    def said(self) -> bool:
        """Whether it is otherwise than the net's."""
        return any(getattr(self, name) is not None for name in WORDS)

    @property
    def frozen(self) -> bool:
        return bool(self.freeze)

    @property
    def factor(self) -> float:
        """What the net's rate is multiplied by."""
        return 1.0 if self.lr is None else self.lr

    def within(self, outer: Self) -> Self:
        """The same inside brackets that say `outer`."""
        own = {name: getattr(self, name) for name in WORDS if getattr(self, name) is not None}
        return outer.model_copy(update=own) if own else outer

    def __str__(self) -> str:
        """As a spec writes it; of what is frozen nothing else matters."""
        if self.frozen:
            return "freeze"
        numbers = ((name, getattr(self, name)) for name in WORDS if name != "freeze")
        return " ".join(
            f"{name}={repr(float(worth)).removesuffix('.0')}"
            for name, worth in numbers
            if worth is not None
        )


WORDS = tuple(Learning.model_fields)

ON_MATRICES = frozenset({"l2", "l1", "max_norm"})
"""Those that act on matrices and kernels, not on biases and on the scales of norms."""
