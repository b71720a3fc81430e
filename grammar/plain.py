"""What stands for a character that an output cannot show, as one in the code page of Windows."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from types import MappingProxyType

HANDLER = "nnspec.plain"

PLAIN: Mapping[str, str] = MappingProxyType(
    {
        **dict(zip("─│▁▂▃▄▅▆▇█▉▊▋▌▍▎▏", "-|_.-~=+*#####   ", strict=True)),
        **dict(zip("₀₁₂₃₄₅₆₇₈₉ₒ", (f"_{letter}" for letter in "0123456789o"), strict=True)),
        **dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻ᵀᴼ", (f"^{letter}" for letter in "0123456789-TO"), strict=True)),
        "→": "->", "←": "<-", "…": "...", "–": "-", "−": "-", "“": '"', "”": '"', "′": "'",
        "·": "*", "×": "x", "∗": "*", "⊛": "*", "⊙": "*", "±": "+-", "√": "sqrt", "∞": "inf",
        "≤": "<=", "≥": ">=", "≠": "!=", "⌊": "floor(", "⌋": ")", "⌈": "ceil(", "⌉": ")",
        "µ": "u", "μ": "mu", "π": "pi", "σ": "sigma", "γ": "gamma", "β": "beta", "ρ": "rho",
        "λ": "lambda", "δ": "delta",
    }
)  # fmt: skip


def spell(error: UnicodeError) -> tuple[str, int]:
    """For `codecs.register_error`: what is in PLAIN as that, the rest as escapes; raises the error
    where something cannot be read."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    failed = error.object[error.start : error.end]
    return "".join(PLAIN.get(c) or _escaped(c) for c in failed), error.end


def _escaped(character: str) -> str:
    return character.encode("ascii", "backslashreplace").decode()


codecs.register_error(HANDLER, spell)


def show_all(stream: object) -> None:
    """Let a stream write something for every text; one that is no stream of bytes does so anyhow."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors=HANDLER)
