"""What an examination means: each thing that is wrong by its name, with the numbers that show it and
what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import log10
from statistics import median

from ..compiler.op import Trait
from ..grammar.diagnostics import Mistake
from ..grammar.quantity import quantity
from .causes import first_causes
from .examination import Examination
from .history import Scores
from .judge import guesses
from .progress import percent
from .vitals import LayerVitals, share

LARGE, SMALL = 10.0, 0.01
"""Sizes of inputs and of values to predict that training copes with."""
APART = 30.0
"""How many times the usual spread one column may have."""
SURPRISED = 3.0
"""The first loss, as a multiple of that of a net that says nothing, from which the start is wrong."""
VANISHED = 1e-3
"""The gradient of the first layer, as a share of the last's, that is too little to learn from."""
FAINT = 0.01
"""The same where the trial taught it nothing."""
FADED, GROWN = 0.01, 30.0
"""The spread behind the last hidden layer, as a multiple of the inputs'."""
DEAD = 0.4
SATURATED_AT_FIRST, SATURATED = 0.3, 0.8
TOO_HIGH, TOO_LOW = 5.0, 0.1
"""How far above and below the rates that learn the spec's own may be."""
LEAST_UPDATE, SMALL_UPDATE, MOST_UPDATE = 1e-5, 3e-4, 0.1
"""What an update should move weights by, as a share of their size; about 1e-3 is usual, and
less than the second is too little where the trial taught it nothing."""
LEFT = 0.5
"""The share of the loss that may be left after the trial where the rate is low."""
UNBALANCED = 10.0
GAP = 0.1
"""The accuracy, or r2, that may be lost on examples not seen; of few examples more, for two standard
errors of a share are at most one over the root of their number."""
RISEN = 1.5
"""The last held-out loss, as a multiple of the best, that shows overfitting."""


@dataclass(frozen=True)
class Finding:
    """Something that is wrong.

    Attributes
    ----------
    name: `rate-too-high`. says: what is wrong, in a line. evidence: the numbers that show it.
    advice: what to do, the best first.
    follows: the name of another finding that may well be its cause; empty where there is none.
    """

    name: str
    says: str
    evidence: str
    advice: tuple[str, ...]
    follows: str = field(default="")


Check = Callable[[Examination], Iterator[Finding]]

# --------------------------------------------------------------------------------------- data


def inputs(found: Examination) -> Iterator[Finding]:
    """CS231n, neural networks 2, "Data preprocessing"."""
    size, apart = found.inputs.size, found.inputs.apart
    remedy = (
        "bring every column to mean 0 and deviation 1 before training",
        "or let the net do it: put `bn` right behind the input",
    )
    told = f"mean {found.inputs.mean:.3g}, deviation {found.inputs.std:.3g}"
    if found.inputs.normed:
        return
    if not SMALL <= size <= LARGE:
        what = "large" if size > LARGE else "small"
        yield Finding("inputs-not-scaled", f"the inputs are too {what}", told, remedy)
    elif apart > APART:
        says = "the columns of the input differ widely in scale"
        told = f"{told}; one column spreads {apart:,.0f} times as far as the usual one"
        yield Finding("inputs-not-scaled", says, told, remedy)


def targets(found: Examination) -> Iterator[Finding]:
    """CS231n, neural networks 2, "Regression": a net hardly reaches numbers far from 0."""
    if found.truth is not None and not SMALL <= found.truth <= LARGE:
        what = "large" if found.truth > LARGE else "small"
        yield Finding(
            "targets-not-scaled",
            f"the values to predict are too {what}",
            f"their root mean square is {found.truth:.4g}",
            ("bring them to mean 0 and deviation 1, and answers back afterwards",),
        )


def balance(found: Examination) -> Iterator[Finding]:
    counts = found.counts
    if len(counts) < 2 or max(counts) <= UNBALANCED * min(counts):
        return
    names = found.learned.classes or tuple(map(str, range(len(counts))))
    most, least = counts.index(max(counts)), counts.index(min(counts))
    guess = max(counts) / sum(counts)
    weights = ", ".join(f"{sum(counts) / len(counts) / max(1, n):.2g}" for n in counts[:12])
    listed = f"weights=({weights}{', ...' if len(counts) > 12 else ''})"
    weighted = getattr(found.graph.training.loss, "weights", None) is not None
    yield Finding(
        "unbalanced",
        "some classes have far fewer examples than others",
        f"`{names[most]}` has {counts[most]:,}, `{names[least]}` {counts[least]:,}; always saying "
        f"`{names[most]}` is right in {percent(guess)}",
        (
            *(
                []
                if weighted
                else [f"let rare classes count for more: loss = cross_entropy({listed})"]
            ),
            "judge by recall and f1 of each class (`nnspec evaluate`), not by accuracy",
        ),
    )


