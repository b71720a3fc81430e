"""Tree to Graph: words become operators, shapes are inferred as the text is read.

After a mistake the value is poisoned: what follows is still read for mistakes of its own, but
nothing downstream complains about a value that never came to be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

from ..grammar import tree
from ..grammar.diagnostics import Mistake, Note, Severity, SpecError, in_order
from ..grammar.errors import (
    AxisTooLong,
    RepeatedTooOften,
    TooManyAxes,
    TooManyElements,
    TooManyNodes,
)
from ..grammar.limits import Limits
from ..grammar.parse import parse
from ..grammar.source import Source, Span
from .arguments import Given, checked, describe, field_named, is_flag, signature
from .errors import (
    BadExpression,
    ExtraArgument,
    MissingArgument,
    MissingBranches,
    NameTaken,
    NoNet,
    NoSource,
    NotOnce,
    NumberWithoutOperator,
    RepeatedArgument,
    ShapeMistake,
    SourceInside,
    StrayBranches,
    UnknownOperator,
    UnknownOption,
    UnknownReference,
    Unused,
)
from .expressions import Scope, evaluate, shown
from .graph import Graph, Input, Node
from .naming import Names
from .op import LETTERS, Initialiser, Op, Refused, Trait
from .ops import CATALOGUE
from .settings import overridden, read_training
from .shapes import Value
from .training import Training
from .words import attached, operator_called, unknown

POISON = ""
"""The name of the value that a mistake leaves behind."""


@dataclass(frozen=True)
class Elaborated:
    """What became of a text: a graph where it holds one, and everything found on the way."""

    graph: Graph | None
    mistakes: tuple[Mistake, ...]

    @property
    def net(self) -> Graph:
        """The graph; raises SpecError when there are errors."""
        errors = [m for m in self.mistakes if m.severity is Severity.ERROR]
        if errors or self.graph is None:
            raise SpecError(errors)
        return self.graph


def elaborate(
    source: Source,
    limits: Limits | None = None,
    overrides: Mapping[str, object] | None = None,
) -> Elaborated:
    """Read a text into a graph; `overrides` win over its `train(...)`."""
    limits = limits or Limits()
    file, mistakes = parse(source, limits)
    reading = _Reading(source, limits, list(mistakes))
    graph = reading.file(file, overrides or {})
    return Elaborated(graph, in_order(reading.mistakes))


@dataclass
class _Operator:
    """An operator with the pieces that belong to it, before they are checked."""

    word: str
    kind: type[Op]
    span: Span
    given: dict[str, Given] = field(default_factory=dict)
    branches: tree.Group | None = None
    flawed: bool = False
    """Something of it was refused and reported: it is not applied."""

    def place(self, name: str, argument: Given) -> None:
        if name in self.given:
            what = describe(self.kind, name)
            raise Refused(RepeatedArgument(argument.span, self.word, what))
        self.given[name] = argument
        self.span = self.span.to(argument.span)

    def position(self, argument: Given) -> None:
        free = next((p for p in self.kind.places if p not in self.given), None)
        if free is None:
            found = argument.span.text
            raise Refused(ExtraArgument(argument.span, self.word, found, signature(self.kind)))
        self.place(free, argument)

    def option(self, name: str, argument: Given, where: Span) -> None:
        found = field_named(self.kind, name)
        if found is None:
            known = tuple(LETTERS.get(f, f) for f in self.kind.model_fields)
            near = get_close_matches(name, known, 1)
            raise Refused(UnknownOption(where, self.word, name, known, near[0] if near else None))
        self.place(found, argument)


@dataclass
class _Reading:
    """One pass over a syntax tree."""

    source: Source
    limits: Limits
    mistakes: list[Mistake]
    nodes: dict[str, Node] = field(default_factory=dict)
    names: Names = field(default_factory=Names)
    labels: list[dict[str, tuple[str, Span]]] = field(default_factory=lambda: [{}])
    """What `@name` means, innermost scope last: the node's name and where it was given."""
    later: dict[str, Span] = field(default_factory=dict)
    """Every label of the file, for references to what comes below."""
    prefix: str = ""
    constants: Scope = field(default_factory=dict)
    made: dict[object, Op] = field(default_factory=dict)
    """Operators by kind and arguments: a repeat makes many nodes of one operator."""
    poisoned: bool = False

    # ------------------------------------------------------------------------------ the file

    def file(self, file: tree.File, overrides: Mapping[str, object]) -> Graph | None:
        flows = [s for s in file.statements if isinstance(s, tree.Flow)]
        self.later = {label.word: label.span for flow in flows for label in _labels(flow)}
        outputs: dict[str, str] = {}
        for flow in flows:
            end = self.flow(flow)
            if flow.output or flow is flows[-1]:
                outputs[flow.label.word if flow.label else "output"] = end
        training = self.training(file, overrides)
        if not flows:
            if not self.mistakes:
                whole = Span(self.source, 0, len(self.source.text))
                self.mistakes.append(NoNet(whole))
            return None
        if self.poisoned or any(m.severity is Severity.ERROR for m in self.mistakes):
            return None
        self.unused(set(outputs.values()))
        return Graph(
            self.source,
            self.nodes.values(),
            outputs,
            training,
            [s for s in file.statements if isinstance(s, tree.Expect)],
            {word: name for word, (name, _) in self.labels[0].items()},
            "\n".join(flow.documentation for flow in flows if flow.documentation),
        )

    def training(self, file: tree.File, overrides: Mapping[str, object]) -> Training:
        statements = [s for s in file.statements if isinstance(s, tree.Train)]
        for second in statements[1:]:
            self.mistakes.append(NotOnce(second.span, "train", statements[0].span))
        training, mistakes = read_training(statements[0] if statements else None)
        self.mistakes.extend(mistakes)
        training, mistakes = overridden(training, overrides)
        self.mistakes.extend(mistakes)
        return training

    def unused(self, outputs: set[str]) -> None:
        read = {name for node in self.nodes.values() for name in node.inputs} | outputs
        labels = {name: word for word, (name, _) in self.labels[0].items()}
        for node in self.nodes.values():
            if node.name not in read:
                self.mistakes.append(Unused(node.span, labels.get(node.name, node.name)))

    # -------------------------------------------------------------------------------- chains

    def flow(self, flow: tree.Flow) -> str:
        self.prefix = flow.label.word if flow.label else ""
        lone = len(flow.chain.stages) == 1
        end = self.chain(flow.chain, None, flow.label if lone else None)
        if flow.label:
            self.label(flow.label, end)
        self.prefix = ""
        return end

    def label(self, label: tree.Name, value: str) -> None:
        scope = self.labels[-1]
        if label.word in scope:
            self.mistakes.append(NameTaken(label.span, label.word, scope[label.word][1]))
        elif label.word in CATALOGUE or label.word == "id":
            reason = "an operator is called so"
            self.mistakes.append(NameTaken(label.span, label.word, reason=reason))
        else:
            scope[label.word] = (value, label.span)

    def chain(self, chain: tree.Chain, value: str | None, label: tree.Name | None = None) -> str:
        """Run a value through the stages; None when nothing flows in."""
        for index, stage in enumerate(chain.stages):
            value = self.stage(stage, value, label if index == 0 else None, first=index == 0)
        if value is None:
            return self.poison(NoSource(chain.span, chain.stages[0].span.text))
        return value

    def stage(
        self, stage: tree.Stage, value: str | None, chain_label: tree.Name | None, *, first: bool
    ) -> str | None:
        pieces = list(stage.pieces)
        if first:
            value, pieces = self.origin(pieces, value, stage.label or chain_label)
        layer: str | None = None
        for part in self.parts(pieces):
            if isinstance(part, tree.Group):
                value, layer = self.group(part, value), None
            else:
                before = value
                value, layer = self.apply(part, value, layer, stage.label)
                if before is None and value is None:
                    value = POISON
        if stage.label:
            self.label(stage.label, value or POISON)
        return value

    def origin(
        self, pieces: list[tree.Piece], value: str | None, label: tree.Name | None
    ) -> tuple[str | None, list[tree.Piece]]:
        """The source at the head of a chain, and the pieces behind it."""
        match pieces[0]:
            case tree.Reference():
                return self.reference(pieces[0]), pieces[1:]
            case tree.Value():
                rest = pieces[1:]
                integer = bool(rest) and isinstance(rest[0], tree.Word) and rest[0].word == "int"
                alone = len(pieces) == 1 + integer
                return self.input(pieces[0], label if alone else None, integer=integer), rest[
                    integer:
                ]
            case _:
                return value, pieces

    def reference(self, reference: tree.Reference) -> str:
        for scope in reversed(self.labels):
            if reference.word in scope:
                return scope[reference.word][0]
        known = [word for scope in self.labels for word in scope]
        near = get_close_matches(reference.word, known, 1)
        later = self.later.get(reference.word)
        nearest = near[0] if near else None
        return self.poison(UnknownReference(reference.span, reference.word, nearest, later))

    def input(self, piece: tree.Value, label: tree.Name | None, *, integer: bool) -> str:
        try:
            sizes = evaluate(piece.value, self.constants)
            shape = sizes if isinstance(sizes, tuple) else (sizes,)
            whole = tuple(s for s in shape if isinstance(s, int) and not isinstance(s, bool))
            if len(whole) != len(shape) or min(whole, default=0) < 1:
                problem = f"an input's sizes are whole numbers from 1, not {shown(sizes)}"
                raise Refused(BadExpression(piece.span, problem))
            value = Value(whole, channels_last=len(whole) == 2, integer=integer)
            self.bounded(value, piece.span)
        except Refused as refused:
            return self.poison(*refused.mistakes)
        scope = "" if label else self.prefix
        name = self.names.labelled(scope, label.word if label else "input")
        self.nodes[name] = Node(name, Input(), (), (value,), value, name, piece.span)
        return name

    # --------------------------------------------------------------------------------- parts

    def parts(self, pieces: list[tree.Piece]) -> Iterator[_Operator | tree.Group]:
        """Operators with what belongs to them, and groups, in order."""
        current: _Operator | None = None
        for piece in pieces:
            try:
                if isinstance(piece, tree.Group):
                    if current and Trait.MERGES in current.kind.traits and not current.branches:
                        current.branches = piece
                        current.span = current.span.to(piece.span)
                        continue
                    if current:
                        yield current
                    current = None
                    yield piece
                    continue
                begun = self.read(piece, current)
                if begun is not None:
                    if current:
                        yield current
                    current = begun
            except Refused as refused:
                self.poison(*refused.mistakes)
                if isinstance(refused.mistake, UnknownOperator):
                    if current:
                        yield current
                    current = _Operator(piece.span.text, Op, piece.span, flawed=True)
                elif current:
                    current.flawed = True
        if current:
            yield current

    def read(self, piece: tree.Piece, current: _Operator | None) -> _Operator | None:
        """Give the piece to the current operator, or return the operator that it begins."""
        if current and current.kind is Op and _is_argument(piece):
            return None
        match piece:
            case tree.Reference():
                raise Refused(SourceInside(piece.span, piece.span.text))
            case tree.Value(value=expression):
                given = Given(self.worth(expression), piece.span)
                if current is None:
                    raise Refused(NumberWithoutOperator(piece.span, piece.span.text))
                current.position(given)
                return None
            case tree.Option(name=name, value=expression):
                if current is None:
                    raise Refused(NumberWithoutOperator(piece.span, piece.span.text))
                worth = self.initialiser(expression) if name == "init" else self.worth(expression)
                current.option(name, Given(worth, expression.span), piece.span)
                return None
            case tree.Word():
                return None if self.as_option(piece, current) else self.begun(piece)
            case _:
                return None

    def worth(self, expression: tree.Expression) -> object:
        return evaluate(expression, self.constants)

    def initialiser(self, expression: tree.Expression) -> Initialiser:
        """`he`, `normal(0.01)`."""
        given: dict[str, Given] = {}
        match expression:
            case tree.Name(word=word):
                given["word"] = Given(word, expression.span)
            case tree.Call(word=word, arguments=(argument,)):
                given["word"] = Given(word, expression.span)
                scale = self.worth(argument.value)
                given["scale"] = Given(scale, argument.span)
            case _:
                problem = "an initialiser is a name, as in `init=he` or `init=normal(0.01)`"
                raise Refused(BadExpression(expression.span, problem))
        return checked(Initialiser, "init", given, expression.span)

    def as_option(self, word: tree.Word, current: _Operator | None) -> bool:
        """Take the word as a flag (`same`) or a lettered option (`s2`) of the current operator."""
        if current is None or word.word in CATALOGUE:
            return False
        fields = current.kind.model_fields
        if word.word in fields and word.arguments is None and is_flag(current.kind, word.word):
            current.place(word.word, Given(True, word.span))
            return True
        parts = attached(word.word)
        letter = parts[0] if parts else word.word
        if letter not in LETTERS or letter not in fields:
            if letter in LETTERS and (parts or word.arguments):
                known = tuple(LETTERS.get(f, f) for f in fields)
                raise Refused(UnknownOption(word.span, current.word, LETTERS[letter], known))
            return False
        if parts:
            current.place(letter, Given(parts[1], word.span))
            return True
        if word.arguments is not None:
            values = [self.worth(argument.value) for argument in word.arguments]
            value = values[0] if len(values) == 1 else tuple(values)
            current.place(letter, Given(value, word.span))
            return True
        return False

    def begun(self, word: tree.Word) -> _Operator | None:
        if word.word == "id" and word.arguments is None:
            return None
        found = operator_called(word.word)
        if found is None:
            raise Refused(unknown(word.word, word.span))
        kind, number = found
        operator = _Operator(kind.name, kind, word.span)
        if number is not None:
            operator.position(Given(number, word.span))
        for argument in word.arguments or ():
            if argument.name is None:
                operator.position(Given(self.worth(argument.value), argument.span))
            else:
                value = argument.value
                worth = self.initialiser(value) if argument.name == "init" else self.worth(value)
                operator.option(argument.name, Given(worth, value.span), argument.span)
        return operator

    # ------------------------------------------------------------------------------- applying

    def apply(
        self, part: _Operator, value: str | None, layer: str | None, label: tree.Name | None
    ) -> tuple[str | None, str | None]:
        """Apply an operator; returns its value and the layer that now stands open."""
        try:
            if part.flawed:
                if part.branches:
                    self.branches(part, value)
                return self.silent(), None
            op = self.bound(part)
            inputs = self.branches(part, value) if part.branches else [value]
            if any(name is None for name in inputs):
                raise Refused(NoSource(part.span, part.word))
            sources = [name for name in inputs if name]
            if len(sources) < len(inputs):
                return self.silent(), None
            return self.node(op, sources, part.span, layer, label)
        except Refused as refused:
            return self.poison(*refused.mistakes), None

    def bound(self, part: _Operator) -> Op:
        merges = Trait.MERGES in part.kind.traits
        if merges and part.branches is None:
            raise Refused(MissingBranches(part.span, part.word))
        for name, info in part.kind.model_fields.items():
            if info.is_required() and name not in part.given:
                missing = f"its {describe(part.kind, name)}"
                raise Refused(MissingArgument(part.span, part.word, missing, signature(part.kind)))
        key = (part.kind, tuple((n, type(g.value), g.value) for n, g in part.given.items()))
        made = self.made.get(key)
        if made is None:
            made = self.made[key] = checked(part.kind, part.word, part.given, part.span)
        return made

    def branches(self, part: _Operator, value: str | None) -> list[str | None]:
        group = part.branches
        assert group is not None
        if group.repeat is not None:
            problem = f"`{part.word}[ ... ]` is not repeated by `*`"
            advice = f"put it into a group: `[ {part.word}[ ... ] ]*n`"
            raise Refused(BadExpression(group.repeat.span, problem, advice))
        return [self.branch(chain, value) for chain in group.branches]

    def branch(self, chain: tree.Chain, value: str | None) -> str | None:
        """A branch's value; None when it is `id` and nothing flows in."""
        out: str | None = value
        for index, stage in enumerate(chain.stages):
            out = self.stage(stage, out, None, first=index == 0)
        return out

    def node(
        self, op: Op, inputs: list[str], span: Span, layer: str | None, label: tree.Name | None
    ) -> tuple[str, str]:
        arrivals = tuple(self.nodes[name].value for name in inputs)
        if op.arity is not None and len(inputs) != op.arity:
            problem = f"`{op.name}` joins {op.arity} branches, not {len(inputs)}"
            raise Refused(BadExpression(span, problem))
        if len(self.nodes) >= self.limits.nodes:
            raise Refused(TooManyNodes(span, len(self.nodes) + 1, self.limits.nodes))
        try:
            value = op.shape(*arrivals)
            self.bounded(value, span)
            remarks = op.remarks(*arrivals)
        except Refused as refused:
            mistake = replace(refused.mistake, span=refused.mistake.span or span)
            if isinstance(mistake, ShapeMistake):
                notes = (
                    Note(self.nodes[n].span, f"{self.nodes[n].value} leaves here") for n in inputs
                )
                mistake = replace(mistake, arrivals=tuple(dict.fromkeys(notes)))
            raise Refused(mistake) from None
        self.mistakes.extend(replace(remark, span=span) for remark in remarks)
        hangs = layer is not None and Trait.HANGS in op.traits
        takes_label = label is not None and not hangs and layer is None
        if takes_label and label is not None:
            name = self.names.labelled(self.prefix, label.word)
        else:
            name = self.names.numbered(self.prefix, op.name)
        owner = layer if hangs and layer is not None else name
        self.nodes[name] = Node(name, op, tuple(inputs), arrivals, value, owner, span)
        return name, owner

    def bounded(self, value: Value, span: Span) -> None:
        if value.rank > self.limits.rank:
            raise Refused(TooManyAxes(span, value.rank, self.limits.rank))
        if max(value.shape) > self.limits.dimension:
            raise Refused(AxisTooLong(span, max(value.shape), self.limits.dimension))
        if value.size > self.limits.elements:
            raise Refused(TooManyElements(span, value.size, self.limits.elements))

    def group(self, group: tree.Group, value: str | None) -> str | None:
        if len(group.branches) > 1:
            return self.poison(StrayBranches(group.span))
        (body,) = group.branches
        if group.repeat is None:
            return self.branch(body, value)
        try:
            times = self.times(group, group.repeat)
        except Refused as refused:
            return self.poison(*refused.mistakes)
        for _ in range(times):
            self.labels.append({})
            value = self.branch(body, value)
            self.labels.pop()
            if value == POISON:
                break
        return value

    def times(self, group: tree.Group, repeat: tree.Expression) -> int:
        """How often a group is repeated, refused before it is expanded when that is too often."""
        times = evaluate(repeat, self.constants)
        if not isinstance(times, int) or isinstance(times, bool) or times < 0:
            problem = f"a group is repeated a whole number of times, not {shown(times)}"
            raise Refused(BadExpression(repeat.span, problem))
        if times > self.limits.repeat:
            raise Refused(RepeatedTooOften(repeat.span, times, self.limits.repeat))
        nodes = len(self.nodes) + times * self.count(group.branches[0])
        if nodes > self.limits.nodes:
            raise Refused(TooManyNodes(group.span, nodes, self.limits.nodes))
        return times

    def count(self, chain: tree.Chain) -> int:
        """How many nodes a chain makes, without making them; options are not counted."""
        total = 0
        for stage in chain.stages:
            for piece in stage.pieces:
                if isinstance(piece, tree.Word):
                    total += operator_called(piece.word) is not None
                elif isinstance(piece, tree.Group):
                    inner = sum(self.count(branch) for branch in piece.branches)
                    times = 1 if piece.repeat is None else evaluate(piece.repeat, self.constants)
                    total += inner * times if isinstance(times, int) else 0
        return max(1, total)

    # ------------------------------------------------------------------------------- mistakes

    def poison(self, *mistakes: Mistake) -> str:
        self.mistakes.extend(mistakes)
        return self.silent()

    def silent(self) -> str:
        """A poisoned value without a message: the mistake behind it has been reported."""
        self.poisoned = True
        return POISON


FLAGS = frozenset(f for kind in CATALOGUE.values() for f in kind.model_fields if is_flag(kind, f))


def _is_argument(piece: tree.Piece) -> bool:
    """Whether a piece behind an unknown operator is most likely meant for it."""
    if isinstance(piece, tree.Word):
        parts = attached(piece.word)
        return piece.word in FLAGS or (parts is not None and parts[0] in LETTERS)
    return isinstance(piece, tree.Value | tree.Option)


def _labels(flow: tree.Flow) -> Iterator[tree.Name]:
    if flow.label:
        yield flow.label
    pending = [flow.chain]
    while pending:
        for stage in pending.pop().stages:
            if stage.label:
                yield stage.label
            for piece in stage.pieces:
                if isinstance(piece, tree.Group):
                    pending.extend(piece.branches)
