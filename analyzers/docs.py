"""`nnspec docs`: the language reference, a page a concept and a page an operator.

Pages of concepts are text in `grammar/reference`; those of operators, losses, optimisers and
mistakes are told from what declares them, so they cannot fall behind.
"""

from __future__ import annotations

import argparse
import inspect
import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from textwrap import wrap
from types import MappingProxyType

from ..compiler.arguments import signature
from ..compiler.elaborate import elaborate
from ..compiler.op import Op
from ..compiler.ops import CATALOGUE
from ..compiler.training import MENUS
from ..compiler.training.choice import Choice
from ..compiler.words import FOREIGN
from ..grammar.diagnostics import Applicability, Mistake, SpecError
from ..grammar.near import nearest
from ..grammar.source import Source
from .check import write
from .errors import NoPage
from .render.structured import as_json
from .rule import Finding, Rule, findings, rules

CONCEPTS: Mapping[str, str] = MappingProxyType(
    {
        "chain": "a net is a chain of stages; inputs and outputs",
        "operators": "operators, their arguments and options; how weights begin",
        "groups": "groups and repeats",
        "branches": "branches and merges",
        "names": "names and references",
        "blocks": "chains with parameters",
        "shared": "one set of weights, many uses",
        "loops": "a chain once for every item",
        "choices": "one chain or another",
        "expressions": "constants, arithmetic and functions",
        "files": "blocks from other files and from the library",
        "promises": "what must be true of the net",
        "training": "losses, optimisers, settings",
        "learning": "layers that learn otherwise than the net: freezing, a rate of their own",
        "layout": "comments and line ends",
        "limits": "what a spec may not exceed",
    }
)
"""The pages in `grammar/reference`, in reading order."""

WORDS: Mapping[str, str] = MappingProxyType(
    {
        "let": "expressions", "block": "blocks", "for": "loops", "range": "loops", "zip": "loops",
        "if": "choices", "else": "choices", "use": "files", "expect": "promises",
        "train": "training", "output": "chain", "input": "chain", "int": "chain", "id": "branches",
        "init": "operators", "tie": "shared", "in": "blocks", "fmt": "layout",
        "freeze": "learning", "lr": "learning", "l2": "learning", "l1": "learning",
        "max_norm": "learning",
    }
)  # fmt: skip
"""Words of the language, with the page that tells of them."""


def page(word: str | None = None) -> str:
    """The page for a concept, a word of the language, an operator, a choice of `train(...)`, or a
    mistake's code, as Markdown; for another tool's name the page of ours, for none the contents.

    Raises SpecError when there is no such page.
    """
    if not word:
        return contents()
    choices = [
        _choice(setting, menu.choices[word])
        for setting, menu in MENUS.items()
        if word in menu.choices
    ]
    if word in CATALOGUE or choices:
        operators = [_operator(CATALOGUE[word])] if word in CATALOGUE else []
        return "\n".join([*operators, *choices])
    if word.upper() in rules():
        return _rule(rules()[word.upper()])
    if word.upper() in Mistake.by_code:
        return _mistake(Mistake.by_code[word.upper()])
    if word in CONCEPTS or word in WORDS:
        name = f"{WORDS.get(word, word)}.md"
        return files("nnspec").joinpath("grammar", "reference", name).read_text("utf-8")
    if word.lower() in FOREIGN:
        return page(FOREIGN[word.lower()])
    near = nearest(
        word,
        [
            *CONCEPTS,
            *WORDS,
            *CATALOGUE,
            *(word for menu in MENUS.values() for word in menu.choices),
        ],
    )
    raise SpecError([NoPage(None, word, near)])


def contents() -> str:
    """What there is to read."""
    lines = ["# The language, page by page", ""]
    lines += [f"    nnspec docs {word:<12} {says}" for word, says in CONCEPTS.items()]
    lines += ["", "## Operators, and what train(...) may choose", ""]
    for title, words in _families():
        lines += wrap(
            " ".join(words), 100, initial_indent=f"    {title:<12}", subsequent_indent=" " * 16
        )
    lines += ["", "Codes of mistakes have pages too: `nnspec docs NN201`."]
    return "\n".join(lines) + "\n"


def _families() -> Iterator[tuple[str, list[str]]]:
    families: dict[str, list[str]] = {}
    for name, kind in CATALOGUE.items():
        families.setdefault(kind.__module__.rpartition(".")[2], []).append(name)
    yield from families.items()
    for setting, menu in MENUS.items():
        yield setting, list(menu.choices)


# --------------------------------------------------------------------------------- operators


def _operator(kind: type[Op]) -> str:
    lines = [f"# {signature(kind).written}", "", inspect.getdoc(kind) or ""]
    rows = list(_arguments(kind))
    if rows:
        wide = max(len(name) for name, _ in rows)
        lines += ["", *(f"    {name:<{wide}}  {says}" for name, says in rows)]
    for sample in kind.samples:
        lines += ["", *_sample(kind, sample)]
    lines += ["", f"Source: {kind.source}."]
    return "\n".join(lines) + "\n"