# ---------------------------------------------------------------------------------- the start


def alike(found: Examination) -> Iterator[Finding]:
    """CS231n, neural networks 2, "Pitfall: all zero initialization"."""
    if found.alike:
        yield Finding(
            "begins-alike",
            f"all neurons of {_listed(found.alike)} begin the same, and stay so: they count as one",
            "their weights are equal, and so are their gradients",
            ("draw them at random: take away `init=zeros`, or write init=he (relu), init=xavier",),
        )


def first_loss(found: Examination) -> Iterator[Finding]:
    """CS231n, neural networks 3, "Look for correct loss at chance performance"."""
    if found.first > SURPRISED * found.silent:
        yield Finding(
            "first-loss",
            "before any training it is sure of wrong answers",
            f"its loss is {figure(found.first)}; a net that says nothing has {figure(found.silent)}",
            (
                "begin with smaller weights in the last layer: fc…(init=normal(0.01))",
                "or centre and scale the inputs, or put a norm (`bn`, `ln`) before the last layer",
            ),
        )


def signal(found: Examination) -> Iterator[Finding]:
    """CS231n, neural networks 2, "Calibrating the variances with 1/sqrt(n)"."""
    hidden = [layer for layer in found.start.layers if layer.gradient is not None][:-1]
    before = 1.0 if found.inputs.normed else found.inputs.size
    if not hidden or not before:
        return
    left = hidden[-1].std / before
    told = ", ".join(f"{layer.layer} {layer.std:.2g}" for layer in _some(hidden))
    told = f"deviation by layer: {told}; the inputs have {before:.2g}"
    remedy = (
        *([_FAN_IN] if _starts(found) else []),
        *([] if _normed_throughout(found) else ["put a norm (`bn`, `ln`) behind every layer"]),
    )
    if left < FADED:
        yield Finding("signal-fades", "activations fade from layer to layer", told, remedy)
    elif left > GROWN:
        yield Finding("signal-grows", "activations grow from layer to layer", told, remedy)


_FAN_IN = "let weights begin by their fan-in: init=he before relu, init=xavier before tanh"


def _starts(found: Examination) -> bool:
    """Whether the spec says how weights begin: where it does not, it is by their fan-in."""
    starts = [getattr(node.op, "init", None) for node in found.graph.nodes if node.own]
    return found.graph.training.init is not None or any(starts)


def _normed_throughout(found: Examination) -> bool:
    traits = [node.op.traits for node in found.graph.nodes]
    norms = sum(1 for each in traits if Trait.NORMALISES in each)
    return norms >= sum(1 for each in traits if Trait.NEURONS in each) - 1


def flow(found: Examination) -> Iterator[Finding]:
    """CS231n, neural networks 3, "Activation / gradient distributions per layer"."""
    passed = found.start.flow
    least = FAINT if _stuck(found) else VANISHED
    if not passed or least <= passed <= 1 / VANISHED:
        return
    learning = [layer for layer in found.start.layers if layer.gradient is not None]
    told = ", ".join(f"{layer.layer} {layer.gradient:.1e}" for layer in _some(learning))
    told = f"root mean square by layer: {told}; first/last {passed:.1e}"
    gone = passed < 1
    saturating = any(
        Trait.SATURATES in node.op.traits and node.layer != found.graph.output.layer
        for node in found.graph.nodes
    )
    unclipped = found.graph.training.clip is None
    yield Finding(
        "vanishing-gradient" if gone else "exploding-gradient",
        "the first layers hardly get a gradient" if gone else "gradients grow on the way back",
        told,
        (
            *(["use relu in place of sigmoid and tanh in hidden layers"] if saturating else []),
            *([] if _normed_throughout(found) else ["put `bn` behind every layer"]),
            "add[ ... | id ] around pairs of layers",
            *(["clip the gradient: clip = 1.0"] if unclipped and not gone else []),
            *(_by_heart(found) if gone else ()),
        ),
    )


