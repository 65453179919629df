"""One module per verb of the command line: its docstring is its help, ``Options``, ``add_arguments``, ``run``."""
