"""``python -m toothwise`` is the command line."""

import sys

from toothwise.cli import main

sys.exit(main())
