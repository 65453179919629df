"""One module per verb of the command line: its docstring is its help, ``add_arguments``, ``run``."""
