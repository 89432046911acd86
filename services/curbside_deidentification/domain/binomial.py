"""The exact interval of a share: what a count out of a sample says of the whole.

C. J. Clopper and E. S. Pearson, "The use of confidence or fiducial limits illustrated in the case of the
binomial", Biometrika 26 (1934). Its bounds are quantiles of beta distributions; it never covers less than it
says, which is what a claim about privacy needs. By hand, since scipy is in no image of ours.
"""

from __future__ import annotations

import math
from typing import Final

_HALVINGS: Final = 60  # of the interval 0 to 1: 2**-60 is below what a float tells apart near 1
_MOST_TERMS: Final = 1_000
_CLOSE: Final = 1e-14


def exact_interval(hits: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Lower and upper bound of the share of which `hits` in `trials` were seen; (0, 1) where nothing was."""
    if not 0 <= hits <= trials or not 0 < confidence < 1:
        raise ValueError("an interval needs 0 <= hits <= trials, and a confidence between 0 and 1")
    tail = (1 - confidence) / 2
    low = _beta_quantile(tail, hits, trials - hits + 1) if hits else 0.0
    high = _beta_quantile(1 - tail, hits + 1, trials - hits) if hits < trials else 1.0
    return low, high


def _beta_quantile(probability: float, a: float, b: float) -> float:
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _beta_distribution(middle, a, b) < probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _beta_distribution(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b) (DLMF 8.17)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    # The fraction converges fast on this side of the mean only (DLMF 8.17.22); the other follows by symmetry.
    if x < (a + 1) / (a + b + 2):
        return front * _continued_fraction(x, a, b) / a
    return 1 - front * _continued_fraction(1 - x, b, a) / b


def _continued_fraction(x: float, a: float, b: float) -> float:
    """DLMF 8.17.22, evaluated by Lentz's method."""
    tiny = 1e-300
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1))
    result = d
    for m in range(1, _MOST_TERMS):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / ((1 + term * d) or tiny)
            c = (1 + term / c) or tiny
            result *= c * d
        if abs(c * d - 1) < _CLOSE:
            return result
    return result
