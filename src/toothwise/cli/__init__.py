"""The command line: one module per verb, whose docstring is its help; ``entry`` finds the verb and runs it."""

from toothwise.cli.entry import VERBS, main

__all__ = ["VERBS", "main"]
