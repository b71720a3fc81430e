"""Tree to Graph: words become operators, shapes are inferred as the text is read.

After a mistake the value is poisoned: what follows is still read for mistakes of its own, but
nothing downstream complains about a value that never came to be.

Blocks, loops and branches are walked on a stack of our own (see walk.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import islice, zip_longest
from typing import Any, NamedTuple

from ..grammar import tree
from ..grammar.diagnostics import Mistake, Note, Severity, SpecError, in_order
from ..grammar.errors import (
    BlocksTooDeep,
    RepeatedTooOften,
    TooManyNodes,
    TooManySteps,
)
from ..grammar.limits import Limits
from ..grammar.near import nearest
from ..grammar.parse import parse
from ..grammar.source import Source, Span
from .applied import Applied
from .declarations import Declarations, bound
from .errors import (
    BadExpression,
    BadSetting,
    BlockInItself,
    CannotTie,
    LearnsElsewhere,
    MissingBranches,
    NameTaken,
    NoNet,
    NoSource,
    NothingToLearn,
    NotOnce,
    SharedDiffers,
    StrayBranches,
    UnknownReference,
    Unused,
)
from .expressions import LOST, Lost, Scope, Worth, evaluate, shown
from .files import Block, Files, Module
from .graph import AS_THE_NET, BlockUse, Graph, Input, Node
from .making import Maker, arguments
from .naming import Names
from .op import Op, Refused, Trait, Weight
from .ops import CATALOGUE
from .pieces import Bracketed, Part, Parts, Use, every_label, every_stage, sort
from .settings import overridden, read_training
from .shape_errors import ShapeMistake
from .shapes import Value, written
from .training import Training, unvaried
from .training.learning import ON_MATRICES, Learning
from .walk import Walk, run

POISON = ""
"""The name of the value that a mistake leaves behind."""


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
    limits = limits or Limits()
    if not isinstance(lets or {}, Mapping) or not all(isinstance(n, str) for n in lets or {}):
        problem = f"is {str(lets)[:40]}, not a mapping from names to values"
        raise SpecError([BadSetting(None, "let", problem, 'as in let={"width": 32}')])
    file, mistakes = parse(source, limits)
    reading = _Reading(source, limits, list(mistakes), Files(limits, files), Maker(limits))
    graph = reading.file(file, overrides or {}, lets or {})
    return Elaborated(source, graph, in_order(reading.mistakes))


class _Frame(NamedTuple):
    """Where the reading stands.

    Attributes
    ----------
    prefix: what names of nodes begin with.
    names: what constants and parameters are worth here.
    labels: what `@name` means, innermost scope last: the node's name and where it was given.
    module: the file whose blocks are seen here.
    calls: the blocks that this place is inside of, and `trail` where each was used.
    blocks: their uses, the outermost first.
    learning: how the weights that are made here learn.
    """

    prefix: str
    names: Mapping[str, Worth | Lost]
    labels: tuple[dict[str, tuple[str, Span]], ...]
    module: Module
    calls: tuple[Block, ...] = ()
    trail: tuple[Note, ...] = ()
    blocks: tuple[BlockUse, ...] = ()
    learning: Learning = AS_THE_NET


class _Stop(Exception):
    """A limit that nothing can be read past; the mistake has been reported."""


@dataclass
class _Reading:
    """One pass over a syntax tree."""

    source: Source
    limits: Limits
    mistakes: list[Mistake]
    files: Files
    maker: Maker
    nodes: dict[str, Node] = field(default_factory=dict)
    names: Names = field(default_factory=Names)
    later: dict[str, Span] = field(default_factory=dict)
    """Every label of the file, for references to what comes below."""
    frame: _Frame = field(init=False)
    parts: dict[int, Parts] = field(default_factory=dict)
    """Stages with their pieces sorted, by identity: a repeat runs one stage many times."""
    shared: dict[Block, tuple[tuple[Node, ...], Span]] = field(default_factory=dict)
    """The nodes of a shared chain's first use, and its place."""
    smallest: dict[int, int] = field(default_factory=dict)
    """How many nodes the chain of a repeat makes at least, by the chain's identity."""
    steps: int = 0
    poisoned: bool = False

    # ------------------------------------------------------------------------------ the file

    def file(
        self, file: tree.File, overrides: Mapping[str, object], lets: Mapping[str, object]
    ) -> Graph | None:
        declarations = Declarations(self.files, self.limits, self.mistakes)
        module = declarations.module(self.source, file, lets)
        labels: dict[str, tuple[str, Span]] = {}
        self.frame = _Frame("", module.lets, (labels,), module)
        flows = [s for s in file.statements if isinstance(s, tree.Flow)]
        self.later = {label.word: label.span for flow in flows for label in every_label(flow)}
        outputs: dict[str, str] = {}
        try:
            for flow in flows:
                end = run(self.flow(flow))
                if flow.output or flow is flows[-1]:
                    outputs[flow.label.word if flow.label else "output"] = end
        except _Stop:
            self.poisoned = True
        self.neverrun(file)
        training = self.training(file, overrides)
        if not flows:
            declares = any(isinstance(s, tree.Let | tree.Block | tree.Use) for s in file.statements)
            if not self.mistakes and not declares:
                whole = Span(self.source, 0, len(self.source.text))
                self.mistakes.append(NoNet(whole))
            return None
        if self.poisoned or any(m.severity is Severity.ERROR for m in self.mistakes):
            return None
        self.unused(set(outputs.values()), labels)
        net = Graph(
            self.source,
            self.nodes.values(),
            outputs,
            training,
            [s for s in file.statements if isinstance(s, tree.Expect)],
            {word: name for word, (name, _) in labels.items()},
            "\n".join(flow.documentation for flow in flows if flow.documentation),
            self.files.texts,
            {n: w for n, w in module.lets.items() if n in lets and not isinstance(w, Lost)},
        )
        self.varied(net, file, overrides)
        return net

    def varied(self, net: Graph, file: tree.File, overrides: Mapping[str, object]) -> None:
        """What `augment` asks of the inputs is known once these are."""
        written = (s.arguments for s in file.statements if isinstance(s, tree.Train))
        spans = [a.span for arguments in written for a in arguments if a.name == "augment"]
        where = spans[0] if spans and overrides.get("augment") is None else None
        inputs = [node.value for node in net.inputs]
        self.mistakes += unvaried(net.training, inputs, net.output.value, where)

    def neverrun(self, file: tree.File) -> None:
        """Words that mean nothing in blocks that nothing uses, and in choices never taken."""
        module = self.frame.module
        chains = [s.chain for s in file.statements if isinstance(s, tree.Flow | tree.Block)]
        for stage in (stage for chain in chains for stage in every_stage(chain)):
            if id(stage) not in self.parts:
                source = isinstance(stage.pieces[0], tree.Value | tree.Reference)
                self.mistakes += sort(stage.pieces[1:] if source else stage.pieces, module).mistakes

    def training(self, file: tree.File, overrides: Mapping[str, object]) -> Training:
        statements = [s for s in file.statements if isinstance(s, tree.Train)]
        for second in statements[1:]:
            self.mistakes.append(NotOnce(second.span, "train", statements[0].span))
        scope = Scope(self.frame.names)
        training, mistakes = read_training(statements[0] if statements else None, scope=scope)
        self.mistakes.extend(mistakes)
        training, mistakes = overridden(training, overrides)
        self.mistakes.extend(mistakes)
        return training

    def unused(self, outputs: set[str], labels: Mapping[str, tuple[str, Span]]) -> None:
        read = {name for node in self.nodes.values() for name in node.inputs} | outputs
        words = {name: word for word, (name, _) in labels.items()}
        for node in self.nodes.values():
            if node.name not in read:
                self.mistakes.append(Unused(node.span, words.get(node.name, node.name)))

    # -------------------------------------------------------------------------------- chains

    def flow(self, flow: tree.Flow) -> Walk[str]:
        outside = self.frame
        self.frame = outside._replace(prefix=flow.label.word if flow.label else "")
        lone = len(flow.chain.stages) == 1
        made: str | None = yield self.chain(flow.chain, None, flow.label if lone else None)
        first = flow.chain.stages[0].span
        end = self.poison(NoSource(flow.chain.span, first.text)) if made is None else made
        if flow.label:
            self.label(flow.label, end)
        self.frame = outside
        return end

    def label(self, label: tree.Name, value: str) -> None:
        scope = self.frame.labels[-1]
        if label.word in scope:
            self.report(NameTaken(label.span, label.word, scope[label.word][1]))
        elif label.word in CATALOGUE or label.word == "id":
            reason = "an operator is called so"
            self.report(NameTaken(label.span, label.word, reason=reason))
        else:
            scope[label.word] = (value, label.span)

    def chain(
        self, chain: tree.Chain, value: str | None, label: tree.Name | None = None
    ) -> Walk[str | None]:
        """Run a value through the stages; None when nothing flows in, and nothing comes of it."""
        for index, stage in enumerate(chain.stages):
            value = yield self.stage(stage, value, label if index == 0 else None, first=index == 0)
        return value

    def stage(
        self, stage: tree.Stage, value: str | None, chain_label: tree.Name | None, *, first: bool
    ) -> Walk[str | None]:
        self.count(stage.span)
        begins = 0
        if first:
            value, begins = self.origin(stage.pieces, value, stage.label or chain_label)
        label = stage.label
        layer: str | None = None
        for part in self.sorted(stage, begins):
            if isinstance(part, Use) and not isinstance(part.callee, Block):
                if part.branches is None:
                    value, layer = self.apply(part, [value], layer, label)
                else:
                    outside = self.enter(part, value)
                    before = len(self.nodes)
                    inputs = yield self.branches(part, value)
                    self.leave(part, before, outside)
                    value, layer = self.apply(part, inputs, layer, label)
            else:
                layer = None
                outside = self.enter(part, value)
                before = len(self.nodes)
                if isinstance(part, Use):
                    value = yield self.call(part, value, label)
                elif isinstance(part.inner, tree.Group):
                    value = yield self.group(part.inner, value)
                elif isinstance(part.inner, tree.Loop):
                    value = yield self.loop(part.inner, value)
                else:
                    value = yield self.choice(part.inner, value)
                self.leave(part, before, outside)
            label = None if isinstance(part, Use) else label
        if stage.label:
            self.label(stage.label, value or POISON)
        return value

    def enter(self, part: Part, value: str | None) -> _Frame:
        """Let what is made inside learn as the part says; returns the frame to come back to."""
        outside = self.frame
        if not part.learning:
            return outside
        try:
            self.frame = outside._replace(learning=self.learning(part, value))
        except Refused as refused:
            self.poison(*refused.mistakes)
        return outside

    def leave(self, part: Part, before: int, outside: _Frame) -> None:
        """Come back, and report what was said of weights that are not there; a choice may have some
        in the branch that is not taken."""
        self.frame = outside
        if not part.learning or (
            isinstance(part, Bracketed) and isinstance(part.inner, tree.Choice)
        ):
            return
        made = tuple(islice(self.nodes.values(), before, None))
        if made and not self.poisoned:
            self.reach(part, tuple(weight for node in made for weight in node.weights))

    def learning(self, part: Part, value: str | None) -> Learning:
        """How the weights of a part learn that says so."""
        said = self.maker.learning(part, self.scope(value))
        return said.within(self.frame.learning)

    def reach(self, part: Part, weights: tuple[Weight, ...]) -> None:
        """Report what acts on none of these weights."""
        matrices = any(weight.decays for weight in weights)
        if not matrices:
            lost = [word for word in part.learning if not weights or word in ON_MATRICES]
            if lost:
                places = [part.learning[word].span for word in lost]
                words = " ".join(place.text for place in places)
                self.poison(NothingToLearn(places[0], part.word, words, bool(weights)))

    def count(self, span: Span) -> None:
        self.steps += 1
        if self.steps > self.limits.steps:
            self.report(TooManySteps(span, self.steps, self.limits.steps))
            raise _Stop

    def sorted(self, stage: tree.Stage, begins: int) -> list[Any]:
        """The parts of a stage behind its source; their mistakes are reported once."""
        parts = self.parts.get(id(stage))
        if parts is None:
            parts = sort(stage.pieces[begins:], self.frame.module)
            self.parts[id(stage)] = parts
            if parts.mistakes:
                self.poison(*parts.mistakes)
        return parts.found

    def origin(
        self, pieces: tuple[tree.Piece, ...], value: str | None, label: tree.Name | None
    ) -> tuple[str | None, int]:
        """The source at the head of a chain, and how many pieces it takes."""
        match pieces[0]:
            case tree.Reference():
                return self.reference(pieces[0]), 1
            case tree.Value():
                behind = pieces[1] if len(pieces) > 1 else None
                integer = isinstance(behind, tree.Word) and behind.word == "int"
                alone = len(pieces) == 1 + integer
                return self.input(pieces[0], label if alone else None, integer=integer), 1 + integer
            case _:
                return value, 0

    def reference(self, reference: tree.Reference) -> str:
        for scope in reversed(self.frame.labels):
            if reference.word in scope:
                return scope[reference.word][0]
        known = [word for scope in self.frame.labels for word in scope]
        near = nearest(reference.word, known)
        later = None if self.frame.calls else self.later.get(reference.word)
        return self.poison(UnknownReference(reference.span, reference.word, near, later))

    def input(self, piece: tree.Value, label: tree.Name | None, *, integer: bool) -> str:
        try:
            sizes = evaluate(piece.value, Scope(self.frame.names))
            shape = sizes if isinstance(sizes, tuple) else (sizes,)
            whole = tuple(s for s in shape if isinstance(s, int) and not isinstance(s, bool))
            if len(whole) != len(shape) or min(whole, default=0) < 1:
                problem = f"an input's sizes are whole numbers from 1, not {shown(sizes)}"
                raise Refused(BadExpression(piece.span, problem))
            value = Value.read(whole, integer=integer)
            self.maker.bounded(value, piece.span)
        except Refused as refused:
            return self.poison(*refused.mistakes)
        scope = "" if label and not self.frame.calls else self.frame.prefix
        name = self.names.labelled(scope, label.word if label else "input")
        self.nodes[name] = Node(name, Applied(Input(), (value,), value), (), name, piece.span)
        return name

    # ------------------------------------------------------------------------------ operators

    def branches(self, part: Use, value: str | None) -> Walk[list[str | None]]:
        """What each branch makes of the value; None when it is `id` and nothing flows in."""
        group = part.branches
        assert group is not None
        if group.repeat is not None:
            problem = f"`{part.word}[ ... ]` is not repeated by `*`"
            advice = f"put it into a group: `[ {part.word}[ ... ] ]*n`"
            self.poison(BadExpression(group.repeat.span, problem, advice))
            return [POISON]
        found: list[str | None] = []
        for chain in group.branches:
            end: str | None = yield self.chain(chain, value)
            found.append(end)
        return found

    def apply(
        self, part: Use, inputs: list[str | None], layer: str | None, label: tree.Name | None
    ) -> tuple[str | None, str | None]:
        """Apply an operator; returns its value and the layer that now stands open."""
        if part.flawed:
            return self.silent(), None
        try:
            if part.merges and part.branches is None:
                raise Refused(MissingBranches(part.span, part.word))
            op = self.maker.operator(part, self.scope(inputs[0]))
            if any(name is None for name in inputs):
                raise Refused(NoSource(part.span, part.word))
            sources = [name for name in inputs if name]
            if len(sources) < len(inputs):
                return self.silent(), None
            return self.node(part, op, sources, layer, label)
        except Refused as refused:
            return self.poison(*refused.mistakes), None

    def scope(self, value: str | None) -> Scope:
        """Constants, and `in`: what flows in here."""
        inflow = LOST if value == POISON else None if value is None else self.nodes[value].value
        return Scope(self.frame.names, inflow)

    def node(
        self, part: Use, op: Op, inputs: list[str], layer: str | None, label: tree.Name | None
    ) -> tuple[str, str]:
        arrivals = tuple(self.nodes[name].value for name in inputs)
        span = part.span
        if op.arity is not None and len(inputs) != op.arity:
            problem = f"`{op.name}` joins {op.arity} branches, not {len(inputs)}"
            raise Refused(BadExpression(span, problem))
        if len(self.nodes) >= self.limits.nodes:
            self.report(TooManyNodes(span, len(self.nodes) + 1, self.limits.nodes))
            raise _Stop
        try:
            applied = self.maker.applied(op, arrivals, span)
        except Refused as refused:
            mistake = replace(refused.mistake, span=refused.mistake.span or span)
            if isinstance(mistake, ShapeMistake):
                notes = (
                    Note(self.nodes[n].span, f"{self.nodes[n].value} leaves here") for n in inputs
                )
                mistake = replace(mistake, arrivals=tuple(dict.fromkeys(notes)))
            raise Refused(mistake) from None
        for remark in applied.remarks:
            self.report(replace(remark, span=span))
        learning = self.frame.learning
        if part.branches is None and part.learning:
            self.reach(part, applied.weights)
            learning = self.learning(part, inputs[0])
        hangs = layer is not None and Trait.HANGS in op.traits
        if label is not None and layer is None:
            name = self.names.labelled(self.frame.prefix, label.word)
        else:
            name = self.names.numbered(self.frame.prefix, op.name)
        owner = layer if hangs and layer is not None else name
        lent = self.tied(part.tie, op, arrivals) if part.tie else {}
        if lent and learning.said:
            self.as_kept(lent["weight"], learning, span)
        self.nodes[name] = Node(
            name, applied, tuple(inputs), owner, span, lent, self.frame.blocks, learning
        )
        return name, owner

    def as_kept(self, weight: str, learning: Learning, span: Span) -> None:
        """Refuse that a weight learns otherwise than where it is kept."""
        keeper = self.nodes[weight.rpartition(".")[0]]
        if keeper.learning != learning:
            words = str(learning), str(keeper.learning)
            self.poison(LearnsElsewhere(span, keeper.name, *words, keeper.span))

    def tied(
        self, reference: tree.Reference, op: Op, arrivals: tuple[Value, ...]
    ) -> dict[str, str]:
        """The weight that `tie=@name` takes: of the stage's operator, or of its layer's head."""
        name = self.reference(reference)
        if name == POISON:
            raise Refused
        wanted = next(
            (
                w
                for w in self.maker.applied(op, arrivals, reference.span).weights
                if w.name == "weight"
            ),
            None,
        )
        for node in (self.nodes[name], self.nodes[self.nodes[name].layer]):
            for weight in node.weights:
                if weight.name == "weight" and wanted is not None:
                    if weight.shape == wanted.shape:
                        return {"weight": node.keeper(weight)}
                    sizes = [written(w.shape) for w in (weight, wanted)]
                    problem = f"its weight is {sizes[0]}, but {sizes[1]} is wanted"
                    raise Refused(CannotTie(reference.span, reference.word, problem))
        raise Refused(CannotTie(reference.span, reference.word, "it has no such weight"))

    # --------------------------------------------------------------- blocks, groups and loops

    def call(self, use: Use, value: str | None, label: tree.Name | None) -> Walk[str | None]:
        """Run a value through a block or a shared chain, under names of its own."""
        block = use.callee
        assert isinstance(block, Block)
        if use.flawed:
            return self.silent()
        outside = self.frame
        try:
            if block in outside.calls:
                raise Refused(BlockInItself(use.span, block.name))
            if len(outside.calls) >= self.limits.blocks:
                depth = len(outside.calls) + 1
                raise Refused(BlocksTooDeep(use.span, depth, self.limits.blocks))
            given = {name: g.value for name, g in arguments(use, self.scope(value)).items()}
            names = self.opened(block, given, value)
        except Refused as refused:
            return self.poison(*refused.mistakes)
        if label is not None:
            prefix = self.names.labelled(outside.prefix, label.word)
        elif block.written.shared:
            prefix = self.names.labelled("", block.name)
        else:
            prefix = self.names.numbered(outside.prefix, block.name)
        note = Note(use.span, f"in this use of `{block.name}`")
        self.frame = _Frame(
            prefix,
            names,
            ({},),
            block.module,
            (*outside.calls, block),
            (note, *outside.trail),
            (*outside.blocks, BlockUse(prefix, block.name, tuple(given.items()))),
            outside.learning,
        )
        before = len(self.nodes)
        value = yield self.chain(block.written.chain, value)
        self.frame = outside
        if block.written.shared and value:
            value = self.lend(block, before, value, use.span)
        return value

    def opened(
        self, block: Block, given: Mapping[str, Worth], value: str | None
    ) -> dict[str, Worth | Lost]:
        """The names that a block's chain sees: its file's, its parameters, its lets."""
        names: dict[str, Worth | Lost] = {**block.module.lets, **given}
        scope = replace(self.scope(value), names=names)
        for parameter in block.written.parameters or ():
            if parameter.name.word not in given and parameter.default is not None:
                names[parameter.name.word] = evaluate(parameter.default, scope)
        for let in block.written.lets:
            names.update(bound(let.target, evaluate(let.value, scope), let.value.span))
        return names

    def lend(self, block: Block, before: int, value: str, span: Span) -> str:
        """Give the nodes of a further use of a shared chain the weights of the first."""
        made = tuple(islice(self.nodes.values(), before, None))
        if block not in self.shared:
            self.shared[block] = (made, span)
            return value
        first, place = self.shared[block]
        if differing := _differing(made, first):
            return self.poison(SharedDiffers(span, *differing, place))
        if self.frame.learning.said:
            for node, owner in zip(made, first, strict=True):
                if owner.weights and node.learning != owner.learning:
                    words = str(node.learning), str(owner.learning)
                    return self.poison(LearnsElsewhere(span, block.name, *words, place))
        for node, owner in zip(made, first, strict=True):
            lent = {w.name: owner.keeper(w) for w in (*owner.weights, *owner.state)}
            self.nodes[node.name] = replace(node, lent=lent, learning=owner.learning)
        return value

    def group(self, group: tree.Group, value: str | None) -> Walk[str | None]:
        if len(group.branches) > 1:
            return self.poison(StrayBranches(group.span))
        (body,) = group.branches
        if group.repeat is None:
            value = yield self.chain(body, value)
            return value
        try:
            times = self.times(group, group.repeat, value)
        except Refused as refused:
            return self.poison(*refused.mistakes)
        for _ in range(times):
            before = value, len(self.nodes), len(self.names.taken)
            value = yield self.inside(body, value, {})
            # A turn that makes no node and takes no name is like all that would follow it.
            if value == POISON or (value, len(self.nodes), len(self.names.taken)) == before:
                break
        return value

    def inside(
        self, body: tree.Chain, value: str | None, names: Mapping[str, Worth]
    ) -> Walk[str | None]:
        """One turn of a repeat or a loop: labels given in it are its own."""
        outside = self.frame
        self.frame = outside._replace(
            labels=(*outside.labels, {}),
            names={**outside.names, **names} if names else outside.names,
        )
        value = yield self.chain(body, value)
        self.frame = outside
        return value

    def times(self, group: tree.Group, repeat: tree.Expression, value: str | None) -> int:
        """How often a group is repeated, refused before it is expanded when that is too often."""
        times = evaluate(repeat, self.scope(value))
        if not isinstance(times, int) or isinstance(times, bool) or times < 0:
            problem = f"a group is repeated a whole number of times, not {shown(times)}"
            raise Refused(BadExpression(repeat.span, problem))
        if times > self.limits.repeat:
            raise Refused(RepeatedTooOften(repeat.span, times, self.limits.repeat))
        nodes = len(self.nodes) + times * self.least(group.branches[0])
        if nodes > self.limits.nodes:
            raise Refused(TooManyNodes(group.span, nodes, self.limits.nodes))
        return times

    def least(self, chain: tree.Chain) -> int:
        """How many nodes a chain makes at least, without making them."""
        if id(chain) in self.smallest:
            return self.smallest[id(chain)]
        total = 0
        pending = [(chain, 1)]
        while pending:
            part, times = pending.pop()
            for stage in part.stages:
                for piece in sort(stage.pieces, self.frame.module).found:
                    if isinstance(piece, Use):
                        total += times
                        pending += (
                            [(c, times) for c in piece.branches.branches] if piece.branches else []
                        )
                    elif isinstance(piece.inner, tree.Group):
                        known = 1
                        if isinstance(piece.inner.repeat, tree.Number):
                            known = int(piece.inner.repeat.value)
                        pending += [(branch, times * known) for branch in piece.inner.branches]
        self.smallest[id(chain)] = total
        return total

    def loop(self, loop: tree.Loop, value: str | None) -> Walk[str | None]:
        try:
            items = evaluate(loop.items, self.scope(value))
            if not isinstance(items, tuple):
                problem = f"`for` goes through a list, not {shown(items)}"
                advice = "write one, as in `for n in (64, 128)`, or `range(n)`"
                raise Refused(BadExpression(loop.items.span, problem, advice))
            turns = [bound(loop.target, item, loop.items.span) for item in items]
        except Refused as refused:
            return self.poison(*refused.mistakes)
        for names in turns:
            value = yield self.inside(loop.body, value, names)
            if value == POISON:
                break
        return value

    def choice(self, choice: tree.Choice, value: str | None) -> Walk[str | None]:
        branch: tree.Choice | tree.Chain | None = choice
        try:
            while isinstance(branch, tree.Choice):
                holds = evaluate(branch.condition, self.scope(value))
                if not isinstance(holds, bool):
                    problem = f"`if` wants true or false, not {shown(holds)}"
                    advice = "compare, as in `if in.c != c [ ... ]`"
                    raise Refused(BadExpression(branch.condition.span, problem, advice))
                branch = branch.then if holds else branch.otherwise
        except Refused as refused:
            return self.poison(*refused.mistakes)
        if branch is not None:
            value = yield self.chain(branch, value)
        return value

    # ------------------------------------------------------------------------------- mistakes

    def report(self, mistake: Mistake) -> None:
        self.mistakes.append(replace(mistake, trail=self.frame.trail))

    def poison(self, *mistakes: Mistake) -> str:
        for mistake in mistakes:
            self.report(mistake)
        return self.silent()

    def silent(self) -> str:
        """A poisoned value without a message: the mistake behind it has been reported."""
        self.poisoned = True
        return POISON


def _differing(made: tuple[Node, ...], first: tuple[Node, ...]) -> tuple[str, str, str] | None:
    """The first weight whose size is another in a further use: its name, and both sizes."""
    kept, wanted = (
        [(node, w) for node in nodes for w in (*node.weights, *node.state)]
        for nodes in (first, made)
    )
    for (node, here), (_, there) in zip_longest(kept, wanted, fillvalue=(None, None)):
        if here is None or there is None or here.shape != there.shape:
            owner = (node or made[-1]).keeper(here) if here else "a weight"
            sizes = [written(w.shape) if w else "nothing" for w in (there, here)]
            return owner, sizes[0], sizes[1]
    return None
