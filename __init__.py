"""nnspec: the language, compiler, linter and runtime for neural networks.

>>> import nnspec
>>> nnspec.analyze("3 -> fc4 relu -> fc4 relu -> fc1").params
41

Names are looked up on first use, so that ``import nnspec`` costs no NumPy, networkx or pydantic.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, overload

from nnspec.grammar.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike
    from pathlib import Path
    from typing import Literal

    from nnspec import sklearn as sklearn
    from nnspec.analyzers.compare import Comparison
    from nnspec.analyzers.plan import Plan
    from nnspec.analyzers.report import Report
    from nnspec.analyzers.runs import Metric, Runs
    from nnspec.compiler.graph import Graph
    from nnspec.compiler.plan.schedule import Mode
    from nnspec.compiler.targets.mermaid import Diagram
    from nnspec.grammar.diagnostics import SpecError
    from nnspec.grammar.limits import Limits
    from nnspec.runtime.bench import Bench
    from nnspec.runtime.budget import MaxMemory
    from nnspec.runtime.data import load as load_data
    from nnspec.runtime.dataset import Dataset
    from nnspec.runtime.ensemble import Ensemble
    from nnspec.runtime.events import Events
    from nnspec.runtime.findings import Finding
    from nnspec.runtime.gradcheck import GradCheck
    from nnspec.runtime.history import History
    from nnspec.runtime.load import load
    from nnspec.runtime.net import DType, Net
    from nnspec.runtime.profile import Profile

__version__ = VERSION
__all__ = [
    "Ensemble",
    "Limits",
    "Net",
    "Report",
    "SpecError",
    "__version__",
    "analyze",
    "bench",
    "compile",
    "curves",
    "diff",
    "docs",
    "doctor",
    "draw",
    "fix",
    "format",
    "gradcheck",
    "graph",
    "load",
    "load_data",
    "plan",
    "profile",
    "report",
    "runs",
    "tensorboard",
]

_HOME = {
    "Ensemble": ("nnspec.runtime.ensemble", "Ensemble"),
    "Limits": ("nnspec.grammar.limits", "Limits"),
    "Net": ("nnspec.runtime.net", "Net"),
    "Report": ("nnspec.analyzers.report", "Report"),
    "SpecError": ("nnspec.grammar.diagnostics", "SpecError"),
    "load": ("nnspec.runtime.load", "load"),
    "load_data": ("nnspec.runtime.data", "load"),
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        module, attribute = _HOME[name]
        return getattr(import_module(module), attribute)
    if name == "sklearn":
        return sys.modules["nnspec.sklearn"]
    raise AttributeError(f"module 'nnspec' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


class _Face(ModuleType):
    """A public module whose names live in a room, which is loaded on first use of one of them."""

    def __init__(self, name: str, home: str, names: tuple[str, ...]) -> None:
        super().__init__(name, f"The public names of `{home}`.")
        self._home = home
        self.__all__ = names

    def __getattr__(self, name: str) -> Any:
        if name in self.__all__:
            return getattr(import_module(self._home), name)
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")

    def __dir__(self) -> list[str]:
        return sorted(self.__all__)


# A file of this name at the root would hide scikit-learn from programs that are run there.
sys.modules["nnspec.sklearn"] = _Face(
    "nnspec.sklearn", "nnspec.runtime.estimators", ("SpecClassifier", "SpecRegressor")
)


def graph(
    spec: "str | PathLike[str]",
    *,
    let: "Mapping[str, object] | None" = None,
    limits: "Limits | None" = None,
    settings: "Mapping[str, object] | None" = None,
) -> "Graph":
    """The validated graph of a spec: a path, `-`, or the text itself.

    `let` wins over its constants, `settings` over its `train(...)`. Raises SpecError for every
    mistake at once, broken promises (`expect`) among them.
    """
    from nnspec.analyzers.promises import check_promises
    from nnspec.compiler.elaborate import elaborate
    from nnspec.grammar.diagnostics import SpecError
    from nnspec.grammar.read import read

    net = elaborate(read(spec, limits), limits, settings, let).net
    broken = check_promises(net)
    if broken:
        raise SpecError(broken)
    return net


def analyze(
    spec: "str | PathLike[str]",
    *,
    batch: int | None = None,
    let: "Mapping[str, object] | None" = None,
    limits: "Limits | None" = None,
) -> "Report":
    """Everything counted of a net: parameters, multiply-adds, shapes, each with its derivation.

    `let` wins over the spec's constants: ``let={"width": 32}``. `batch` is how many examples memory
    and cost are counted for: one at inference and the spec's own in training where None. Raises
    SpecError when the spec is wrong.
    """
    from nnspec.analyzers.report import report

    return report(graph(spec, let=let, limits=limits), batch)


def report(
    spec: "str | PathLike[str]",
    to: "str | PathLike[str] | None" = None,
    *,
    let: "Mapping[str, object] | None" = None,
    limits: "Limits | None" = None,
) -> str:
    """Everything known of a net as one page for the browser: its text, and written to `to` if given.

    Of a folder that keeps a training the page tells how it went. It needs nothing beside it and asks
    for nothing. Raises SpecError when the spec is wrong, or the folder cannot be read.
    """
    from os import fspath
    from pathlib import Path

    from nnspec.analyzers.page import page, put
    from nnspec.analyzers.records import is_record, record
    from nnspec.analyzers.training_portrait import training_page
    from nnspec.grammar.read import read

    if is_record(fspath(spec)):
        text = training_page(record(Path(spec)), limits)
    else:
        text = page(read(spec, limits), limits, let)
    if to is not None:
        put(fspath(to), text)
    return text


@overload
def compile(  # type: ignore[overload-overlap]
    spec: "str | PathLike[str]",
    *,
    ensemble: int,
    seed: int | None = None,
    dtype: "DType" = "float32",
    let: "Mapping[str, object] | None" = None,
    limits: "Limits | None" = None,
    max_memory: "MaxMemory" = None,
    jit: bool = False,
    **settings: object,
) -> "Ensemble": ...


@overload
def compile(
    spec: "str | PathLike[str]",
    *,
    seed: int | None = None,
    dtype: "DType" = "float32",
    let: "Mapping[str, object] | None" = None,
    limits: "Limits | None" = None,
    max_memory: "MaxMemory" = None,
    jit: bool = False,
    **settings: object,
) -> "Net": ...


def compile(
    spec: "str | PathLike[str]",
    *,
    seed: int | None = None,
    dtype: "DType" = "float32",
    let: "Mapping[str, object] | None" = None,
    limits: "Limits | None" = None,
    max_memory: "MaxMemory" = None,
    jit: bool = False,
    **settings: object,
) -> "Net | Ensemble":
    """A net ready to train and to run.

    Parameters
    ----------
    spec: a path, or the text itself.
    seed: of weights, shuffling and noise; the spec's own where None.
    dtype: "float32" or "float64".
    let: constants that win over the spec's own: ``let={"width": 32}``.
    max_memory: what its arrays may take together, "2GiB" or bytes; 80 % of what is free where None.
    jit: compiled loops in place of NumPy's, which compute the same; needs the extra `jit`.
    settings: win over the spec's `train(...)`: ``optimizer="adam(lr=1e-3)", loss="mse"``.

    ``ensemble=5``, here or in the spec's `train(...)`, gives an `Ensemble` of five nets, and 1 a
    `Net`. Raises SpecError when the spec or a setting is wrong, its weights take more memory, or the
    extra is missing.
    """
    from nnspec.runtime.ensemble import compiled

    net = graph(spec, let=let, limits=limits, settings=settings)
    return compiled(net, seed=seed, dtype=dtype, max_memory=max_memory, jit=jit)


def curves(training: "History | str | PathLike[str]", to: "str | PathLike[str]") -> None:
    """Draw how a training went: losses, accuracy, learning rate and gradient, epoch by epoch.

    `training` is what `fit` returned, or the folder of a run; `to` ends with .png, .svg or .pdf.
    Raises SpecError where it cannot be drawn, as without matplotlib (extra `plot`).
    """
    from os import fspath
    from pathlib import Path

    from nnspec.analyzers.curves import drawer
    from nnspec.analyzers.records import epochs, record
    from nnspec.runtime.folder import logged
    from nnspec.runtime.history import History

    draw = drawer(fspath(to), "curves")
    if isinstance(training, History):
        draw(epochs(logged(training)), "training")
    else:
        found = record(Path(training))
        draw(found.epochs, found.title)


def runs(folder: "str | PathLike[str]" = "runs", by: "Metric | None" = None) -> "Runs":
    """The trainings kept in a folder and the folders in it, the best first: printed, a table.

    `by` is "accuracy" or "loss", on what was held out; where None accuracy, if all have one. Raises
    SpecError when there is none.
    """
    from pathlib import Path

    from nnspec.analyzers.runs import compared

    return compared(Path(folder), by)


def tensorboard(folder: "str | PathLike[str]") -> "Events":
    """What tells TensorBoard of every epoch: ``net.fit(x, y, on_epoch=nnspec.tensorboard("logs"))``.

    Raises SpecError without it (extra `tensorboard`), or when nothing can be written in the folder.
    """
    from pathlib import Path

    from nnspec.runtime.events import Events

    return Events(Path(folder), "nnspec.tensorboard")


def fix(
    text: str,
    *,
    applicability: "Literal['safe', 'unsafe']" = "safe",
    limits: "Limits | None" = None,
) -> str:
    """The text of a spec with every fix applied that `nnspec check --fix` would apply; where
    `applicability` is "unsafe", those too that change what the net computes or learns."""
    from nnspec.analyzers.check import fixes
    from nnspec.grammar.diagnostics import Applicability
    from nnspec.grammar.source import Source

    asked = Applicability(applicability)
    return fixes(Source("<text>", text), limits, asked=asked)[0].text


def diff(
    before: "str | PathLike[str]",
    after: "str | PathLike[str]",
    *,
    let: "Mapping[str, object] | None" = None,
    limits: "Limits | None" = None,
) -> "Comparison":
    """What changed from one net to another: totals, and the layers that are not the same.

    Raises SpecError when a spec is wrong; promises are not asked for.
    """
    from nnspec.analyzers.compare import compare
    from nnspec.analyzers.report import report
    from nnspec.compiler.elaborate import elaborate
    from nnspec.grammar.read import read

    one, two = (
        report(elaborate(read(spec, limits), limits, lets=let).net) for spec in (before, after)
    )
    return compare(one, two)


def draw(
    spec: "str | PathLike[str]",
    *,
    depth: int | None = None,
    let: "Mapping[str, object] | None" = None,
    limits: "Limits | None" = None,
) -> "Diagram":
    """The net as boxes and arrows, in Mermaid; a notebook shows it drawn.

    `depth` is how many blocks deep it looks: 1 draws each as one box, None opens all. Raises
    SpecError when the spec is wrong.
    """
    from nnspec.compiler.targets.drawing import draw
    from nnspec.compiler.targets.mermaid import mermaid

    return mermaid(draw(graph(spec, let=let, limits=limits), depth))


def plan(
    spec: "str | PathLike[str]",
    *,
    batch: int | None = None,
    mode: "Mode | None" = None,
    threads: int | None = None,
    let: "Mapping[str, object] | None" = None,
    limits: "Limits | None" = None,
) -> "Plan":
    """What a pass over a batch will do, step by step: layouts, algorithms and why, threads, bytes.

    `mode` is "train", or "infer" of a net that cannot train, where None; `batch` the spec's own, or 1
    for inference; `threads` the cores of this machine. Raises SpecError when the spec is wrong.
    """
    from nnspec.analyzers.plan import plan as planned

    return planned(graph(spec, let=let, limits=limits), batch, mode, threads)


def profile(
    spec: "str | PathLike[str]",
    *,
    mode: "Mode | None" = None,
    batch: int | None = None,
    let: "Mapping[str, object] | None" = None,
    limits: "Limits | None" = None,
    max_memory: "MaxMemory" = None,
    jit: bool = False,
) -> "Profile":
    """Where the time of a pass goes, layer by layer, beside the least that its work could take.

    `mode` is "train", or "infer" of a net that cannot train, where None; `batch` the spec's own, or 1
    for inference; `max_memory` and `jit` as for `compile`. Raises SpecError when the spec is wrong.
    """
    from nnspec.runtime.profile import profile as measured

    return measured(graph(spec, let=let, limits=limits), mode, batch, max_memory, jit=jit)


def bench(
    spec: "str | PathLike[str]",
    *,
    mode: "Mode | None" = None,
    batch: int | None = None,
    threads: int | None = None,
    rounds: int | None = None,
    versus: str = "",
    let: "Mapping[str, object] | None" = None,
    limits: "Limits | None" = None,
    max_memory: "MaxMemory" = None,
    jit: bool = False,
) -> "Bench":
    """The time of a pass, the median of rounds; with `versus="torch"` beside the same net in PyTorch.

    `mode` and `batch` as for `profile`, `max_memory` and `jit` as for `compile`. Raises SpecError when
    the spec is wrong, where PyTorch has no like of it, and where its outputs are others.
    """
    from nnspec.runtime.bench import bench as measured

    return measured(
        graph(spec, let=let, limits=limits),
        mode=mode,
        batch=batch,
        threads=threads,
        rounds=rounds,
        versus=versus,
        max_memory=max_memory,
        jit=jit,
    )


def gradcheck(
    spec: "str | PathLike[str]",
    *,
    seed: int | None = None,
    samples: int = 20,
    after: int = 0,
    let: "Mapping[str, object] | None" = None,
    limits: "Limits | None" = None,
    **settings: object,
) -> "GradCheck":
    """A net's gradient against central differences, on random examples: `ok`, and error by weight.

    `samples` numbers of each weight are checked, in float64, `after` so many steps of training.
    Raises SpecError when the spec is wrong or cannot train.
    """
    from nnspec.runtime.gradcheck import gradcheck as checked

    net = graph(spec, let=let, limits=limits, settings=settings)
    return checked(net, seed=seed, samples=samples, after=after)


def doctor(
    spec: "str | PathLike[str]",
    data: "str | Path | Dataset",
    *,
    held_out: float = 0.2,
    steps: int = 1000,
    seed: int | None = None,
    let: "Mapping[str, object] | None" = None,
    limits: "Limits | None" = None,
    **settings: object,
) -> "tuple[Finding, ...]":
    """What keeps a net from learning a data set, and what to do; empty where nothing does.

    The linter is asked, the data are looked at, a few examples learned by heart, all learning rates run
    through, and the net trained for `steps`. Raises SpecError when spec, data or a setting is wrong.
    """
    from nnspec.analyzers.lint import obstacles
    from nnspec.runtime.data import fitted, load, split
    from nnspec.runtime.dataset import Dataset
    from nnspec.runtime.examination import examine
    from nnspec.runtime.findings import findings

    net = graph(spec, let=let, limits=limits, settings=settings)
    loaded = data if isinstance(data, Dataset) else load(data)
    learned, held = split(fitted(loaded, net.inputs[0].value.shape), held_out)
    return findings(examine(net, learned, held, seed=seed, steps=steps), obstacles(net))


def docs(word: str | None = None) -> str:
    """A page of the language reference, as Markdown; without a word the contents.

    Raises SpecError when there is no page for the word.
    """
    from nnspec.analyzers.docs import page

    # A mistake has a page once its module is loaded.
    for room in ("grammar", "compiler", "analyzers", "runtime"):
        import_module(f"nnspec.{room}.errors")
    import_module("nnspec.runtime.data_errors")
    import_module("nnspec.runtime.file_errors")
    return page(word)


def format(text: str, *, limits: "Limits | None" = None) -> str:
    """The text of a spec as `nnspec fmt` lays it out.

    Raises SpecError when the text has mistakes.
    """
    from nnspec.grammar.format import formatted
    from nnspec.grammar.source import Source

    return formatted(Source("<text>", text), limits)
