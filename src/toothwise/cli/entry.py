"""The command line: finds the verb, runs it, prints its result, turns errors into one line and an exit code.

Nothing heavy loads before the verb is known, so that ``toothwise --help`` answers at once.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from typing import TYPE_CHECKING, Any

from toothwise import __version__
from toothwise.errors import InputError, ToothwiseError, did_you_mean, is_optional, missing
from toothwise.files import finite
from toothwise.signals import handling

if TYPE_CHECKING:
    from toothwise.cli.parser import Shared

# task: verb: (module with Options and run, one line)
_TASKS: dict[str, dict[str, tuple[str, str]]] = {
    "start here": {
        "demo": ("toothwise.cli.demo", "follow a run to failure end to end and name the bad tooth"),
        "simulate": ("toothwise.cli.simulate", "simulate recordings of a gearbox, with damaged teeth if wanted"),
        "simulate maps": ("toothwise.cli.simulate_maps", "simulate health maps in the research data's folder layout"),
    },
    "from recordings to a diagnosis": {
        "inspect": ("toothwise.cli.inspect", "look at a recording: speed, tachometer, mesh, spectrum"),
        "plot": ("toothwise.cli.plot", "draw recordings: spectrum, averages, residual per tooth, map, trend"),
        "build": ("toothwise.cli.build", "turn recordings, or the records of a run, into health maps"),
        "fit": ("toothwise.cli.fit", "fit a model on healthy maps or recordings and choose its threshold"),
        "diagnose": ("toothwise.cli.diagnose", "say which tooth is bad, how badly, in what pattern, since when"),
        "report": ("toothwise.cli.report", "write the report of a diagnosis as HTML and PDF, in English or Korean"),
    },
    "in operation": {
        "watch": ("toothwise.cli.watch", "diagnose records as they arrive and store each once in a database"),
        "serve": ("toothwise.cli.serve", "serve a model over HTTP, with a web page"),
        "score": ("toothwise.cli.score", "score maps by the million: one row per map, on Ray, resumed after a kill"),
        "export": ("toothwise.cli.export", "export a model as a folder that runs without PyTorch"),
    },
    "research": {
        "predict": ("toothwise.cli.predict", "score maps with a model"),
        "detectors": ("toothwise.cli.detectors", "list the detectors, or the options of one"),
        "config": ("toothwise.cli.config", "list the configurations that come with toothwise, or say where one is"),
    },
}
_LOGGING = ("serve", "watch")  # verbs that write lines of their own to stderr, where a bar would stand in between
VERBS = {verb: place for task in _TASKS.values() for verb, place in task.items()}

EXIT_OK = 0  # the work was done, whether or not it found anything
EXIT_BUG = 1
EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 128 + signal.SIGINT
EXIT_CLOSED_PIPE = 128 + 13  # SIGPIPE, which not every system knows


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: the words after the program's name; None = those of this process.

    Returns:
        0 the work was done (alarms or not), 2 bad input or an output that cannot be written, 3 some of several files
        could not be used or some trials of a study failed, 130 interrupted,
        1 an internal error of toothwise, 141 the reader of the output went away.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in words
    try:
        with handling(signal.SIGTERM, by=_interrupt):  # so that what is half written is removed
            return _dispatch(words)
    except ToothwiseError as error:
        return _complain(str(error), EXIT_BAD_INPUT, debug)
    except ModuleNotFoundError as error:
        if not is_optional(error.name):
            return _defect(error, debug)
        return _complain(str(missing(str(error.name), f"toothwise {words[0]}")), EXIT_BAD_INPUT, debug)
    except KeyboardInterrupt:
        return _complain("interrupted", EXIT_INTERRUPTED, debug)
    except BrokenPipeError:
        # the interpreter flushes stdout once more at its end, which must not fail again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_CLOSED_PIPE
    except Exception as error:
        return _defect(error, debug)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _defect(error: Exception, debug: bool) -> int:
    text = f"internal error (please report): {type(error).__name__}: {error}"
    return _complain(text if debug else f"{text} (--debug shows where)", EXIT_BUG, debug)


def _complain(text: str, code: int, debug: bool) -> int:
    if debug:
        import traceback

        traceback.print_exc()
    print("toothwise: error: " + " ".join(text.split()), file=sys.stderr)  # noqa: T201
    return code


def _dispatch(words: list[str]) -> int:
    if words[:1] == ["--version"]:
        sys.stdout.write(f"toothwise {__version__}\n")
        return EXIT_OK
    verbs = VERBS if words and words[0] in VERBS else _all_verbs()
    for length in (2, 1):  # some verbs have two words
        verb = " ".join(words[:length])
        if verb in verbs:
            return _run(verb, words[length:])
    group = {verb: line for verb, (_, line) in verbs.items() if words and verb.startswith(f"{words[0]} ")}
    rest = words[1:] if group else words
    text = _help_of_group(words[0], group) if group else _help()
    if not rest:
        sys.stderr.write(text)
        return EXIT_BAD_INPUT
    if rest[0] in ("-h", "--help", "help"):
        sys.stdout.write(text)
        return EXIT_OK
    given = " ".join(words[: 2 if group else 1])
    allowed = group or verbs
    raise InputError(f"the verb must be one of {', '.join(allowed)}, but got {given!r}{did_you_mean(given, allowed)}")


def _all_verbs() -> dict[str, tuple[str, str]]:
    """All verbs: toothwise's own, and those that packages add by the entry point group ``toothwise.verbs``."""
    from importlib.metadata import entry_points

    verbs = dict(VERBS)
    for point in entry_points(group="toothwise.verbs"):
        verbs |= point.load()
    return verbs


