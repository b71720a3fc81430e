"""nnspec: the language, compiler, linter and runtime for neural networks.

The names below are looked up on first use, so that ``import nnspec`` costs no NumPy, networkx or
pydantic.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nnspec.analyzers.report import Report
    from nnspec.face import analyze, compile
    from nnspec.grammar.diagnostics import SpecError
    from nnspec.runtime.load import load
    from nnspec.runtime.net import Net

__version__ = "0.1.0"
__all__ = ["Net", "Report", "SpecError", "__version__", "analyze", "compile", "load"]
