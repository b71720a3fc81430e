"""Formulas as text: Unicode for a terminal, LaTeX for a document.

Both bracket by the same ranks: what binds less than its place asks for stands in brackets.
"""

from __future__ import annotations

from typing import Protocol

from ..formula import (
    Above,
    At,
    Call,
    Floor,
    Formula,
    Name,
    Negative,
    Number,
    Over,
    Power,
    Product,
    Quotient,
    Root,
    Row,
    Sum,
    Transposed,
)

LOOSE, SUMMED, MULTIPLIED, RAISED, WHOLE = range(5)
"""How strongly a formula holds together."""

SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
SUPERSCRIPTS = str.maketrans("0123456789-OT", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻ᴼᵀ")


class Setting(Protocol):
    """A way of setting formulas."""

    def __call__(self, f: Formula, least: int = LOOSE) -> str:
        """The formula, in brackets where it holds together less than `least`."""


def rank(f: Formula) -> int:
    match f:
        case Over():
            return LOOSE
        case Sum() | Negative():
            return SUMMED
        case Number(value=value) if value < 0:
            return SUMMED
        case Product() | Quotient():
            return MULTIPLIED
        case Power() | Transposed():
            return RAISED
        case _:
            return WHOLE


def _sum(write: Setting, f: Sum) -> str:
    """Terms below zero are subtracted."""
    first, *others = f.terms
    text = write(first, SUMMED)
    for term in others:
        match term:
            case Negative(of=inner):
                text += f" − {write(inner, MULTIPLIED)}"
            case Number(value=value) if value < 0:
                text += f" − {write(Number(-value))}"
            case Product(factors=(Number(value=value), *rest), sign="") if value < 0:
                text += f" − {write(Product((Number(-value), *rest)), MULTIPLIED)}"
            case _:
                text += f" + {write(term, SUMMED)}"
    return text


def _factors(write: Setting, f: Product) -> list[str]:
    """A quotient needs no brackets as the last factor of a plain product."""
    *others, last = f.factors
    bare = not f.sign and isinstance(last, Quotient)
    return [*(write(one, RAISED) for one in others), write(last, MULTIPLIED if bare else RAISED)]


def _digits(value: float) -> tuple[str, str]:
    """Six digits that count, and the power of ten behind them, empty where it is 0."""
    digits, _, power = f"{value:.6g}".replace("-", "−").partition("e")
    return digits, power.replace("−", "-").replace("+", "").replace("-0", "-").lstrip("0")


# ---------------------------------------------------------------------------------- Unicode


def unicode(f: Formula, least: int = LOOSE) -> str:
    """`W₂ max(0, W₁ x + b₁) + b₂`."""
    text = _unicode(f)
    return f"({text})" if rank(f) < least else text


def _unicode(f: Formula) -> str:
    match f:
        case Name(letter, index, over):
            return letter + index.translate(SUBSCRIPTS) + over.translate(SUPERSCRIPTS)
        case Number(value):
            digits, power = _digits(value)
            ten = f"10{power.translate(SUPERSCRIPTS)}" if power else ""
            return ten if ten and digits == "1" else "·".join(filter(None, (digits, ten)))
        case Sum():
            return _sum(unicode, f)
        case Negative(of):
            return f"−{unicode(of, MULTIPLIED)}"
        case Product(sign=""):
            return " ".join(_factors(unicode, f))
        case Product(sign=sign):
            return f" {sign} ".join(_factors(unicode, f))
        case Quotient(top, bottom):
            return f"{unicode(top, MULTIPLIED)} / {unicode(bottom, RAISED)}"
        case Power(base, Number(value)) if value == int(value):
            return unicode(base, WHOLE) + f"{value:g}".translate(SUPERSCRIPTS)
        case Power(base, exponent):
            return f"{unicode(base, WHOLE)}^{unicode(exponent, WHOLE)}"
        case Transposed(of):
            return f"{unicode(of, WHOLE)}ᵀ"
        case Root(of):
            return f"√{_unicode(of) if rank(of) == WHOLE else f'({_unicode(of)})'}"
        case Floor(of):
            return f"⌊{_unicode(of)}⌋"
        case Above(of, bound):
            return f"1[{_unicode(of)} > {_unicode(bound)}]"
        case Call("abs", (of,)):
            return f"|{_unicode(of)}|"
        case Call(word, arguments, index, settings):
            inside = ", ".join(map(_unicode, arguments))
            behind = f"; {', '.join(settings)}" if settings else ""
            return f"{word}{index.translate(SUBSCRIPTS)}({inside}{behind})"
        case At(base, indices):
            return f"{unicode(base, WHOLE)}[{', '.join(map(_unicode, indices))}]"
        case Over(word, through, body):
            return f"{word} over {through} of {_unicode(body)}"
        case Row(items, sign):
            return f"[{f'{sign} '.join(map(_unicode, items))}]"
    raise TypeError(f"no way to set {type(f).__name__}")


# ------------------------------------------------------------------------------------ LaTeX

KNOWN = frozenset({"max", "min", "exp", "log", "tanh"})
"""The functions that LaTeX has a name for."""

SYMBOLS = {
    "γ": r"\gamma", "β": r"\beta", "μ": r"\mu", "σ": r"\sigma", "λ": r"\lambda", "δ": r"\delta",
    "π": r"\pi", "−": "-", "×": r" \times ", "·": r" \cdot ", "mod": r"\bmod ", "′": r"\prime",
    "∞": r"\infty", "⌊": r"\lfloor ", "⌋": r"\rfloor ", "⌈": r"\lceil ", "⌉": r"\rceil ",
    "≠": r"\ne ", "ᵀ": r"^{\top}", "ᴼ": "^{O}", "²": "^{2}", "≤": r"\le ",
}  # fmt: skip

SIGNS = {
    "": " ",
    "⊙": r" \odot ",
    "∗": " * ",
    "⊛": r" \circledast ",
    "∗ᵀ": r" *^{\top} ",
    "⊛ᵀ": r" \circledast^{\top} ",
}
"""`\\circledast` is of amssymb."""

OVERS = {"sum": r"\sum", "mean": r"\operatorname*{mean}", "max": r"\max"}


def latex(f: Formula, least: int = LOOSE) -> str:
    r"""`W_{2} \max(0, W_{1} x + b_{1}) + b_{2}`."""
    text = _latex(f)
    return rf"\left({text}\right)" if rank(f) < least else text


def prose(text: str) -> str:
    """Words for a document: what TeX reads as commands is escaped, symbols are set as symbols."""
    for character in "&%$#_{}":
        text = text.replace(character, f"\\{character}")
    text = text.replace("^", r"\^{}")
    for character, command in SYMBOLS.items():
        if not character.isascii():
            text = text.replace(character, f"${command.strip()}$")
    return text.replace("$$", "")


def _symbols(text: str) -> str:
    for character, command in SYMBOLS.items():
        text = text.replace(character, command)
    return text


def _raised(f: Name, also: str = "") -> str:
    below = f"_{{{f.index}}}" if f.index else ""
    above = _symbols(f.over) + also
    return f"{_symbols(f.letter)}{below}" + (f"^{{{above}}}" if above else "")


def _latex(f: Formula) -> str:
    match f:
        case Name():
            return _raised(f)
        case Number(value):
            digits, power = _digits(value)
            ten = f"10^{{{power}}}" if power else ""
            digits = digits.replace("−", "-")
            return ten if ten and digits == "1" else r" \cdot ".join(filter(None, (digits, ten)))
        case Sum():
            return _sum(latex, f).replace("−", "-")
        case Negative(of):
            return f"-{latex(of, MULTIPLIED)}"
        case Product(sign=sign):
            return SIGNS[sign].join(_factors(latex, f))
        case Quotient(top, bottom):
            return rf"\frac{{{_latex(top)}}}{{{_latex(bottom)}}}"
        case Power(base, exponent):
            return f"{latex(base, WHOLE)}^{{{_latex(exponent)}}}"
        case Transposed(Name() as name):
            return _raised(name, r"\top")
        case Transposed(of):
            return rf"{latex(of, WHOLE)}^{{\top}}"
        case Root(of):
            return rf"\sqrt{{{_latex(of)}}}"
        case Floor(of):
            return rf"\left\lfloor {_latex(of)} \right\rfloor"
        case Above(of, bound):
            return rf"\mathbf{{1}}\left[{_latex(of)} > {_latex(bound)}\right]"
        case Call("abs", (of,)):
            return rf"\left|{_latex(of)}\right|"
        case Call(word, arguments, index, settings):
            inside = ", ".join(map(_latex, arguments))
            behind = rf";\, {', '.join(map(_given, settings))}" if settings else ""
            below = f"_{{{index}}}" if index else ""
            return rf"{_function(word)}{below}\left({inside}{behind}\right)"
        case At(base, indices):
            text = latex(base, WHOLE)
            whole = f"{{{text}}}" if "_" in text or "^" in text else text
            return f"{whole}_{{{', '.join(map(_latex, indices))}}}"
        case Over(word, through, body):
            below = (
                rf"\text{{{through}}}" if through.isalpha() and through[1:] else _symbols(through)
            )
            return f"{OVERS[word]}_{{{below}}} {latex(body, MULTIPLIED)}"
        case Row(items, sign):
            between = " & " if sign == "," else r" \\ "
            return rf"\begin{{bmatrix}}{between.join(map(_latex, items))}\end{{bmatrix}}"
    raise TypeError(f"no way to set {type(f).__name__}")


def _function(word: str) -> str:
    if word in KNOWN:
        return f"\\{word}"
    return SYMBOLS.get(word) or rf"\operatorname{{{word}}}"


def _given(setting: str) -> str:
    name, _, value = setting.partition(" = ")
    if value:
        shown = rf"\mathit{{{name}}}" if name[1:] else name
        return f"{shown} = {_symbols(value)}"
    said = any(character.isalpha() for character in setting)
    return rf"\text{{{prose(setting)}}}" if said else _symbols(setting)