def saturated(found: Examination) -> Iterator[Finding]:
    """CS231n, neural networks 1, "Sigmoid": sigmoids saturate and kill gradients."""
    ends = _last(found)
    early = list(_hidden(found, found.start.layers, "saturated"))
    late = list(_hidden(found, ends, "saturated"))
    first = [one for one in early if (one.saturated or 0) > SATURATED_AT_FIRST]
    last = [one for one in late if (one.saturated or 0) > SATURATED]
    if first or last:
        when = "before any training" if first else "after the trial"
        told = ", ".join(f"{one.layer} {share(one.saturated)}" for one in _some(first or last))
        yield Finding(
            "saturated",
            f"sigmoids or tanhs sit where their slope is below 1 % of the largest, {when}",
            told,
            (
                "use relu in hidden layers",
                "or begin with smaller weights (init=xavier), or put `bn` before the activation",
            ),
        )


def dead(found: Examination) -> Iterator[Finding]:
    """CS231n, neural networks 1, "ReLU": units can die."""
    gone = [one for one in _last(found) if (one.dead or 0) > DEAD]
    if gone:
        told = ", ".join(f"{one.layer} {share(one.dead)}" for one in _some(gone))
        yield Finding(
            "dead-units",
            "rectified units give 0 on every example, so they learn nothing any more",
            f"dead after the trial: {told}",
            ("lower the learning rate", "or use lrelu or elu, which never go flat"),
        )


def no_gradient(found: Examination) -> Iterator[Finding]:
    after = {one.layer: one for one in _last(found)}
    deaf = [
        layer.layer
        for layer in found.start.layers
        if layer.gradient == 0 and after.get(layer.layer, layer).gradient == 0
    ]
    if deaf:
        flat = [node.name for node in found.graph.nodes if Trait.NO_GRADIENT in node.op.traits]
        cause = f"`{flat[0]}` has slope 0 everywhere: use relu or sigmoid" if flat else ""
        yield Finding(
            "no-gradient",
            f"no gradient reaches {_listed(deaf)}: these weights never move",
            _zeros(found, "their gradient is 0 before training, and after the trial"),
            (cause or "look for what is flat behind them: dead relus, weights that are 0",),
        )


# --------------------------------------------------------------------------------- being tried


def memory(found: Examination) -> Iterator[Finding]:
    """CS231n, neural networks 3, "Overfit a tiny subset of data"."""
    tried = found.memorised
    if tried.ok:
        return
    told = (
        f"after {tried.steps:,} steps the loss of {tried.examples} examples is {figure(tried.loss)}; "
        f"{figure(tried.goal)} was to be reached, without noise and penalties, by {tried.optimizer}"
    )
    advice = ["give it more neurons, or a hidden layer more"]
    if tried.contradictions:
        told += f"; {tried.contradictions} of them contradict each other"
        advice.insert(0, "look at the labels: the same input has different truths")
    yield Finding(
        "cannot-memorise",
        "it cannot learn even a handful of examples by heart",
        told,
        (*advice, "see what `nnspec check` says of the spec; do inputs and truth belong together?"),
    )


def rate(found: Examination) -> Iterator[Finding]:
    """CS231n, neural networks 3, "Loss function": what the rate does to it."""
    tried, optimizer = found.rates, found.graph.training.optimizer
    update = _usual_update(found)
    beyond = "and rises beyond" if tried.ends else "the highest that was tried"
    told = f"the loss falls from {tried.lowest:.1g} to {tried.highest:.1g}, {beyond}"
    hasty = (update or 0) > MOST_UPDATE and optimizer.lr > tried.suggested
    high = optimizer.lr > TOO_HIGH * tried.highest or hasty
    if not tried.learns:
        return
    if high:
        says = f"the learning rate {optimizer.lr:g} is too high"
        most = _largest_update(found)
        moved = f"; updates moved weights by up to {most:.1e} of their size"
        told += moved if most > MOST_UPDATE else ""
        advice = _rated(found, tried.suggested) or _rated(found, optimizer.lr / TOO_HIGH)
        yield Finding("rate-too-high", says, told, advice)
    elif _slow(found) and _too_low(found, update):
        says = f"the learning rate {optimizer.lr:g} is too low"
        if update is not None and update < SMALL_UPDATE:
            told += f"; an update moves weights by {update:.1e} of their size, 1e-03 is usual"
        faster = max(tried.suggested, min(tried.highest / 2, optimizer.lr / TOO_LOW))
        yield Finding("rate-too-low", says, told, _rated(found, faster))


