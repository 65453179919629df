from __future__ import annotations

import os

# The tests' arrays are small: threads gain nothing, and where the cores are busy they wait for each other many times
# longer than they work. Set before torch or a BLAS is imported; new processes inherit it.
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")
