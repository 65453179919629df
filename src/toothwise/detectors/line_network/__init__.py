"""A learned line detector at the map's own teeth: the likelihood of lines, and a network that corrects it."""
