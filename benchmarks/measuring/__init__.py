"""What the benchmarks measure with: paired times, counted work and memory, the machine's own limits."""
