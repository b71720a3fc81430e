"""What users hold: a net with weights, that trains and answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike

from ..compiler.errors import BadSetting
from ..compiler.graph import Graph
from ..compiler.op import Trait
from ..compiler.plan.build import schedule
from ..compiler.settings import as_text, overridden
from ..compiler.training import Training, unstoppable, unsuitable
from ..grammar.diagnostics import Mistake, SpecError
from ..grammar.quantity import quantity
from .answering import Answering, quiet
from .batches import as_inputs, as_truth, input_slots
from .bind import UNKNOWN, Bound, Preparations, allocate, bind_batch, lane_stream
from .budget import Budget, MaxMemory
from .data import as_seed, parted
from .engine import NUMPY, compiling
from .errors import Diverged, TooMuchMemory, Untrainable
from .examples import Examples, examples
from .folder import kept_in
from .freezing import frozen
from .history import Epoch, History, Step
from .initialise import fill, stream
from .kernels import Array
from .learner import Learner, NotFinite
from .leases import Ledger
from .monitor import Monitor, probe, vitals
from .names import UNNAMED, Names
from .notebook import facts, html
from .read_only import Named
from .remembered import Remembered
from .threads import run
from .train import Run, Watch, train
from .turns import Turns, waits
from .verdicts import verdicts
from .vitals import Vitals
from .weights import write

DType: TypeAlias = Literal["float32", "float64"]

REMEMBERED = 4
"""Batch sizes whose bound schedules are kept."""

AT_ONCE = 256
"""Examples that inference runs at a time."""


class Net(Answering):
    """A compiled spec, ready to run.

    Parameters
    ----------
    graph: the net; its `training` settings hold the loss, the optimiser and their numbers.
    seed: of weights, shuffling and noise; the spec's own where None.
    dtype: "float32" or "float64".
    max_memory: what its arrays may take together, "2GiB" or bytes; 80 % of what is free where None.
    jit: compiled loops in place of NumPy's; needs the extra `jit`.

    Raises SpecError for another dtype, a negative seed, when the weights alone take more memory, or
    where `jit` is asked for and Numba is missing.
    """

    names: Names = UNNAMED

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
        self.seed = graph.training.seed if seed is None else as_seed(seed)
        self.training = alone(graph.training, self.seed)
        self.dtype = _dtype(dtype)
        self.turns = Turns()
        plan = schedule(graph, 1, "infer", float_bytes=self.dtype.itemsize)
        self._memory = allocate(plan, Budget(max_memory), compiling() if jit else NUMPY)
        self._parameters = plan.parameters
        fill(plan.parameters, self._memory.parameters, self._memory.state, self.seed)
        self._streams = {
            name: stream(self.seed, "noise", name)
            for node in graph.nodes
            if Trait.RANDOM in node.op.traits
            for name in (lane_stream(node.name, lane) for lane in range(self._memory.threads))
        }
        self._bound = Remembered(REMEMBERED)
        self._ledger = Ledger()
        self._memory.budget.may_clear(self._bound)
        self._most = AT_ONCE
        self._learner: Learner | None = None
        self._fitting = False

    def __repr__(self) -> str:
        told = facts(self)
        return f"<Net: {told['in']} → {told['out']}, {quantity(self.params, 'parameter')}, {self.dtype}>"

    def _repr_html_(self) -> str:
        return html(self)

    # --------------------------------------------------------------------------------- copies

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy, pickled or not, is a net of its own that goes on as this one would."""
        learned = self._learner
        kept = {
            "training": self.training,
            "weights": self._memory.parameters,
            "state": self._memory.state,
            "noise": {name: rng.bit_generator.state for name, rng in self._streams.items()},
            "steps": None if learned is None else learned.steps,
            "slots": () if learned is None else learned.slots,
            "names": self.names,
        }
        dtype: DType = "float64" if self.dtype.itemsize == 8 else "float32"
        budget = self._memory.budget
        most = budget.most if budget.asked else None
        made = partial(Net, seed=self.seed, dtype=dtype, max_memory=most, jit=self.jit)
        return made, (self.graph,), kept

    def __setstate__(self, kept: dict[str, Any]) -> None:
        self._ledger.changes += 1
        self.training, self.names = kept["training"], kept["names"]
        self._memory.parameters[:] = kept["weights"]
        self._memory.state[:] = kept["state"]
        for name, state in kept["noise"].items():
            if name in self._streams:
                self._streams[name].bit_generator.state = state
        if kept["steps"] is not None:
            self.learner.steps = kept["steps"]
            for mine, slot in zip(self.learner.slots, kept["slots"], strict=True):
                mine[:] = slot

    # ---------------------------------------------------------------------------- the weights

    @property
    def jit(self) -> bool:
        """Whether it runs compiled loops in place of NumPy's."""
        return self._memory.engine is not NUMPY

    @property
    def weights(self) -> Mapping[str, Array]:
        """Every learned array by name, `fc1.weight` (out, in), as writable views.

        As long as somebody holds one of them, what inference makes of the weights beforehand is made
        anew for every batch, for nobody tells when it is written into.
        """
        return Named(self._memory.weights, self._ledger)

    @property
    def state(self) -> Mapping[str, Array]:
        """Running statistics by name, `bn1.mean`, as writable views."""
        return Named(self._memory.statistics, self._ledger)

    @property
    def params(self) -> int:
        """How many numbers it has learned, or begun with: those of frozen layers too."""
        return self._parameters.size

    @property
    def trainable(self) -> int:
        """How many of them are not frozen."""
        return self._parameters.trainable

    def save(self, path: str | Path) -> None:
        """Write weights, statistics, the spec and the classes' names as safetensors; raises
        SpecError."""
        arrays = {**self._memory.weights, **self._memory.statistics}
        write(Path(path), self.graph, arrays, as_text(self.training), self.names)

    # ------------------------------------------------------------------------------ inference

    def __call__(self, x: Any) -> Any:
        """The output for a batch: (N, *input) in, (N, *output) out, noise off; mappings by name where
        there are several. `x` may also be a data set, or items. Raises SpecError when the shapes do
        not suit.
        """
        if type(x) is np.ndarray and (shape := x.shape):
            turns, known = self.turns, self._bound
            with turns.answering:
                short = known.shortcut
                if (short is None or short.shape != shape) and known.get(shape[0]):
                    short = known.shortcut
                if short is not None and short.shape == shape and short.dtype is x.dtype:
                    # Nothing is left to look at: a batch as one before it.
                    _, _, given, made, preparations, function, calls = short
                    if preparations.changes != self._ledger.changes:
                        self._prepare(preparations)
                    given[...] = x
                    turns.silent.run(function, calls)
                    return made.copy()
            # For another batch there may be no room beside the arrays of this one.
            short = None
        return super().__call__(x)

    @waits("answering")
    def answers(self, asked: Examples, truth: Array | None) -> dict[str, Array]:
        """The outputs for some examples, a few at a time; their truth is written to `truth`."""
        count = len(asked)
        results = {
            name: np.empty((count, *self.graph[node].value.shape), self.dtype)
            for name, node in self.graph.outputs.items()
        }
        at_once = self._at_once(count)
        for start in range(0, count, at_once):
            part = slice(start, min(start + at_once, count))
            self._answer(asked, part, results, None if truth is None else truth[part])
        return results

    def _answer(
        self, asked: Examples, part: slice, results: Mapping[str, Array], truth: Array | None
    ) -> None:
        """Run some of the examples; their schedule is let go before that of the next is bound."""
        bound = self.inference(part.stop - part.start)
        asked.fill(np.arange(part.start, part.stop), bound.inputs, truth)
        with quiet():
            bound.run()
        for name, result in results.items():
            result[part] = bound.outputs[name]

    def inference(self, batch: int) -> Bound:
        """The schedule for this many examples: fill its inputs, run it, read its outputs."""
        bind = partial(bind_batch, self.graph, batch, "infer", self._memory, {})
        found = self._bound.asked(batch, bind)
        self._prepare(found.preparations)
        return found

    def _prepare(self, preparations: Preparations) -> None:
        """Make of the weights what inference wants of them, where they may be others than before."""
        ledger = self._ledger
        if preparations.changes == ledger.changes:
            return
        # Looked at before: whoever comes while the calls are made is noticed by the next batch.
        now = UNKNOWN if ledger.writers and preparations.calls else ledger.changes
        with quiet():
            run(preparations.calls)
        preparations.changes = now

    def _at_once(self, count: int) -> int:
        """How many examples are run at a time: as many as there is memory for."""
        most = max(1, min(self._most, count))
        try:
            self.inference(most)
        except SpecError as error:
            fits = [m.fits for m in error.diagnostics if isinstance(m, TooMuchMemory)]
            if not any(fits):
                raise
            self._most = most = fits[0]
        return most

    # ------------------------------------------------------------------------------- training

    @property
    def learner(self) -> Learner:
        """What trains the net under its present settings; raises SpecError when nothing can."""
        if self._learner is None:
            if mistakes := self.untrainable():
                raise SpecError(mistakes)
            self._learner = Learner(self.graph, self.training, self._memory, self._streams)
        return self._learner

    def untrainable(self) -> tuple[Mistake, ...]:
        """What keeps the net from training under its present settings; empty when nothing does."""
        if not self._parameters.size:
            problem = "the net has no weights to train"
            return (Untrainable(None, problem, "add an operator with weights, as `fc`"),)
        if not self._parameters.trainable:
            problem = "every weight of the net is frozen"
            advice = "take away `freeze` from a layer, or call `net.thaw(...)`"
            return (Untrainable(None, problem, advice),)
        inputs = [node.value for node in self.graph.inputs]
        return unsuitable(self.training, inputs, self.graph.output.value)

    @waits("learning")
    def set(self, **settings: object) -> None:
        """Change training settings: ``net.set(l2=1e-4, optimizer="adam(lr=1e-2)")``.

        The optimiser keeps what it remembers where it stays, or only its rate is another. Raises
        SpecError.
        """
        training, mistakes = overridden(self.training, settings)
        if training.ensemble != 1:
            mistakes = (*mistakes, sized_when_compiled())
        if mistakes := (*mistakes, *self._late(training)):
            raise SpecError(mistakes)
        self.adopt(training)

    @waits("learning")
    def adopt(self, training: Training) -> None:
        """Learn by other settings altogether: what is off in them is off from here. The optimiser
        keeps what `set` says. Raises SpecError where they begin with other weights."""
        self._check_idle()
        if mistakes := tuple(self._late(training)):
            raise SpecError(mistakes)
        if self._learner is not None and training != self.training:
            self._learner = self._learner.continued(training)
        self.training = training

    def _late(self, training: Training) -> Iterator[Mistake]:
        """What of other settings can no longer be had."""
        for name in ("init", "seed"):
            if getattr(training, name) != getattr(self.training, name):
                advice = "give it to `nnspec.compile`, or to train(...) in the spec"
                yield BadSetting(None, name, "comes too late: the weights are drawn", advice)

    def _check_idle(self) -> None:
        if self._fitting:
            raise SpecError(
                [Untrainable(None, "the net is being trained", "wait until `fit` ends")]
            )

    @waits("learning")
    def freeze(self, *patterns: str) -> None:
        """Keep weights as they are: ``net.freeze("stage1.*", "conv1")``; a batch norm keeps its
        running statistics too, and uses them in training.

        A pattern means operators, or blocks with all that is in them, by the names that reports show.
        The optimiser begins anew, and views of weights taken before are of the net no more. It is not
        saved with the net: write `freeze` into the spec for that. Raises SpecError where a pattern
        means nothing that has weights.
        """
        self._learn(patterns, freeze=True)

    @waits("learning")
    def thaw(self, *patterns: str) -> None:
        """Let weights learn again that are frozen; the reverse of `freeze`."""
        self._learn(patterns, freeze=False)

    def _learn(self, patterns: tuple[str, ...], *, freeze: bool) -> None:
        self._check_idle()
        graph = frozen(self.graph, patterns, freeze=freeze)
        plan = schedule(graph, 1, "infer", float_bytes=self.dtype.itemsize)
        kept = self._memory
        memory = allocate(plan, kept.budget, kept.engine, kept.threads)
        for name, array in memory.weights.items():
            array[:] = self._memory.weights[name]
        for name, array in memory.statistics.items():
            array[:] = self._memory.statistics[name]
        with self.turns.answering:
            self.graph, self._memory, self._parameters = graph, memory, plan.parameters
            self._bound.clear()
            self._learner = None

    def _filled(self, x: Any, y: ArrayLike) -> Bound:
        """The training schedule for a batch, its inputs and truth in place."""
        learner = self.learner
        if (filled := learner.filled(x, y)) is not None:
            return filled
        inputs, count = as_inputs(self.graph, x, self.dtype)
        truth = as_truth(learner.loss, y, self.graph.output.value, count, self.dtype)
        if not count:
            raise SpecError([Untrainable(None, "there are no examples to train on", "")])
        bound = learner.bound(count)
        for name, array in bound.inputs.items():
            array[:] = inputs[name]
        assert bound.target is not None
        bound.target[:] = truth
        return bound

    @waits("learning")
    def gradients(self, x: Any, y: ArrayLike) -> tuple[float, dict[str, Array]]:
        """The loss of a batch, l2 and l1 included, and its gradient by every weight's name, as
        copies: not clipped."""
        bound = self._filled(x, y)
        with quiet(), self._changing():
            loss = self.learner.gradient(bound)
        found = {name: gradient.copy() for name, gradient in self.learner.memory.gradients.items()}
        for entry in self._parameters.learned:
            if entry.weight.decays:
                own, weight = self.training.of(entry.learning), self.weights[entry.name]
                found[entry.name] += own.l2 * weight + own.l1 * np.sign(weight)
        return loss, found

    @waits("learning")
    def step(self, x: Any, y: ArrayLike) -> float:
        """One training step on a batch; returns its loss, l2 and l1 included, before the step.

        The learning rate is the optimiser's own: schedules need a run, as `fit` has one. Raises
        SpecError, with weights and statistics as they were, when loss or gradient is not finite.
        """
        bound = self._filled(x, y)
        with quiet(), self._changing():
            try:
                return self.learner.step(bound)
            except NotFinite as met:
                broken = self.learner.broken(self._filled(x, y))
                step = self.learner.steps + 1
                found = Diverged(None, met.what, None, step, broken, begins=step == 1)
                raise SpecError([found]) from None

    @waits("learning")
    def fit(
        self,
        x: Any,
        y: Any = None,
        *,
        validation: Any = None,
        on_epoch: Callable[[Epoch], object] | None = None,
        on_step: Callable[[Step], object] | None = None,
        run: str | Path | None = None,
        every: int | None = None,
        resume: bool = False,
        watch: bool = False,
        notes: Mapping[str, object] = MappingProxyType({}),
        **settings: object,
    ) -> History:
        """Train by the spec's `train(...)`, overridden by keyword arguments.

        Parameters
        ----------
        x, y: inputs (N, *input), and labels (N,) or values (N, *output). Without y, x is a data
            set, or anything with a length whose items are pairs (x, y).
        validation: held-out inputs and truth as a tuple, or a set, judged after every epoch; or the
            share of (x, y) to hold out, each class by itself, as 0.2.
        on_epoch: called with each finished epoch; training ends when it returns True.
        on_step: called with each step.
        run: a folder that keeps the run: log, checkpoints, the best weights.
        every: steps between checkpoints, beside those after each epoch.
        watch: look at the net after each epoch: its `vitals`, also in the folder's log.
        notes: what else the folder's `run.json` should tell.
        resume: go on where the run in that folder stood; begin where there is none.
        settings: `epochs=20`, `optimizer="adam(lr=1e-2)"`, ...; they stay set.

        Raises SpecError when data or settings do not suit, or when a number stops being finite; the
        weights of the best epoch are then put back.
        """
        _keepable(run, every, resume=resume)
        self.set(**settings)
        if isinstance(validation, float):
            x, y, validation = parted(x, y, validation, self.seed)
        names = self.names.learning(x)
        x, validation = names.applied(x), names.applied(validation)
        learned = examples(self.graph, self.learner.loss, x, y, self.dtype)
        held = None if validation is None else self.judged(validation, None)
        validate = None if held is None else lambda: self.scores(held)
        output = self.graph.output.value
        if mistakes := unstoppable(self.training, output, held_out=held is not None):
            raise SpecError(mistakes)
        self.names = names
        begun = Run(self.learner, learned, self.seed)
        monitor = Monitor(self.learner, learned) if watch else None
        watched = Watch(validate, on_epoch, on_step, monitor)
        if run is None:
            with quiet(), self._in_training():
                return train(begun, watched)
        keeping = kept_in(
            Path(run), begun, held=held, resume=resume, every=every, notes=notes, names=names
        )
        with quiet(), self._in_training(), keeping as folder:
            history = train(begun, watched, folder)
            if held is not None:
                slots = input_slots(self.graph, self.dtype)
                said = self.answered(held)
                told = verdicts(
                    said.loss, said.output, said.scores, said.truth, held, slots, validation
                )
                folder.examined(told)
        return history

    @waits("learning")
    def vitals(self, x: Any, y: Any = None) -> Vitals:
        """How the net does on examples, at most 256 taken evenly from them: dead and saturated units,
        spread of activations, gradients by layer. Weights, statistics and noise stay as they are.

        Without y, x is a data set, or anything with a length whose items are pairs (x, y). Raises
        SpecError.
        """
        seen = examples(self.graph, self.learner.loss, x, y, self.dtype)
        if not len(seen):
            raise SpecError([Untrainable(None, "there are no examples to look at", "")])
        with quiet():
            return vitals(probe(self.learner, seen), self.learner.memory)

    @contextmanager
    def _in_training(self) -> Iterator[None]:
        """While it goes on, callbacks may look at the net and step it, but not change what trains."""
        self._fitting = True
        try:
            with self._changing():
                yield
        finally:
            self._fitting = False

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """While it goes on, and once it is over, weights are others than before."""
        self._ledger.begin()
        try:
            yield
        finally:
            self._ledger.end()


