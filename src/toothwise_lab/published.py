"""Published statistics of the research HDMaps, in units of each domain's fixed maximum: what the generator must meet.

Source: the public record of the research (repository taewanHwang/anomalib); the maps themselves are private.
"""

from __future__ import annotations

# training maps: mean, sd, quartiles 25/50/75 %, in-image CV, angular power entropy, orientation entropy
TRAIN: dict[str, tuple[float, ...]] = {
    "A": (0.248, 0.084, 0.189, 0.233, 0.289, 0.300, 0.777, 0.9355),
    "B": (0.252, 0.084, 0.192, 0.239, 0.300, 0.305, 0.713, 0.9149),
    "C": (0.246, 0.072, 0.195, 0.234, 0.283, 0.262, 0.866, 0.9731),
    "D": (0.218, 0.082, 0.160, 0.204, 0.261, 0.327, 0.816, 0.9520),
}
# test maps: mean, sd, median
TEST: dict[str, dict[str, tuple[float, float, float]]] = {
    "healthy": {
        "A": (0.217, 0.098, 0.196),
        "B": (0.223, 0.097, 0.204),
        "C": (0.228, 0.075, 0.213),
        "D": (0.197, 0.086, 0.179),
    },
    "faulty": {
        "A": (0.228, 0.088, 0.212),
        "B": (0.190, 0.080, 0.175),
        "C": (0.263, 0.096, 0.245),
        "D": (0.181, 0.076, 0.166),
    },
}
MAXIMA = {
    "healthy": {"A": 1.09, "B": 0.93, "C": 1.09, "D": 0.90},
    "faulty": {"A": 1.27, "B": 0.94, "C": 2.94, "D": 1.48},
}
# mean of cold and of warm maps
STATES = {
    "healthy": {"A": (0.153, 0.281), "B": (0.161, 0.285), "C": (0.190, 0.265), "D": (0.147, 0.246)},
    "faulty": {"A": (0.183, 0.272), "B": (0.141, 0.240), "C": (0.216, 0.310), "D": (0.157, 0.205)},
}
# angular power entropy of faulty less that of healthy test maps
ENTROPY_RISE = {"A": 0.073, "B": 0.142, "C": 0.023, "D": 0.071}
# domain C: sd between images, sd within an image, CV within an image
WITHIN_C = {
    ("healthy", "cold"): (0.0145, 0.046, 0.242),
    ("healthy", "warm"): (0.017, 0.075, 0.283),
    ("faulty", "cold"): (0.016, 0.057, 0.261),
    ("faulty", "warm"): (0.020, 0.101, 0.326),
}
# domain C: AUROC of trivial statistics; (healthy state, faulty state, statistic)
AREAS = {
    ("cold", "cold", "mean"): 0.869,
    ("warm", "warm", "mean"): 0.953,
    ("warm", "cold", "mean"): 0.014,
    ("cold", "cold", "max"): 0.760,
    ("warm", "warm", "max"): 1.000,
    ("cold", "cold", "peak_to_sd"): 0.608,
    ("warm", "warm", "peak_to_sd"): 1.000,
}