def read_options(verb: str, words: list[str]) -> tuple[Any, Any, Shared] | None:
    """The module of a verb, its ``Options`` and those that every verb has; None where only help was asked for.

    Raises:
        InputError: Options that cannot be used; see ``toothwise.cli.parser.parse``.
    """
    from toothwise.cli.parser import parse

    command = import_module((VERBS if verb in VERBS else _all_verbs())[verb][0])
    found = parse(verb, command.__doc__ or "", command.Options, words)
    return None if found is None else (command, *found)


def _run(verb: str, words: list[str]) -> int:
    from toothwise.cli.terminal import progress as progress_line

    found = read_options(verb, words)
    if found is None:  # help or the configuration was asked for and printed
        return EXIT_OK
    command, options, shared = found
    with _one_line_warnings(shared.debug), redirect_stdout(sys.stderr), progress_line() as progress:
        # stdout is for the result alone: whatever a library prints goes to stderr
        if verb in VERBS and verb not in _LOGGING:
            progress("loading")  # importing what a verb needs takes seconds, which must not be silent
        result = command.run(options, progress)
    if shared.json:
        text = json.dumps(finite(result.data), indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    else:
        text = result.text()
    sys.stdout.write(text)
    sys.stdout.flush()
    return int(result.code)


@contextmanager
def _one_line_warnings(debug: bool) -> Iterator[None]:
    """Toothwise's own warnings on one line; those of other packages only with --debug."""
    from toothwise.errors import ToothwiseWarning

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        sys.stderr.write("toothwise: warning: " + " ".join(str(message).split()) + "\n")

    with warnings.catch_warnings():
        if not debug:
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", ToothwiseWarning)
            warnings.showwarning = show
        yield


def _lines(verbs: dict[str, str]) -> str:
    return "\n".join(f"  {verb:<17}{line}" for verb, line in verbs.items())


def _help_of_group(first: str, group: dict[str, str]) -> str:
    return f"""usage: toothwise {first} VERB [options]

verbs:
{_lines(group)}

'toothwise {first} VERB --help' lists the options of a verb.
"""


def _help() -> str:
    tasks = dict(_TASKS)
    more = {verb: place for verb, place in _all_verbs().items() if verb not in VERBS}
    tasks["research"] = tasks["research"] | more
    verbs = "\n".join(
        f"{task}:\n{_lines({verb: line for verb, (_, line) in of.items()})}\n" for task, of in tasks.items()
    )
    return f"""usage: toothwise VERB [options]

Finds the gear tooth that is going bad, how badly, and since when.

{verbs}
options:
  --help     this text; 'toothwise VERB --help' lists the options of a verb
  --version  the version

Every verb takes --config FILE.yaml, --json (the result as JSON on stdout) and --debug (show where an error arose).
Exit codes: 0 done (alarms or not), 2 bad input, 3 some files skipped or trials failed,
130 interrupted, 1 internal error (please report).
"""


if __name__ == "__main__":
    sys.exit(main())
