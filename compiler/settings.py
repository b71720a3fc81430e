"""Reading `train(...)` and the overrides that win over it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, get_origin

from ..grammar import tree
from ..grammar.diagnostics import Mistake
from ..grammar.near import nearest
from ..grammar.parse import parse
from ..grammar.source import Source, Span
from .arguments import Given, checked
from .errors import BadArgument, BadSetting
from .expressions import Scope, evaluate
from .initialisers import read_initialiser
from .op import Initialiser, Refused
from .training import MENUS, Training
from .training.choice import Choice, Menu

NONE = "none"
"""What turns a setting off where the spec has it on: `--clip none`."""

OPTIONAL = {
    name: field.default
    for name, field in Training.model_fields.items()
    if field.default is None or field.default == ()
}
"""The settings that may be off, and what they are then."""


def read_training(
    statement: tree.Train | None, base: Training | None = None, scope: Scope | None = None
) -> tuple[Training, tuple[Mistake, ...]]:
    """The settings of a run, on top of `base`; every wrong one is reported, none is taken."""
    training = base or Training()
    given: dict[str, Given] = {}
    mistakes: list[Mistake] = []
    for argument in statement.arguments if statement else ():
        try:
            name = _known(argument)
            if name in given:
                raise Refused(BadSetting(argument.span, name, "is given twice", "keep one"))
            given[name] = Given(
                _setting(name, argument.value, scope or Scope()), argument.value.span
            )
        except Refused as refused:
            mistakes.extend(refused.mistakes)
    if mistakes or statement is None:
        return training, tuple(mistakes)
    kept = {
        name: Given(getattr(training, name), statement.span) for name in training.model_fields_set
    }
    try:
        return checked(Training, "train", {**kept, **given}, statement.span), ()
    except Refused as refused:
        return training, tuple(_as_setting(mistake) for mistake in refused.mistakes)


def _as_setting(mistake: Mistake, name: str | None = None) -> Mistake:
    """The same of a setting: of the one with this name, where a plain number stands for a choice."""
    if not isinstance(mistake, BadArgument):
        return mistake
    problem = f"is {mistake.found}, but must be {mistake.wanted}"
    return BadSetting(mistake.span, name or mistake.argument, problem, mistake.advice)


def overridden(
    training: Training, overrides: Mapping[str, object]
) -> tuple[Training, tuple[Mistake, ...]]:
    """Settings given from outside, as text or numbers: ``{"optimizer": "adam(lr=1e-3)"}``; None
    turns off what may be off, and is nothing said of the others."""
    given = {
        name: NONE if value is None else value
        for name, value in overrides.items()
        if value is not None or name in OPTIONAL
    }
    if not given:
        return training, ()
    if mistakes := tuple(_misplaced(given)):
        return training, mistakes
    lines = ", ".join(f"{name} = {_given(value)}" for name, value in given.items())
    file, mistakes = parse(Source("<settings>", f"train({lines})"))
    statement = file.statements[0] if file.statements else None
    if mistakes or not isinstance(statement, tree.Train):
        return training, mistakes
    if len(file.statements) > 1 or [a.name for a in statement.arguments] != list(given):
        strange = next(
            (name for name, value in given.items() if "," in str(value)), next(iter(given))
        )
        problem = f"cannot be `{given[strange]}`"
        return training, (BadSetting(None, strange, problem, "give every setting its own value"),)
    return read_training(statement, training)


def _misplaced(given: Mapping[str, object]) -> Iterator[Mistake]:
    """Numbers of the optimiser, or of the schedule, that are given as settings of their own."""
    for name, value in given.items():
        whole = None if name in Training.model_fields else belonging(name, value)
        if whole:
            place, choice = whole
            yield BadSetting(None, name, "is no setting of train", f'write {place}="{choice}"')


def _given(value: object) -> str:
    """A setting from outside as text: the language's own, a number, a choice, or several."""
    if isinstance(value, tuple):
        return f"({', '.join(map(_given, value))}{',' if len(value) == 1 else ''})"
    return _written(value) if isinstance(value, Choice | bool) else str(value)


def as_text(training: Training) -> dict[str, str]:
    """Settings as `train(...)` writes them; `overridden` reads them back."""
    values = {name: getattr(training, name) for name in Training.model_fields}
    told = {
        name: value
        for name, value in values.items()
        if value not in (None, ()) or name in training.model_fields_set
    }
    return {name: _written(value) for name, value in told.items()}


def _written(value: object) -> str:
    match value:
        case Choice():
            fields = ", ".join(
                f"{field}={_written(worth)}"
                for field in type(value).model_fields
                if (worth := getattr(value, field)) is not None
            )
            return f"{value.name}({fields})" if fields else value.name
        case None | ():
            return NONE
        case Initialiser():
            return str(value)
        case tuple():
            return f"({', '.join(map(_written, value))}{',' if len(value) == 1 else ''})"
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
        case _:
            return repr(value)