def _too_low(found: Examination, update: float | None) -> bool:
    """By the rates that learn, or by how little updates move, of which less proof is needed where the
    trial taught it nothing; not where it is near the highest that learns."""
    tried, lr = found.rates, found.graph.training.optimizer.lr
    least = SMALL_UPDATE if _stuck(found) else LEAST_UPDATE
    still = update is not None and update < least
    return lr <= tried.highest / 2 and (lr < TOO_LOW * tried.lowest or still)


def _rated(found: Examination, rate: float) -> tuple[str, ...]:
    """The advice to learn by another rate; none where it is the spec's own."""
    optimizer, better = found.graph.training.optimizer, rounded(rate)
    if better == rounded(optimizer.lr):
        return ()
    return (f"optimizer = {optimizer.name}(lr={better:g})",)


def _by_heart(found: Examination) -> tuple[str, ...]:
    """The advice to learn by what learned a few examples by heart, where the spec's own did not."""
    few = found.memorised
    if not few.ok or few.own:
        return ()
    return (f"optimizer = {few.optimizer}: it learned {few.examples} examples by heart",)


def _slow(found: Examination) -> bool:
    """Whether the trial left most of the loss."""
    epochs = found.trial.epochs
    return bool(epochs) and epochs[-1].loss > LEFT * min(found.first, found.silent)


def diverges(found: Examination) -> Iterator[Finding]:
    if found.trial.diverged:
        yield Finding(
            "diverges",
            "training runs into numbers that are not finite",
            found.trial.diverged,
            (
                "lower the learning rate",
                *(["clip the gradient: clip = 1.0"] if found.graph.training.clip is None else []),
                *(["scale the inputs"] if any(inputs(found)) else []),
            ),
        )


def learns(found: Examination) -> Iterator[Finding]:
    scores = found.trial.learned
    if scores is None:
        return
    guess = _guessing(found)
    told = f"after {_epochs(found)} on what it learns from: {_scored(scores)}; {guess[1]}"
    if guess[0]:
        rates = _rated(found, found.rates.suggested) if found.rates.learns else ()
        yield Finding(
            "learns-nothing",
            "after the trial it is no better than guessing",
            told,
            (*rates, *_by_heart(found), _longer(found)),
        )


def _longer(found: Examination) -> str:
    trial = found.trial
    if len(trial.epochs) < trial.of:
        return f"look longer: these were {len(trial.epochs):,} of the spec's {trial.of:,} epochs"
    return f"more epochs than {trial.of:,}"


def _stuck(found: Examination) -> bool:
    return found.trial.learned is not None and _guessing(found)[0]


def _guessing(found: Examination) -> tuple[bool, str]:
    """Whether it does no better than to say always the same, and what that comes to."""
    scores = found.trial.learned
    assert scores is not None
    if scores.accuracy is not None and any(found.counts):
        guess = max(found.counts) / sum(found.counts)
        told = f"always saying the same is right in {percent(guess)}"
        return guesses(scores.accuracy, found.counts), told
    if scores.r2 is not None:
        return scores.r2 <= 0.02, "always saying the mean has r2 0"
    return scores.loss >= 0.98 * found.silent, f"saying nothing has loss {figure(found.silent)}"


def overfits(found: Examination) -> Iterator[Finding]:
    """CS231n, neural networks 3, "Train/val accuracy"."""
    seen, unseen = found.trial.learned, found.trial.held
    if seen is None or unseen is None:
        return
    if _guessing(found)[0]:
        return
    pairs = ((seen.accuracy, unseen.accuracy), (seen.r2, unseen.r2))
    gap = max((a - b for a, b in pairs if a is not None and b is not None), default=0.0)
    held = [epoch.validation.loss for epoch in found.trial.epochs if epoch.validation]
    best = min(range(len(held)), key=held.__getitem__) + 1 if held else 0
    risen = bool(held) and held[-1] > RISEN * held[best - 1] and gap > GAP / 2
    if gap <= max(GAP, float(len(found.held)) ** -0.5) and not risen:
        return
    told = f"{_scored(seen)} on what it learns from, {_scored(unseen)} on what is held out"
    if best and best < len(held):
        told += f"; the held-out loss was best at epoch {best} of {len(held)}"
    yield Finding("overfits", "it learns by heart what does not carry over", told, _against(found))


