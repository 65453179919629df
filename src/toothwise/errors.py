"""The few errors that toothwise raises on purpose.

Every message says what was given, what is allowed and, where there is one, the file it came from. The command
line prints the message on one line and exits with code 2.
"""

__all__ = [
    "GearWarning",
    "GuessWarning",
    "InputError",
    "MissingDependencyError",
    "OutputError",
    "RangeWarning",
    "SignalWarning",
    "ToothwiseError",
    "ToothwiseWarning",
    "TrainingError",
    "WeightsError",
]


class ToothwiseError(Exception):
    """Base of all errors that a user can cause and mend."""


class InputError(ToothwiseError, ValueError):
    """A value, an option or a file that cannot be used as given."""


class OutputError(ToothwiseError, OSError):
    """A result that could not be written."""


class WeightsError(ToothwiseError):
    """Encoder weights that are missing, truncated or of another architecture."""


class MissingDependencyError(ToothwiseError, ImportError):
    """An optional package that is not installed; the message names the extra that brings it."""


class ToothwiseWarning(UserWarning):
    """Base of all warnings; the command line prints each on one line."""


class RangeWarning(ToothwiseWarning):
    """Values that look clipped, normalised image by image, or constant."""


class GearWarning(ToothwiseWarning):
    """Gears that are unusual but possible (profile shift, unequal planet spacing)."""


class GuessWarning(ToothwiseWarning):
    """Something about a file had to be guessed; the message says what was taken."""


class SignalWarning(ToothwiseWarning):
    """A recording that can be used, with something wrong in it (mesh not heard, NaN gaps, clipped samples)."""


class TrainingError(ToothwiseError):
    """Training that cannot go on; the message names step, layer and remedy."""
