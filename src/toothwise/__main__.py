"""``python -m toothwise``."""

import sys

from toothwise.cli import main

sys.exit(main())
