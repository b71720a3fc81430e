"""The command line: `nnspec` and `python -m nnspec`.

A word is looked up in `COMMANDS`; its module has two functions named after it: `configure_WORD`
adds its arguments, `WORD` runs it and returns the exit code: 0, or 1 for findings. Wrong usage is
2, as is what cannot be read or written (`Mistake.exit_code`); Ctrl-C is 130. Results go to stdout, notices and progress to stderr.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import fields
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

from .grammar.near import nearest
from .grammar.plain import show_all

if TYPE_CHECKING:
    from .compiler.graph import Graph
    from .grammar.diagnostics import Mistake

COMMANDS = {
    "check": ("analyzers.check", "find mistakes in specs"),
    "fmt": ("grammar.commands", "lay specs out in their one spelling"),
    "summary": ("analyzers.commands", "layers, shapes, parameters and cost"),
    "explain": ("analyzers.commands", "where each number comes from"),
    "math": ("analyzers.commands_math", "the net as equations"),
    "report": ("analyzers.page", "one page for the browser, on a net or on a training"),
    "diff": ("analyzers.commands", "what changed between two nets"),
    "draw": ("compiler.targets.commands", "the net as boxes and arrows"),
    "plot": ("analyzers.commands", "charts of parameters, cost and memory"),
    "docs": ("analyzers.docs", "the language reference, page by page"),
    "rule": ("analyzers.docs", "what a code means"),
    "schema": ("analyzers.commands", "the JSON Schema of a report"),
    "train": ("runtime.commands", "train a net on data"),
    "runs": ("analyzers.runs", "trainings that were kept, side by side"),
    "sweep": ("runtime.commands_sweep", "one training under every combination of some choices"),
    "doctor": ("runtime.commands_doctor", "what keeps a net from learning, and what to do"),
    "gradcheck": ("runtime.commands_gradcheck", "the gradient against central differences"),
    "augment": ("runtime.commands_augment", "pictures as training would see them"),
    "evaluate": ("runtime.commands", "judge a trained net on data"),
    "plan": ("analyzers.commands_plan", "what a pass over a batch will do, step by step"),
    "profile": ("runtime.commands_profile", "where the time of a pass goes"),
    "bench": ("runtime.commands_bench", "the time of a pass, beside PyTorch's if asked"),
    "predict": ("runtime.commands", "what a trained net says"),
}

FORMATS = {
    "check": ("text", "concise", "json", "github", "sarif"),
    "summary": ("text", "json", "markdown"),
    "diff": ("text", "json", "markdown"),
    "math": ("text", "latex", "json"),
    "draw": ("mermaid", "dot", "json"),
}
"""What `--format` takes, where it is more than text and json."""

COMPILING = frozenset(
    {
        "check",
        "summary",
        "explain",
        "math",
        "report",
        "diff",
        "draw",
        "plot",
        "plan",
        "bench",
        "profile",
        "train",
        "sweep",
        "doctor",
        "gradcheck",
        "augment",
    }
)
"""The commands that compile a spec."""

ANSWERING = frozenset({"diff"})
"""The commands whose 1 is an answer: what keeps them from one is 2, as wrong usage is."""

EXAMPLES = """examples:
  nnspec summary "3 -> fc4 relu -> fc4 relu -> fc1"
  nnspec check specs/course
  nnspec train specs/course/digits.nn --data digits --save digits.safetensors
  nnspec evaluate digits.safetensors --data digits --held-out 0.2
"""


class Parser(argparse.ArgumentParser):
    """argparse, with `did you mean` for options."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        known = [option for action in self._actions for option in action.option_strings]
        words = message.split() if message.startswith("unrecognized") else []
        wrong = next((word for word in words if word.startswith("--")), "")
        hint = _meant(wrong, (*words, "..."), known) if wrong else ""
        print(f"{self.prog}: {message}{hint}", file=sys.stderr)
        raise SystemExit(2)


def _meant(wrong: str, words: Sequence[str], known: Sequence[str]) -> str:
    """What an unknown option may have meant; a number of the optimiser's is given with it."""
    from .compiler.settings import belonging

    option, _, value = wrong.partition("=")
    value = value or words[words.index(wrong) + 1]
    whole = belonging(option[2:].replace("-", "_"), value)
    if whole and f"--{whole[0]}" in known:
        return '; write --{} "{}"'.format(*whole)
    near = nearest(option, known)
    return f"; did you mean `{near}`?" if near else ""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; returns its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    _open_what_is_closed()
    show_all(sys.stdout)
    show_all(sys.stderr)
    try:
        code = _exit_code(words)
        print(end="", flush=True)
        return code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output went away: not a mistake, but nothing more can be written.
        _drop_output()
        return 0
    except OSError as error:
        return _refused(error)


def _open_what_is_closed() -> None:
    """What goes to an output that the caller closed, as `>&-` does, goes nowhere."""
    if sys.stdin is None:
        os.open(os.devnull, os.O_RDONLY)  # or an output would come to be where input is looked for
    if sys.stdout is None:
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")


def _refused(error: OSError) -> int:
    """What the system refused where no command expected it; raises the error where that is no use."""
    if isinstance(error, FileNotFoundError) and error.filename is None:
        told = "the working folder is gone; change to another"
    elif isinstance(error, PermissionError) and error.filename is not None:
        told = f"cannot reach `{error.filename}`: permission denied"
    elif error.filename is not None:
        raise error
    else:
        told = f"cannot write to standard output: {error.strerror}"
        _drop_output()
    with suppress(OSError):  # stderr may be what cannot be written
        print(f"nnspec: {told}", file=sys.stderr)
    return 2