def _arguments(kind: type[Op]) -> Iterator[tuple[str, str]]:
    """Each argument as it is written, with what it is and what it is worth when left out."""
    known = signature(kind).parameters
    for name in (*kind.places, *(name for name in known if name not in kind.places)):
        parameter = known[name]
        info = kind.model_fields[name]
        if name == "init":
            yield "init=", "how weights begin: `nnspec docs init`"
        elif parameter.flag:
            yield parameter.shown, parameter.described
        else:
            shown = parameter.shown if name in kind.places else f"{parameter.shown}="
            letter = f", or {name} with the number behind it" if name != parameter.shown else ""
            letter = "" if name in kind.places else letter
            worth = "" if info.is_required() else f"; {_written(info.default)}"
            yield shown, f"{parameter.described}{letter}{worth}"


def _written(default: object) -> str:
    match default:
        case None:
            return "worked out when left out"
        case tuple():
            return "x".join(map(str, default))
        case float():
            return f"{default:g}"
        case _:
            return str(default)


def _sample(kind: type[Op], text: str) -> Iterator[str]:
    """A small net with what is true of the operator in it."""
    graph = elaborate(Source("<sample>", text)).net
    node = next(node for node in graph.nodes if isinstance(node.op, kind))
    facts = [("shape", f"{', '.join(map(str, node.arrivals))} to {node.value}")]
    facts += [("size", size) for size in dict.fromkeys(node.applied.derivation)]
    if node.weights:
        facts.append(("parameters", node.applied.formula))
    if node.macs:
        product, worth = node.applied.macs_formula, f"{node.macs:,}"
        facts.append(("multiply-adds", product if product == worth else f"{product} = {worth}"))
    return iter((f"    {text}", *(f"    # {name:<14} {fact}" for name, fact in facts)))


# --------------------------------------------------------------------- settings and mistakes


def _choice(setting: str, kind: type[Choice]) -> str:
    fields = ", ".join(
        name if info.default is None else f"{name}={_written(info.default)}"
        for name, info in kind.model_fields.items()
    )
    head = f"{kind.name}({fields})" if fields else kind.name
    said = f"{inspect.getdoc(kind)}\n\nA choice for `{setting}` in `train(...)`."
    return f"# {head}\n\n{said}\n\nSource: {kind.source}.\n"


def _mistake(kind: type[Mistake]) -> str:
    return f"# {kind.code} {kind.name}\n\n{kind.page()}\n"


def _rule(rule: Rule) -> str:
    first, *why, source = rule.page.split("\n\n")
    told = [_found(rule, text) for text in rule.wrong]
    kinds = {found.mending.applicability for found in told if found.mending}
    parts = [
        f"# {rule.code} {rule.name}",
        first,
        "## Why",
        *why,
        "## Example",
        _indented(rule.wrong[0]),
        "`nnspec check` says:",
        _indented(f"{rule.code} {told[0].text}\nhelp: {told[0].advice}"),
        "## Use instead",
        _indented(rule.right[0]),
        "## Fix",
        FIXES[frozenset(kinds)],
        f"It is a {told[0].severity}; `# nnspec: ignore[{rule.code}] reason` silences it.",
        source,
    ]
    return "\n\n".join(parts) + "\n"


FIXES: Mapping[frozenset[Applicability], str] = MappingProxyType(
    {
        frozenset(): "None: what to do is for the author to decide.",
        frozenset({Applicability.SAFE}): (
            "Safe: the net computes and learns the same. `nnspec check --fix` applies it."
        ),
        frozenset({Applicability.UNSAFE}): (
            "Unsafe: the net computes or learns something else. "
            "`nnspec check --fix --unsafe-fixes` applies it."
        ),
    }
)


def _found(rule: Rule, text: str) -> Finding:
    """What the rule says of one of its own texts."""
    graph = elaborate(Source("<example>", text)).net
    return next(iter(findings(graph, frozenset({rule.code}))))


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


def codes() -> str:
    """Every code and its name, the rules with what they say first."""
    kinds = [(kind.code, kind.name, kind.page()) for kind in Mistake.by_code.values()]
    rows = sorted([*kinds, *((rule.code, rule.name, rule.page) for rule in rules().values())])
    wide = max(len(name) for _, name, _ in rows)
    return "".join(f"{code}  {name:<{wide}}  {_first(page)}\n" for code, name, page in rows)


def _first(page: str) -> str:
    """The first sentence, on one line."""
    paragraph = " ".join(page.partition("\n\n")[0].split())
    return re.split(r"(?<=\.)\s", paragraph)[0].rstrip(".")


# ----------------------------------------------------------------------------------- command


def configure_rule(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("code", nargs="?", help="as in NN402")
    parser.epilog = "examples:\n  nnspec rule\n  nnspec rule NN402"


def rule(options: argparse.Namespace) -> int:
    """The page of a code, or all codes."""
    whole = options.page(options.code)
    text = whole if options.code else codes()
    write(as_json({"code": options.code, "text": text}) if options.format == "json" else text)
    return 0


def configure_docs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("word", nargs="?", help="a concept, an operator, a loss, or a code")
    parser.epilog = (
        "examples:\n  nnspec docs\n  nnspec docs blocks\n  nnspec docs conv\n  nnspec docs NN201"
    )


def docs(options: argparse.Namespace) -> int:
    """A page, or what pages there are."""
    text = options.page(options.word)
    write(as_json({"word": options.word, "text": text}) if options.format == "json" else text)
    return 0