def _known(argument: tree.Argument) -> str:
    known = tuple(Training.model_fields)
    if argument.name is None:
        written = argument.span.text
        raise Refused(BadSetting(argument.span, written, "has no name", "write `name = value`"))
    if argument.name not in known:
        whole = belonging(argument.name, argument.value.span.text)
        near = nearest(argument.name, known)
        advice = f"did you mean `{near}`?" if near else f"there are {', '.join(known)}"
        advice = f"write `{' = '.join(whole)}`" if whole else advice
        raise Refused(BadSetting(argument.span, argument.name, "is no setting of train", advice))
    return argument.name


def belonging(name: str, value: object) -> tuple[str, str] | None:
    """What a number belongs to that is no setting of train, and how it is written there:
    `("optimizer", "adam(lr=0.1)")`; None where nothing has it."""
    usual = Training()
    for place, first in (("optimizer", usual.optimizer), ("schedule", usual.schedule)):
        for kind in (type(first), *MENUS[place].choices.values()):
            if name in kind.model_fields:
                return place, f"{kind.name}({name}={value})"
    return None


def _setting(name: str, value: tree.Expression, scope: Scope) -> object:
    """The worth of one setting: a number, what a menu calls by that name, or several of them."""
    menu = MENUS.get(name)
    if isinstance(value, tree.Name) and value.word == NONE and name in OPTIONAL:
        return OPTIONAL[name]
    if name == "init":
        return read_initialiser(value, scope)
    if menu is None:
        return evaluate(value, scope)
    if menu.many:
        items = value.items if isinstance(value, tree.Tuple) else (value,)
        return tuple(_chosen(name, menu, item, scope) for item in items)
    return _chosen(name, menu, value, scope)


def _chosen(name: str, menu: Menu, value: tree.Expression, scope: Scope) -> Choice:
    match value:
        case tree.Name(word=word):
            return _made(name, menu, word, (), value.span, scope)
        case tree.Call(word=word, arguments=arguments):
            return _made(name, menu, word, arguments, value.span, scope)
    worth = evaluate(value, scope) if menu.bare else None
    if menu.bare is None or isinstance(worth, bool) or not isinstance(worth, int | float):
        advice = f"choose one of {', '.join(menu.choices)}"
        raise Refused(BadSetting(value.span, name, f"cannot be {value.span.text}", advice))
    given = {menu.bare.places[0]: Given(worth, value.span)}
    try:
        return checked(menu.bare, menu.bare.name, given, value.span)
    except Refused as refused:
        raise Refused(*(_as_setting(mistake, name) for mistake in refused.mistakes)) from None


def _made(
    name: str,
    menu: Menu,
    word: str,
    arguments: tuple[tree.Argument, ...],
    span: Span,
    scope: Scope,
) -> Choice:
    kind = menu.choices.get(word)
    if kind is None:
        near = nearest(word, list(menu.choices))
        advice = f"did you mean `{near}`?" if near else f"there are {', '.join(menu.choices)}"
        raise Refused(BadSetting(span, name, f"cannot be `{word}`", advice))
    given: dict[str, Given] = {}
    for index, argument in enumerate(arguments):
        field = argument.name or (kind.places[index] if index < len(kind.places) else None)
        if field is None or field not in kind.model_fields:
            known = ", ".join(kind.model_fields) or "nothing"
            problem = f"has no setting `{argument.name or argument.span.text}`"
            advice = _taking(menu, kind, arguments) or f"it takes {known}"
            raise Refused(BadSetting(argument.span, word, problem, advice))
        if field in given:
            raise Refused(BadSetting(argument.span, word, f"has {field} twice", "keep one"))
        given[field] = Given(_worth(kind, field, argument.value, scope), argument.value.span)
    return checked(kind, word, given, span)


def _taking(menu: Menu, kind: type[Choice], arguments: tuple[tree.Argument, ...]) -> str:
    """The first of the menu that takes all these settings, where it goes on from this one."""
    named = {argument.name: argument.value.span.text for argument in arguments}
    if None in named:
        return ""
    for other in menu.choices.values():
        if named.keys() <= other.model_fields.keys() and kind.model_fields.keys() <= set(
            other.model_fields
        ):
            given = ", ".join(f"{name}={value}" for name, value in named.items())
            return f"write `{other.name}({given})`"
    return ""


def _worth(kind: type[Choice], field: str, value: tree.Expression, scope: Scope) -> object:
    """A value; where a field takes one of a few words, the bare word stands for itself."""
    if isinstance(value, tree.Name) and get_origin(kind.model_fields[field].annotation) is Literal:
        return value.word
    return evaluate(value, scope)
