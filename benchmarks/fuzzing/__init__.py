"""What ``benchmarks/fuzz.py`` breaks, and how: inputs of every reader, mutations, and what may come of them."""
