"""Several nets of one spec that answer together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial, reduce
from pathlib import Path
from typing import Any

import numpy as np

from ..compiler.graph import Graph
from ..compiler.settings import as_text, overridden
from ..compiler.shapes import Value
from ..compiler.training.losses import Loss
from ..grammar.diagnostics import Mistake, SpecError
from ..grammar.quantity import quantity
from .answering import Answered, Answering, quiet
from .budget import MaxMemory
from .examples import Examples, Part
from .history import History, Scores
from .initialise import stream
from .kernels import Array
from .names import Names
from .net import AT_ONCE, DType, Net, sized_when_compiled
from .notebook import facts
from .read_only import Named
from .weights import write

HELD = 2**22
"""Numbers that the members say before they are joined."""


class Ensemble(Answering):
    """Nets of one spec that begin at other weights, see the examples in another order, and answer
    together. CS231n, neural networks 3, "Model ensembles".

    What they say is averaged: probabilities where the loss takes a softmax or a sigmoid of the
    scores, else the outputs. A call returns scores as a net's does: a softmax (sigmoid) of them is
    the mean of the members' probabilities.

    Parameters
    ----------
    graph: the net; `ensemble` of its `training` settings is how many there are.
    seed: the first member's; the others' seeds are drawn from it. The spec's own where None.
    dtype: "float32" or "float64".
    max_memory: of each member, "2GiB" or bytes; 80 % of what is free where None.
    jit: compiled loops in place of NumPy's; needs the extra `jit`.
    """

    def __init__(
        self,
        graph: Graph,
        *,
        seed: int | None = None,
        dtype: DType = "float32",
        max_memory: MaxMemory = None,
        jit: bool = False,
    ) -> None:
        self.graph = graph
        first = Net(graph, seed=seed, dtype=dtype, max_memory=max_memory, jit=jit)
        size = {"ensemble": graph.training.ensemble}
        self.training = first.training.model_copy(update=size)
        self.seed, self.dtype = first.seed, first.dtype
        others = seeds(first.seed, self.training.ensemble)[1:]
        made = partial(Net, graph, dtype=dtype, max_memory=max_memory, jit=jit)
        rest = (made(seed=other) for other in others)
        self.members: tuple[Net, ...] = (first, *rest)

    @classmethod
    def of(cls, members: Sequence[Net]) -> Ensemble:
        """Nets that are there already, of one spec."""
        first = members[0]
        size = {"ensemble": len(members)}
        made = cls.__new__(cls)
        made.graph = first.graph
        made.training = first.training.model_copy(update=size)
        made.seed, made.dtype, made.members = first.seed, first.dtype, tuple(members)
        return made

    def __repr__(self) -> str:
        told = facts(self.members[0])
        one = f"{told['in']} → {told['out']}, {quantity(self.members[0].params, 'parameter')}"
        return f"<Ensemble: {len(self.members)} nets, each {one}, {self.dtype}>"

    @property
    def names(self) -> Names:
        """What the data that the members learned from call their classes and columns."""
        return self.members[0].names

    @property
    def params(self) -> int:
        """How many numbers all members learn."""
        return sum(member.params for member in self.members)

    @property
    def trainable(self) -> int:
        """How many of these are not frozen."""
        return sum(member.trainable for member in self.members)

    @property
    def weights(self) -> Mapping[str, Array]:
        """Every member's weights by name, `member1.fc1.weight`, as writable views."""
        return self._named([member.weights for member in self.members])

    @property
    def state(self) -> Mapping[str, Array]:
        """Every member's running statistics by name, `member1.bn1.mean`, as writable views."""
        return self._named([member.state for member in self.members])

    @staticmethod
    def _named(found: Sequence[Mapping[str, Array]]) -> Mapping[str, Array]:
        return Named(
            {
                f"member{number}.{name}": array
                for number, arrays in enumerate(found, 1)
                for name, array in arrays.items()
            }
        )

    def save(self, path: str | Path) -> None:
        """Write all members, the spec and the classes' names into one safetensors file; raises
        SpecError."""
        arrays = {**self.weights, **self.state}
        write(Path(path), self.graph, arrays, as_text(self.training), self.names)

    def set(self, **settings: object) -> None:
        """Change the training settings of every member. Raises SpecError."""
        training, mistakes = overridden(self.training, settings)
        if training.ensemble != len(self.members):
            mistakes = (*mistakes, sized_when_compiled())
        if mistakes:
            raise SpecError(mistakes)
        for member in self.members:
            member.set(**{name: worth for name, worth in settings.items() if name != "ensemble"})
        self.training = training

    def untrainable(self) -> tuple[Mistake, ...]:
        """What keeps the members from training; empty when nothing does."""
        return self.members[0].untrainable()

    def fit(
        self,
        x: Any,
        y: Any = None,
        *,
        on_member: Callable[[int], None] | None = None,
        **options: Any,
    ) -> tuple[History, ...]:
        """Train the members one after the other; returns the history of each.

        Parameters
        ----------
        x, y: as `Net.fit` takes them.
        on_member: called with the number of each member, from 1, before it is trained.
        options: what `Net.fit` takes besides: `validation`, callbacks, settings; in `run` each member
            has a folder of its own.
        """
        settings = {name: options[name] for name in options if name in self._settings}
        self.set(**settings)
        rest = {name: worth for name, worth in options.items() if name not in settings}
        run = rest.pop("run", None)
        histories = []
        for number, member in enumerate(self.members, 1):
            if on_member:
                on_member(number)
            kept = None if run is None else folder(run, number)
            histories.append(member.fit(x, y, run=kept, **rest))
        return tuple(histories)

    @property
    def _settings(self) -> frozenset[str]:
        return frozenset(type(self.training).model_fields)

    def answers(self, asked: Examples, truth: Array | None) -> dict[str, Array]:
        """The members' joint outputs: as those of a net, in shape and in meaning."""
        results = self._room(len(asked))
        for part, found in self._asked(asked, truth):
            self._join(found, part, results)
        return results

    def scores_apart(self, asked: Examples) -> tuple[Scores, tuple[Scores, ...]]:
        """How well examples are answered by all members together, and by each: every one is asked
        once."""
        truth, joint, main = self.room_for_truth(asked), self._room(len(asked)), self._main
        alone = [np.empty_like(joint[main]) for _ in self.members]
        for part, found in self._asked(asked, truth):
            self._join(found, part, joint)
            for scores, one in zip(alone, found, strict=True):
                scores[part] = one[main]
        output = self.graph.output.value
        judged = partial(Answered, self.training.judged_by(output), output, truth=truth)
        each = tuple(judged(scores=scores).judged() for scores in alone)
        return judged(scores=joint[main]).judged(), each

    @property
    def _main(self) -> str:
        return list(self.graph.outputs)[-1]

    def _room(self, count: int) -> dict[str, Array]:
        return {
            name: np.empty((count, *self.graph[node].value.shape), self.dtype)
            for name, node in self.graph.outputs.items()
        }

    def _asked(
        self, asked: Examples, truth: Array | None
    ) -> Iterator[tuple[slice, list[dict[str, Array]]]]:
        """What each member says, of a few hundred examples at a time."""
        size = max(self.graph[node].value.size for node in self.graph.outputs.values())
        rows = max(1, min(AT_ONCE, HELD // (size * len(self.members))))
        for start in range(0, len(asked), rows):
            part = slice(start, min(start + rows, len(asked)))
            some, true = Part(asked, part), None if truth is None else truth[part]
            yield part, [member.answers(some, true) for member in self.members]

    def _join(
        self, found: Sequence[Mapping[str, Array]], part: slice, results: Mapping[str, Array]
    ) -> None:
        output = self.graph.output.value
        loss = self.training.judged_by(output)
        for name, result in results.items():
            said = [one[name] for one in found]
            result[part] = together(loss if name == self._main else None, output, said)


def compiled(
    graph: Graph,
    *,
    seed: int | None = None,
    dtype: DType = "float32",
    max_memory: MaxMemory = None,
    jit: bool = False,
) -> Net | Ensemble:
    """The net, or the ensemble that its `train(...)` asks for."""
    kind = Ensemble if graph.training.ensemble > 1 else Net
    return kind(graph, seed=seed, dtype=dtype, max_memory=max_memory, jit=jit)


def members(net: Net | Ensemble) -> tuple[Net, ...]:
    return net.members if isinstance(net, Ensemble) else (net,)


def folder(run: str | Path, number: int) -> Path:
    """Where the member of this number keeps its part of a run."""
    return Path(run) / f"member{number}"


def seeds(seed: int, count: int) -> list[int]:
    """The members' seeds; the first is the seed itself, so that its net is the one without the
    others."""
    drawn = stream(seed, "ensemble").integers(0, 2**31, count - 1)
    return [seed, *drawn.tolist()]


def together(loss: Loss | None, output: Value, scores: Sequence[Array]) -> Array:
    """The mean of what the scores (N, *output) of several nets say, as scores again.

    Of probabilities it is the log of their mean, which a softmax gives back; of a yes or no the log
    odds of it. Worked out from logarithms, so that scores of 1e4 are as good as others.
    """
    every = (one.astype(np.float64) for one in scores)
    contained = loss.contains if loss else ()
    with quiet():
        if "softmax" in contained:
            axis = output.channel_axis + 1
            logs = (one - np.logaddexp.reduce(one, axis=axis, keepdims=True) for one in every)
            mean = reduce(np.logaddexp, logs) - np.log(len(scores))
        elif "sigmoid" in contained:
            yes, no = reduce(
                _more_likely, ((-np.logaddexp(0, -o), -np.logaddexp(0, o)) for o in every)
            )
            mean = yes - no
        else:
            mean = reduce(np.add, every) / len(scores)
    return np.asarray(mean.astype(scores[0].dtype))


def _more_likely(one: tuple[Array, Array], other: tuple[Array, Array]) -> tuple[Array, Array]:
    """The logarithms of two sums: of yes, and of no."""
    return np.logaddexp(one[0], other[0]), np.logaddexp(one[1], other[1])
