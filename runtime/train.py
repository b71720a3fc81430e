"""The loop: epochs of shuffled batches, each epoch judged. It can be put down after any step and
taken up again, to the bit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np

from ..grammar.diagnostics import SpecError
from .augmentations import Augmenter
from .autopsy import in_memory
from .bind import Bound, Memory, aligned
from .errors import Broken, Diverged, Untrainable
from .examples import Examples
from .history import Epoch, History, Scores, Step
from .initialise import stream
from .interrupts import held
from .kernels import Array
from .learner import Horizon, Learner, NotFinite
from .monitor import Monitor
from .threads import suited
from .vitals import Vitals


class Interrupted(KeyboardInterrupt):
    """Somebody asked to stop: the step under way was finished, and kept where a run is kept."""


@dataclass(frozen=True)
class Watch:
    """Who is told what while training goes on.

    Attributes
    ----------
    validate: scores on held-out data, asked after every epoch.
    on_epoch: called with each finished epoch; what returns True ends the training.
    on_step: called with each step.
    monitor: looks at the net after every epoch.
    """

    validate: Callable[[], Scores] | None = None
    on_epoch: Callable[[Epoch], object] | None = None
    on_step: Callable[[Step], object] | None = None
    monitor: Monitor | None = None


class Keeper(Protocol):
    """Who writes a run down while it goes on."""

    def stepped(self, run: Run) -> None: ...

    def judged(self, run: Run, epoch: Epoch) -> None: ...

    def interrupted(self, run: Run) -> None: ...

    def finished(self, run: Run) -> None: ...

    def broken(self, run: Run, why: str) -> None: ...


class Best:
    """The weights and statistics of the best epoch; those before the first where none was good."""

    def __init__(self, memory: Memory) -> None:
        self.epoch = 0
        self.worth = float("-inf")
        dtype, budget = memory.parameters.dtype, memory.budget
        self.parameters = aligned(memory.parameters.size, dtype, budget)
        self.state = aligned(memory.state.size, dtype, budget)
        self.take(memory, self.epoch, self.worth)

    def take(self, memory: Memory, epoch: int, worth: float) -> None:
        self.epoch, self.worth = epoch, worth
        np.copyto(self.parameters, memory.parameters)
        np.copyto(self.state, memory.state)

    def put_back(self, memory: Memory) -> None:
        np.copyto(memory.parameters, self.parameters)
        np.copyto(memory.state, self.state)


class Run:
    """A training run, and where it stands.

    Attributes
    ----------
    epochs: the finished ones.
    order: the examples of the epoch under way, as they come; empty between epochs.
    step, total, norms, seconds: its updates so far, their summed losses and lengths of gradients, the
        time they took.
    best: of the finished epochs, with their weights.
    before: the weights before the last update of the epoch; None where nobody asks for them.
    stopped: why it ended before its last epoch; empty while it goes on.
    """

    def __init__(self, learner: Learner, examples: Examples, seed: int) -> None:
        if not len(examples):
            raise SpecError([Untrainable(None, "there are no examples to train on", "")])
        self.learner = learner
        self.examples = examples
        self.seed = seed
        self.settings = learner.training
        count = len(examples)
        whole = self.settings.optimizer.whole_set
        self.batch = count if whole else min(self.settings.batch, count)
        self.steps = -(-count // self.batch)
        self._check_batches(count)
        self._check_weights()
        self._shuffle = stream(seed, "shuffle")
        dtype = learner.memory.parameters.dtype
        self._augmenter = Augmenter(self.settings.augment, learner.graph, seed, dtype)
        self.epochs: list[Epoch] = []
        self.order = np.empty(0, np.int64)
        self.step = 0
        self.total = 0.0
        self.norms = 0.0
        self.seconds = 0.0
        self.best = Best(learner.memory)
        self.before: Array | None = None
        self.stopped = ""
        self.begun = learner.steps

    def _check_batches(self, count: int) -> None:
        """Raise SpecError where a batch would have too few examples for an operator."""
        least = count - (self.steps - 1) * self.batch
        for node in self.learner.graph.nodes:
            if node.is_input or node.frozen or node.op.fewest(*node.arrivals) <= least:
                continue
            last = "the last batch of an epoch" if self.steps > 1 else "a batch"
            problem = f"`{node.name}` needs two examples to know a spread, but {last} has {least}"
            fits = next((b for b in range(self.batch + 1, count + 1) if count % b != 1), 0)
            advice = f"take `batch = {fits}`" if fits else "give it more examples"
            raise SpecError([Untrainable(None, problem, advice)])

    def _check_weights(self) -> None:
        """Raise SpecError for weights or statistics that no training can mend."""
        if found := in_memory(self.learner.memory):
            problem = f"before training: {found.where}"
            advice = "give the net weights that are finite, or compile it anew"
            raise SpecError([Untrainable(None, problem, advice)])

    @property
    def streams(self) -> dict[str, np.random.Generator]:
        """Every random stream that the run draws from."""
        noise = {f"noise {name}": rng for name, rng in self.learner.streams.items()}
        varied = {f"augment {name}": rng for name, rng in self._augmenter.streams.items()}
        return {"shuffle": self._shuffle, **noise, **varied}

    @property
    def horizon(self) -> Horizon:
        return Horizon(self.steps, self.settings.epochs, self.begun)

    def rate_planned_for(self, epochs: int) -> float:
        """The learning rate of the next update in a run of so many epochs."""
        settings, done = self.settings, self.learner.steps - self.begun
        return settings.optimizer.lr * settings.schedule.factor(done, self.steps, epochs)

    @property
    def over(self) -> bool:
        return bool(self.stopped) or len(self.epochs) >= self.settings.epochs

    @property
    def history(self) -> History:
        return History(tuple(self.epochs), self.best.epoch, self.stopped)

    # ------------------------------------------------------------------------------ going on

    def deal(self) -> None:
        """Shuffle the examples of the next epoch, unless one is under way."""
        if not len(self.order):
            count = len(self.examples)
            alone = self.batch == count
            self.order = np.arange(count) if alone else self._shuffle.permutation(count)

    def advance(self) -> Step:
        """One update; raises SpecError when a number is no longer finite, before it harms."""
        chosen = self.order[self.step * self.batch : (self.step + 1) * self.batch]
        bound = self.learner.bound(len(chosen))
        drawn = self._augmenter.drawn
        self._fill(bound, chosen)
        try:
            loss = self.learner.step(bound)
        except NotFinite as met:
            self._augmenter.drawn = drawn
            self._fill(bound, chosen)
            raise self._diverged(met.what, self.learner.broken(bound, chosen)) from None
        self.total += loss * len(chosen)
        self.norms += self.learner.gradient_norm
        self.step += 1
        rate, norm = self.learner.rate, self.learner.gradient_norm
        return Step(len(self.epochs) + 1, self.step, self.steps, loss, rate, norm)

    def _fill(self, bound: Bound, chosen: Array) -> None:
        assert bound.target is not None
        self.examples.fill(chosen, bound.inputs, bound.target)
        self._augmenter(bound.inputs, bound.target)

    def judge(
        self,
        validate: Callable[[], Scores] | None,
        look: Callable[[Array | None], Vitals] | None = None,
    ) -> Epoch:
        """Finish the epoch under way, and see whether it is the best."""
        self.check()
        memory = self.learner.memory
        count, number = len(self.order), len(self.epochs) + 1
        scores = validate() if validate else None
        rate, norm = self.learner.rate, self.norms / self.steps
        seen = look(self.before) if look else None
        epoch = Epoch(number, self.total / count, self.seconds, count, scores, rate, norm, seen)
        self.epochs.append(epoch)
        self.order, self.step, self.seconds = self.order[:0], 0, 0.0
        self.total = self.norms = 0.0
        if self.better(epoch, self.best.worth):
            self.best.take(memory, number, self.worth(epoch))
        if (stop := self.settings.early_stop) and not self.over:
            self.stopped = stop.reason(number - self.best.epoch)
        return epoch

    def worth(self, epoch: Epoch) -> float:
        """How good an epoch is by the metric that early stopping names, or by its loss."""
        stop = self.settings.early_stop
        return epoch.worth(stop.metric if stop else "loss")

    def better(self, epoch: Epoch, best: float) -> bool:
        stop = self.settings.early_stop
        return self.worth(epoch) > best + (stop.by if stop else 0.0)

    def remember(self) -> None:
        """Keep the weights as they are before an update."""
        if self.before is None:
            self.before = np.empty_like(self.learner.memory.parameters)
        np.copyto(self.before, self.learner.memory.parameters)

    def check(self) -> None:
        """Raise SpecError when a weight or a running statistic is no longer finite: a loss tells of
        the weights before its step, and nothing yet of those behind it."""
        memory = self.learner.memory
        if not (np.isfinite(memory.parameters).all() and np.isfinite(memory.state).all()):
            self.step -= 1
            raise self._diverged("the weights are no longer finite", in_memory(memory))

    def _diverged(self, what: str, broken: Broken) -> SpecError:
        """Put the best weights back; the error that says why."""
        self.best.put_back(self.learner.memory)
        epoch, begins = len(self.epochs) + 1, self.learner.steps == self.begun
        kept = self.best.epoch
        return SpecError([Diverged(None, what, epoch, self.step + 1, broken, begins, kept)])

    # ------------------------------------------------------------------- put down, taken up

    def standing(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """Everything that the rest of the run depends on: arrays, and what JSON can hold."""
        memory = self.learner.memory
        arrays = {
            "parameters": memory.parameters,
            "state": memory.state,
            **{f"slot {number}": slot for number, slot in enumerate(self.learner.slots)},
            "order": self.order,
            "best parameters": self.best.parameters,
            "best state": self.best.state,
        }
        if self.before is not None and self.step == self.steps:
            arrays["before"] = self.before
        facts = {
            "seed": self.seed,
            "examples": len(self.examples),
            "begun": self.begun,
            "updates": self.learner.steps,
            "lr": self.learner.rate,
            "epochs": [asdict(epoch) for epoch in self.epochs],
            "step": self.step,
            "total": self.total,
            "norms": self.norms,
            "seconds": self.seconds,
            "best": [self.best.epoch, self.best.worth],
            "stopped": self.stopped,
            "streams": {name: rng.bit_generator.state for name, rng in self.streams.items()},
        }
        return arrays, facts

    def take_up(self, arrays: Mapping[str, Array], facts: Mapping[str, Any]) -> None:
        """Stand where another run stood when it was put down."""
        here, _ = self.standing()
        for name, array in here.items():
            if name != "order":
                np.copyto(array, arrays[name])
        self.order = arrays["order"].copy()
        self.before = arrays.get("before")
        self.begun, self.learner.steps = facts["begun"], facts["updates"]
        self.learner.rate = facts["lr"]
        self.epochs = [Epoch.of(row) for row in facts["epochs"]]
        self.step, self.seconds = facts["step"], facts["seconds"]
        self.total, self.norms = facts["total"], facts["norms"]
        self.best.epoch, self.best.worth = facts["best"]
        self.stopped = facts["stopped"]
        for name, rng in self.streams.items():
            if name in facts["streams"]:
                rng.bit_generator.state = facts["streams"][name]


def train(run: Run, watch: Watch, keeper: Keeper | None = None) -> History:
    """Train until the last epoch, or an earlier end; raises SpecError when the loss diverges, and
    Interrupted after the step during which Ctrl-C came."""
    with held() as asked, run.learner.towards(run.horizon), _told_of_failure(run, keeper):
        while not run.over:
            run.deal()
            begun, before = time.perf_counter(), run.seconds
            with suited(run.learner.graph, run.batch):
                while run.step < run.steps:
                    if watch.monitor and run.step == run.steps - 1:
                        run.remember()
                    step = run.advance()
                    run.seconds = before + time.perf_counter() - begun
                    if watch.on_step:
                        watch.on_step(step)
                    if asked.to_stop:
                        raise _interrupted(run, keeper)
                    if keeper:
                        keeper.stepped(run)
            epoch = run.judge(watch.validate, watch.monitor.look if watch.monitor else None)
            # Kept first: a callback that fails loses nothing, and one that ends training can be
            # overruled by going on.
            if keeper:
                keeper.judged(run, epoch)
            if watch.on_epoch and watch.on_epoch(epoch) is True and not run.over:
                run.stopped = "on_epoch asked to"
            if asked.to_stop and not run.over:
                raise _interrupted(run, keeper)
    if keeper:
        keeper.finished(run)
    if run.settings.early_stop:
        run.best.put_back(run.learner.memory)
    return run.history


@contextmanager
def _told_of_failure(run: Run, keeper: Keeper | None) -> Iterator[None]:
    """Let the keeper know how a run ended that diverged."""
    try:
        yield
    except SpecError as error:
        if keeper and isinstance(error.diagnostics[0], Diverged):
            keeper.broken(run, error.diagnostics[0].message())
        raise


def _interrupted(run: Run, keeper: Keeper | None) -> Interrupted:
    if keeper:
        keeper.interrupted(run)
    place = f"step {run.step} of epoch {len(run.epochs) + 1}" if run.step else ""
    return Interrupted(f"stopped after {place or f'epoch {len(run.epochs)}'}")
