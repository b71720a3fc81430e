"""What a file declares: its constants, its blocks, and what it takes from other files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ..grammar import tree
from ..grammar.diagnostics import Mistake
from ..grammar.limits import Limits
from ..grammar.near import nearest
from ..grammar.parse import parse
from ..grammar.source import Source, Span
from .arguments import signature
from .errors import BadExpression, CannotUse, NameTaken, NotInFile, UnknownLet
from .expressions import LOST, Lost, Scope, Worth, evaluate, shown
from .files import Block, Files, Module
from .op import LETTERS, Refused
from .ops import CATALOGUE
from .settings import belonging

KEPT = frozenset({*LETTERS, *LETTERS.values(), "id", "int", "freeze"}).union(
    name
    for kind in CATALOGUE.values()
    for name, parameter in signature(kind).parameters.items()
    if parameter.flag
)
"""What means something behind an operator: a block of such a name could not be told from it."""


@dataclass
class Declarations:
    """Reads the declarations of a file and, once each, of the files it uses."""

    files: Files
    limits: Limits
    mistakes: list[Mistake]
    modules: dict[str, Module] = field(default_factory=dict)
    reading: list[str] = field(default_factory=list)
    """The files that are being read, outermost first: one of them again is a cycle."""

    def module(self, source: Source, file: tree.File, given: Mapping[str, object]) -> Module:
        """Everything a file declares; `given` are constants that win over its own."""
        module = Module(source, dict.fromkeys(file.lost, LOST), {}, set(file.lost))
        outside = dict(given)
        places: dict[str, Span] = {}
        for statement in file.statements:
            try:
                match statement:
                    case tree.Use():
                        self._use(statement, module, places)
                    case tree.Let():
                        self._let(statement, module, places, outside)
                    case tree.Block():
                        self._block(statement, module, places)
                    case _:
                        pass
            except Refused as refused:
                self.mistakes.extend(refused.mistakes)
        for word in outside.keys() - file.lost:
            known = tuple(module.lets)
            near = nearest(word, known)
            setting = " = ".join(belonging(word, outside[word]) or ())
            self.mistakes.append(UnknownLet(None, word, near, known, setting))
        return module

    def _free(self, name: tree.Name, places: dict[str, Span]) -> None:
        if name.word in places:
            raise Refused(NameTaken(name.span, name.word, places[name.word]))
        places[name.word] = name.span

    def _let(
        self, let: tree.Let, module: Module, places: dict[str, Span], given: dict[str, object]
    ) -> None:
        for name in let.target.names:
            self._free(name, places)
            module.lets[name.word] = LOST
        if all(name.word in given for name in let.target.names):
            worded = isinstance(let.value, tree.Text)
            found = {
                name.word: _from_outside(name.word, given, worded) for name in let.target.names
            }
        else:
            found = bound(let.target, evaluate(let.value, Scope(module.lets)), let.value.span)
            found |= {
                word: _from_outside(word, given, isinstance(found[word], str))
                for word in found.keys() & given.keys()
            }
        module.lets.update(found)

    def _block(self, written: tree.Block, module: Module, places: dict[str, Span]) -> None:
        name = written.name
        if name.word in CATALOGUE or name.word in KEPT:
            kind = "an operator" if name.word in CATALOGUE else "an option"
            reason = f"{kind} is called so"
            self.mistakes.append(NameTaken(name.span, name.word, reason=reason))
        self._free(name, places)
        module.blocks[name.word] = Block(written, module)
        seen: dict[str, Span] = {}
        for parameter in written.parameters or ():
            self._free(parameter.name, seen)

    def _use(self, use: tree.Use, module: Module, places: dict[str, Span]) -> None:
        try:
            other = self._read(use, module.source)
        except Refused:
            _lose(module, None if use.names is None else [name.word for name in use.names])
            raise
        declared: dict[str, Worth | Lost | Block] = {**other.lets, **other.blocks}
        if other.lost is None or (other.lost and use.names is None):
            _lose(module, other.lost)
        taken = use.names or tuple(tree.Name(use.span, word) for word in declared)
        for name in taken:
            if name.word in other.blocks:
                self._free(name, places)
                module.blocks[name.word] = other.blocks[name.word]
            elif name.word in other.lets:
                self._free(name, places)
                module.lets[name.word] = other.lets[name.word]
            elif other.lost is not None and name.word not in other.lost:
                _lose(module, [name.word])
                module.lets[name.word] = LOST
                known = tuple(declared)
                near = nearest(name.word, known)
                self.mistakes.append(NotInFile(name.span, name.word, use.path, near, known))

    def _read(self, use: tree.Use, by: Source) -> Module:
        source = self.files.find(use, by)
        if source.name in (*self.reading, by.name):
            raise Refused(CannotUse(use.span, use.path, "the files use each other in a circle"))
        if source.name not in self.modules:
            file, mistakes = parse(source, self.limits)
            self.mistakes.extend(mistakes)
            self.reading.append(by.name)
            self.modules[source.name] = self.module(source, file, {})
            self.reading.pop()
        return self.modules[source.name]


def _lose(module: Module, words: Iterable[str] | None) -> None:
    """Say no more of these names: what is wrong with them has been reported."""
    if words is None or module.lost is None:
        module.lost = None
    else:
        module.lost.update(words)


def bound(target: tree.Target, worth: Worth, span: Span) -> dict[str, Worth]:
    """What the names of a target stand for; raises `Refused` when the value has other parts."""
    words = [name.word for name in target.names]
    if not target.parted:
        return {words[0]: worth}
    if not isinstance(worth, tuple) or len(worth) != len(words):
        problem = f"`{target.span.text}` wants {len(words)} parts, not {shown(worth)}"
        raise Refused(BadExpression(span, problem))
    return dict(zip(words, worth, strict=True))


def _from_outside(word: str, given: dict[str, object], worded: bool) -> Worth:
    """A constant given as a number, or as text in the language; where the file has a word in quotes
    (`worded`), a bare one stands for itself."""
    worth = given.pop(word)
    written = str(worth).lower() if isinstance(worth, bool) else str(worth)
    file, mistakes = parse(Source("<let>", f"let {word} = {written}"))
    if mistakes:
        raise Refused(*mistakes)
    (let, *_) = file.statements
    assert isinstance(let, tree.Let)
    if worded and isinstance(let.value, tree.Name):
        return let.value.word
    return evaluate(let.value, Scope())
