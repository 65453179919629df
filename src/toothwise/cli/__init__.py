"""The command line: one module per verb, whose docstring is its help; ``entry`` finds the verb and runs it."""

from toothwise.cli.entry import (
    EXIT_BAD_INPUT,
    EXIT_BUG,
    EXIT_CLOSED_PIPE,
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_PARTLY,
    VERBS,
    main,
)

__all__ = [
    "EXIT_BAD_INPUT",
    "EXIT_BUG",
    "EXIT_CLOSED_PIPE",
    "EXIT_INTERRUPTED",
    "EXIT_OK",
    "EXIT_PARTLY",
    "VERBS",
    "main",
]
