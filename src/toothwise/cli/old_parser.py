"""A verb's parser: jsonargparse with a help that reads well, and errors that are one line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentError, ArgumentParser, DefaultHelpFormatter, Namespace

from toothwise.errors import InputError
from toothwise.reading import read_yaml

__all__ = ["make_parser", "parse"]


class _Formatter(DefaultHelpFormatter):
    """Help without the types, which the examples show."""

    def _get_help_string(self, action: Any) -> str:
        text = action.help or ""
        silent = action.default in (None, False, [], {}, "==SUPPRESS==")
        return text if silent else f"{text} (default: %(default)s)"


def make_parser(verb: str, about: str) -> ArgumentParser:
    """A parser with the options that every verb has.

    Args:
        verb: name of the verb.
        about: the first paragraph describes it, the rest stands below the options as it is.
    """
    head, _, rest = about.strip().partition("\n\n")
    parser = ArgumentParser(
        prog=f"toothwise {verb}",
        description=" ".join(head.split()),
        epilog=rest,
        formatter_class=type("Formatter", (_Formatter,), {"_fill_text": _fill}),
        exit_on_error=False,
        allow_abbrev=False,
        print_config="--print-config",
    )
    parser.add_argument("--config", action="config", metavar="FILE", help="YAML file of options; words given win")
    shown = next(action for action in parser._actions if action.dest == "print_config")
    shown.metavar, shown.help = "", "print the options as YAML, as a start for a configuration file, and exit"
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--debug", action="store_true", help="show where an error arose, and all warnings")
    return parser


COMMON = ("config", "json", "debug")


def _fill(self: Any, text: str, width: int, indent: str) -> str:
    """Examples keep their line breaks; the description is one paragraph and is wrapped."""
    import textwrap

    return text if "\n" in text else textwrap.fill(text, width, initial_indent=indent, subsequent_indent=indent)


def parse(parser: ArgumentParser, words: Sequence[str]) -> dict[str, Any] | None:
    """Options by name, or None where the parser has printed what was asked for.

    Raises:
        InputError: unknown, missing or unsuitable options, or a configuration file that cannot be used.
    """
    words, files = _sorted(parser, words)
    for file in files:
        _check_config(parser, file)
    try:
        options = parser.parse_args(words)
    except SystemExit as ending:
        if ending.code:
            raise InputError(f"the options cannot be used; see {parser.prog} --help") from None
        return None
    except ArgumentError as error:
        where = f" (on the command line or in {', '.join(files)})" if files else ""
        raise InputError(f"{_readable(str(error))}{where}; see {parser.prog} --help") from None
    return {key: value.as_dict() if isinstance(value, Namespace) else value for key, value in vars(options).items()}


def _sorted(parser: ArgumentParser, words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Configuration files first, then options, then the words that belong to none; and the files alone.

    So words given win over a file wherever they stand, and MAPS may stand between options.
    """
    flags = {name for a in parser._actions if a.nargs == 0 for name in a.option_strings} | {"--print-config"}
    files, options, others = [], [], []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            others += rest
            break
        if word == "--config" and rest:
            files.append(rest.pop(0))
        elif word.startswith("--config="):
            files.append(word.partition("=")[2])
        elif not word.startswith("-") or word == "-":
            others.append(word)
        else:
            options.append(word)
            known = [a for a in parser._actions if word.partition(".")[0] in a.option_strings]
            if known and rest and "=" not in word and word not in flags:
                options.append(rest.pop(0))
                most = known[0].nargs  # "+": all words up to the next option
                while rest and not rest[0].startswith("-") and (most == "+" or (most == 2 and options[-2] == word)):
                    options.append(rest.pop(0))
    return [*(f"--config={file}" for file in files), *options, *(["--", *others] if others else [])], files


def _check_config(parser: ArgumentParser, file: str) -> None:
    content = read_yaml(Path(file))
    if not isinstance(content, dict):
        raise InputError(f"{file}: must hold options by name, such as 'detector: scan', but holds {content!r:.60}")
    allowed = {a.dest for a in parser._actions} - {"help", "config", "print_config"}
    unknown = sorted(str(key) for key in content if key not in allowed)
    if unknown:
        raise InputError(
            f"{file}: options must be among {', '.join(sorted(allowed))}, but got {', '.join(unknown):.300}"
        )


def _readable(text: str) -> str:
    """A message of jsonargparse on one line, without its own words for types."""
    text = " ".join(text.split())
    for words, plain in (
        ("Parser key ", "option "),
        ("<class 'float'>", "number"),
        ("<class 'int'>", "whole number"),
        ("<class 'str'>", "text"),
        ("is required but not provided or its value is None.", "is required"),
    ):
        text = text.replace(words, plain)
    return text


def parse_old(verb: str, command: Any, words: list[str]) -> tuple[Any, Any] | None:
    """Options of a module that still has ``add_arguments``; goes when none is left."""
    from toothwise.cli.parser import Shared

    parser = make_parser(verb, command.__doc__ or "")
    command.add_arguments(parser)
    options = parse(parser, words)
    if options is None:
        return None
    chosen = command.Options(**{name: value for name, value in options.items() if name not in COMMON})
    return chosen, Shared(json=options["json"], debug=options["debug"])
