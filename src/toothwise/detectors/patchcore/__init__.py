"""PatchCore, plain or with the neighbours of each patch along rows and columns."""