def alone(training: Training, seed: int) -> Training:
    """The settings of a net by itself, drawn from this seed."""
    own = {"ensemble": 1, "seed": seed}
    changed = {name: worth for name, worth in own.items() if getattr(training, name) != worth}
    return training.model_copy(update=changed) if changed else training


def sized_when_compiled() -> BadSetting:
    advice = "nnspec.compile(..., ensemble=5) makes the members"
    return BadSetting(None, "ensemble", "is chosen when the net is compiled", advice)


def _keepable(run: str | Path | None, every: object, *, resume: bool) -> None:
    """Raise SpecError for what is asked of a run that no folder keeps, or cannot be."""
    counts = isinstance(every, int) and not isinstance(every, bool) and every > 0
    if every is not None and not counts:
        problem = f"is {every!r}, but counts the updates between two checkpoints"
        raise SpecError([BadSetting(None, "every", problem, "give a whole number from 1")])
    for name in ("every",) * (every is not None) + ("resume",) * resume:
        if run is None:
            advice = "name the folder of the run: run=..., or --run on the command line"
            raise SpecError([BadSetting(None, name, "needs a run that is kept", advice)])


def _dtype(given: object) -> np.dtype[Any]:
    """By its name, or as NumPy has it."""
    known = get_args(DType)
    try:
        name = "" if given is None else np.dtype(given).name  # type: ignore[call-overload]
    except TypeError:
        name = ""
    if name not in known:
        advice = f"choose {' or '.join(known)}"
        raise SpecError([BadSetting(None, "dtype", f"cannot be `{given}`", advice)])
    return np.dtype(name)