def _drop_output() -> None:
    """What is still to be written goes nowhere, or Python would try once more as it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _exit_code(words: list[str]) -> int:
    try:
        return _run(words)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 2


def _run(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        print(_overview(), end="")
        return 0 if words else 2
    if words[0] in ("-V", "--version", "version"):
        from . import __version__

        print(f"nnspec {__version__}")
        return 0
    if words[0] not in COMMANDS:
        near = nearest(words[0], COMMANDS)
        hint = f"did you mean `{near}`?" if near else "`nnspec --help` lists the commands"
        print(f"nnspec: there is no command `{words[0]}`; {hint}", file=sys.stderr)
        return 2
    return _command(words[0], words[1:])


def _overview() -> str:
    rows = "\n".join(f"  {word:<10} {says}" for word, (_, says) in COMMANDS.items())
    return (
        "nnspec: the language, compiler, linter and runtime for neural networks\n\n"
        f"usage: nnspec COMMAND ...\n\ncommands:\n{rows}\n\n"
        "A spec is a path, `-` for standard input, or the text itself.\n"
        "`nnspec COMMAND --help` tells the rest.\n\n"
        f"{EXAMPLES}"
    )


def _command(word: str, words: list[str]) -> int:
    from . import __version__

    place, says = COMMANDS[word]
    module = import_module(f".{place}", __package__)
    parser = Parser(
        prog=f"nnspec {word}",
        description=f"{says[0].upper()}{says[1:]}.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    formats = FORMATS.get(word, ("text", "json"))
    parser.add_argument("--format", choices=formats, default=formats[0], help="how to print")
    parser.add_argument("--color", choices=("auto", "always", "never"), default="auto")
    parser.add_argument(
        "--limit", action="append", default=[], metavar="NAME=N", help="raise a limit: nodes=200000"
    )
    if word in COMPILING:
        parser.add_argument(
            "--let",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="a constant that wins over the spec's own: width=32",
        )
    getattr(module, f"configure_{word}")(parser)
    options = parser.parse_args(_numbers_joined(words))
    options.lets = _lets(options.let, parser) if word in COMPILING else {}
    options.colour = _coloured(options.color)
    options.limits = _limits(options.limit, parser)
    options.graph = _graph
    options.page = _page
    options.curves = _curves
    options.flame = _flame
    options.remarks = _remarks
    options.version = __version__
    return _guarded(getattr(module, word), options, 2 if word in ANSWERING else 1)


def _numbers_joined(words: list[str]) -> list[str]:
    """`--input -0.1,0.2` as `--input=-0.1,0.2`: argparse takes a minus for another option."""
    joined: list[str] = []
    for word in words:
        if joined and joined[-1] == "--input" and re.match(r"-(\.?\d|inf|nan)", word):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def _graph(options: argparse.Namespace, settings: dict[str, object]) -> object:
    """What commands call to compile their spec: the rooms meet only here, in the root."""
    from . import graph

    return graph(options.spec, let=options.lets, limits=options.limits, settings=settings)


def _curves(place: str) -> object:
    """What `train` calls, with the rows of its log and a title, to draw to a file."""
    from .analyzers.curves import drawer
    from .analyzers.records import epochs

    draw = drawer(place, "train --plot")
    return lambda rows, title: draw(epochs(rows), title)


def _flame(place: str, found: Mapping[str, Any], title: str) -> None:
    """What `profile` calls to put what it measured on a page."""
    from .analyzers.flame import flame_page
    from .analyzers.page import put

    put(place, flame_page(found, title))


def _remarks(graph: Graph) -> tuple[Mistake, ...]:
    """What `doctor` calls for what the linter knows of a net before it is tried."""
    from .analyzers.lint import obstacles

    return obstacles(graph)


def _page(word: str | None) -> str:
    """What `docs` calls for its page: the codes of every room have one."""
    from . import docs

    return docs(word)


def _guarded(run: object, options: argparse.Namespace, failed: int) -> int:
    """Run a command; mistakes are printed as it prints everything else, and end it with `failed` or
    worse."""
    from .grammar.diagnostics import SpecError, exit_code

    assert callable(run)
    try:
        code: int = run(options)
        return code
    except SpecError as error:
        from .analyzers.render.messages import messages
        from .analyzers.render.structured import as_json, diagnostics

        if options.format == "json":
            print(as_json({"diagnostics": diagnostics(error.diagnostics)}), end="")
        else:
            colour = _coloured(options.color, sys.stderr)
            print(messages(error.diagnostics, colour=colour), end="", file=sys.stderr)
        return max(failed, exit_code(error.diagnostics))
    except MemoryError:
        print("nnspec: there is not enough memory for this", file=sys.stderr)
        return failed


def _coloured(choice: str, stream: object = None) -> bool:
    """https://no-color.org: NO_COLOR wins over a terminal, FORCE_COLOR over a pipe."""
    if choice != "auto":
        return choice == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return bool(getattr(stream or sys.stdout, "isatty", lambda: False)())


def _limits(raised: Sequence[str], parser: argparse.ArgumentParser) -> object:
    from .grammar.limits import Limits

    known = [field.name for field in fields(Limits)]
    given: dict[str, int] = {}
    for text in raised:
        name, _, value = text.partition("=")
        if name not in known or not value.isdigit():
            parser.error(f"argument --limit: `{text}` is not NAME=N; names: {', '.join(known)}")
        given[name] = int(value)
    return Limits(**given)


def _lets(given: list[str], parser: argparse.ArgumentParser) -> dict[str, str]:
    for text in given:
        if not text.partition("=")[0].isidentifier() or not text.partition("=")[2].strip():
            parser.error(f"argument --let: `{text}` is not NAME=VALUE, as in `width=32`")
    return {name: value for name, _, value in (text.partition("=") for text in given)}


if __name__ == "__main__":
    raise SystemExit(main())
