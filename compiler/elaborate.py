"""Tree to Graph: words become operators, shapes are inferred as the text is read.

A file's declarations come first, then its chains (chains.py), then what is known only of the whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from ..grammar import tree
from ..grammar.diagnostics import Mistake, Severity, SpecError, in_order
from ..grammar.limits import Limits
from ..grammar.mending import tried
from ..grammar.parse import parse
from ..grammar.source import Source, Span
from .chains import flow
from .declarations import Declarations
from .errors import BadSetting, NoNet, NotOnce, Unused
from .expressions import Lost, Scope
from .files import Files
from .graph import Graph
from .making import Maker
from .pieces import every_label, every_stage, sort
from .reading import Frame, Reading, Stop
from .settings import overridden, read_training
from .training import Training, unvaried
from .walk import run


@dataclass(frozen=True)
class Elaborated:
    """What became of a text: a graph where it holds one, and everything found on the way."""

    source: Source
    graph: Graph | None
    mistakes: tuple[Mistake, ...]

    @property
    def net(self) -> Graph:
        """The graph; raises SpecError when there are errors, or only declarations."""
        errors = [m for m in self.mistakes if m.severity is Severity.ERROR]
        if errors:
            raise SpecError(errors)
        if self.graph is None:
            raise SpecError([NoNet(Span(self.source, 0, len(self.source.text)))])
        return self.graph


def elaborate(
    source: Source,
    limits: Limits | None = None,
    overrides: Mapping[str, object] | None = None,
    lets: Mapping[str, object] | None = None,
    files: Mapping[str, str] | None = None,
) -> Elaborated:
    """Read a text into a graph.

    Parameters
    ----------
    overrides: settings that win over its `train(...)`.
    lets: constants that win over its own.
    files: texts that `use` finds in place of those on disk.
    """

    def read(text: Source) -> Elaborated:
        return _read(text, limits or Limits(), overrides, lets, files)

    found = read(source)
    mistakes = tried(source, found.mistakes, lambda text: read(text).mistakes)
    return replace(found, mistakes=mistakes)


def _read(
    source: Source,
    limits: Limits,
    overrides: Mapping[str, object] | None,
    lets: Mapping[str, object] | None,
    files: Mapping[str, str] | None,
) -> Elaborated:
    """Read a text into a graph; its fixes are not tried."""
    if not isinstance(lets or {}, Mapping) or not all(isinstance(n, str) for n in lets or {}):
        problem = f"is {str(lets)[:40]}, not a mapping from names to values"
        raise SpecError([BadSetting(None, "let", problem, 'as in let={"width": 32}')])
    file, found = parse(source, limits)
    mistakes, read = list(found), Files(limits, files)
    flows = [s for s in file.statements if isinstance(s, tree.Flow)]
    module = Declarations(read, limits, mistakes).module(source, file, lets or {})
    labels: dict[str, tuple[str, Span]] = {}
    later = {label.word: label.span for each in flows for label in every_label(each)}
    frame = Frame("", module.lets, (labels,), module)
    reading = Reading(limits, mistakes, Maker(limits), frame, later)
    outputs = _outputs(reading, flows)
    _never_run(reading, file)
    training = _training(reading, file, overrides or {})
    graph = None
    if not flows and not mistakes and not _declares(file):
        mistakes.append(NoNet(Span(source, 0, len(source.text))))
    if flows and not reading.poisoned and all(m.severity is not Severity.ERROR for m in mistakes):
        mistakes += _unused(reading, set(outputs.values()), labels)
        graph = Graph(
            source,
            reading.nodes.values(),
            outputs,
            training,
            [s for s in file.statements if isinstance(s, tree.Expect)],
            {word: name for word, (name, _) in labels.items()},
            "\n".join(each.documentation for each in flows if each.documentation),
            read.texts,
            {n: w for n, w in module.lets.items() if n in (lets or {}) and not isinstance(w, Lost)},
        )
        mistakes += _varied(graph, file, overrides or {})
    return Elaborated(source, graph, in_order(mistakes))


def _outputs(reading: Reading, flows: list[tree.Flow]) -> dict[str, str]:
    """Run every flow; the nodes that those marked `output`, and the last, end in."""
    outputs: dict[str, str] = {}
    top = reading.frame
    try:
        for each in flows:
            end = run(flow(reading, each))
            if each.output or each is flows[-1]:
                outputs[each.label.word if each.label else "output"] = end
    except Stop:
        # It stopped inside a block, maybe; what is left to read stands outside.
        reading.frame, reading.poisoned = top, True
    return outputs


def _never_run(reading: Reading, file: tree.File) -> None:
    """Words that mean nothing in blocks that nothing uses, and in choices never taken."""
    module = reading.frame.module
    chains = [s.chain for s in file.statements if isinstance(s, tree.Flow | tree.Block)]
    for stage in (stage for chain in chains for stage in every_stage(chain)):
        if id(stage) not in reading.parts:
            source = isinstance(stage.pieces[0], tree.Value | tree.Reference)
            reading.mistakes += sort(stage.pieces[1:] if source else stage.pieces, module).mistakes


def _training(reading: Reading, file: tree.File, overrides: Mapping[str, object]) -> Training:
    """What the file's `train(...)` and the overrides say."""
    statements = [s for s in file.statements if isinstance(s, tree.Train)]
    for second in statements[1:]:
        reading.mistakes.append(NotOnce(second.span, "train", statements[0].span))
    scope = Scope(reading.frame.names)
    training, mistakes = read_training(statements[0] if statements else None, scope=scope)
    reading.mistakes.extend(mistakes)
    training, mistakes = overridden(training, overrides)
    reading.mistakes.extend(mistakes)
    return training


def _declares(file: tree.File) -> bool:
    """Whether the file holds what other files can use."""
    return any(isinstance(s, tree.Let | tree.Block | tree.Use) for s in file.statements)


def _unused(
    reading: Reading, outputs: set[str], labels: Mapping[str, tuple[str, Span]]
) -> Iterator[Mistake]:
    """Values that nothing reads."""
    nodes = reading.nodes.values()
    read = {name for node in nodes for name in node.inputs} | outputs
    words = {name: word for word, (name, _) in labels.items()}
    for node in nodes:
        if node.name not in read:
            yield Unused(node.span, words.get(node.name, node.name))


def _varied(net: Graph, file: tree.File, overrides: Mapping[str, object]) -> tuple[Mistake, ...]:
    """What `augment` asks of the inputs is known once these are."""
    written = (s.arguments for s in file.statements if isinstance(s, tree.Train))
    spans = [a.span for arguments in written for a in arguments if a.name == "augment"]
    where = spans[0] if spans and overrides.get("augment") is None else None
    inputs = [node.value for node in net.inputs]
    return unvaried(net.training, inputs, net.output.value, where)
