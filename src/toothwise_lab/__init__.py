"""What a researcher repeats: studies, the limits that know the generator, and the statistics of comparisons."""