def _against(found: Examination) -> tuple[str, ...]:
    """What the spec does not have yet of what helps against overfitting."""
    settings, value = found.graph.training, found.graph.inputs[0].value
    dropout = any(Trait.RANDOM in node.op.traits for node in found.graph.nodes)
    remedies = {
        "weights kept small: l2 = 1e-3": not settings.l2,
        "dropout0.5 behind the larger layers": not dropout,
        "pictures varied: augment = (flip, shift(2))": value.rank == 3 and not settings.augment,
        "stopping in time: early_stop = 10": settings.early_stop is None,
    }
    return (*(text for text, missing in remedies.items() if missing), "more examples")


# ------------------------------------------------------------------------------------- in all

CHECKS: tuple[Check, ...] = (
    inputs,  # causes before what they cause
    targets,
    alike,
    signal,
    rate,
    saturated,
    no_gradient,
    flow,
    first_loss,
    diverges,
    dead,
    memory,
    learns,
    overfits,
    balance,
)


def findings(found: Examination, remarks: Sequence[Mistake] = ()) -> tuple[Finding, ...]:
    """All that is wrong: causes first, then what may follow from them. `remarks` are what the linter
    says keeps the net from learning: they come before what was measured."""
    known = tuple(_remarked(remarks))
    seen = [*known, *(finding for check in CHECKS for finding in check(found))]
    causes = first_causes([f.name for f in seen], [f.name for f in known])
    placed = [replace(finding, follows=causes[finding.name]) for finding in seen]
    return tuple(sorted(placed, key=lambda finding: bool(finding.follows)))


def _remarked(remarks: Sequence[Mistake]) -> Iterator[Finding]:
    """Each kind of remark once, with all its places."""
    for code in dict.fromkeys(remark.code for remark in remarks):
        same = [remark for remark in remarks if remark.code == code]
        places = ", ".join(str(remark.span) for remark in same[:3] if remark.span)
        more = f" and {len(same) - 3:,} more" if len(same) > 3 else ""
        told = f"{code}, seen by reading the spec" + (f": {places}{more}" if places else "")
        first = same[0]
        yield Finding(first.name, first.message(), told, (first.help(),) if first.help() else ())


def rounded(worth: float) -> float:
    """One figure: 0.0174 is 0.02."""
    return float(f"{worth:.0e}") if worth > 0 and abs(log10(worth)) < 300 else worth


def figure(loss: float) -> str:
    """Three figures."""
    return f"{loss:.3g}" if abs(loss) < 1e5 else f"{loss:.2e}"


def _some(layers: list[LayerVitals]) -> list[LayerVitals]:
    """The first and last of many."""
    return layers if len(layers) <= 6 else [*layers[:3], *layers[-3:]]


def _listed(names: tuple[str, ...] | list[str]) -> str:
    told = [f"`{name}`" for name in names[:4]]
    return ", ".join(told) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _hidden(
    found: Examination, layers: tuple[LayerVitals, ...], what: str
) -> Iterator[LayerVitals]:
    for layer in layers:
        if getattr(layer, what) is not None and layer.layer != found.graph.output.layer:
            yield layer


def _last(found: Examination) -> tuple[LayerVitals, ...]:
    """Vitals after the trial; before it where there are no later ones."""
    epochs = found.trial.epochs
    seen = epochs[-1].vitals if epochs else None
    return (seen or found.start).layers


def _usual_update(found: Examination) -> float | None:
    """The median over the epochs of the trial."""
    seen = [epoch.vitals.update for epoch in found.trial.epochs if epoch.vitals]
    told = [update for update in seen if update is not None]
    return median(told) if told else None


def _largest_update(found: Examination) -> float:
    """Over the epochs of the trial; 0 where none was seen."""
    seen = [epoch.vitals.update for epoch in found.trial.epochs if epoch.vitals]
    return max((update for update in seen if update is not None), default=0.0)


def zero_layers(found: Examination) -> list[str]:
    """The layers that begin with weights that are all 0."""
    return [
        weight.weight.rpartition(".")[0]
        for weight in found.start.weights
        if weight.matrix and weight.rms == 0
    ]


def _zeros(found: Examination, evidence: str) -> str:
    """The evidence, and what zero weights have to do with it."""
    empty = zero_layers(found)
    told = f"; {_listed(empty)} begin with weights of 0: zero weights give no gradient to the layers below"
    return evidence + (told if empty else "")


def _epochs(found: Examination) -> str:
    return quantity(len(found.trial.epochs), "epoch")


def _scored(scores: Scores) -> str:
    if scores.accuracy is not None:
        return f"accuracy {percent(scores.accuracy)}"
    return f"loss {figure(scores.loss)}" + ("" if scores.r2 is None else f", r2 {scores.r2:.2f}")
