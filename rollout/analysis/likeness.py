"""The history's word on a trial's dispersion, as far as the trial scatters as the history did."""

import math
from collections.abc import Sequence
from statistics import fmean

PRIOR_MINUTES = 6
"""So many of the trial's minutes a history is worth whose like the trial need not be."""
TAILS_LEAST = 3.0
"""The fourth moment of the normal law, in squared variances; no scatter of counts has less."""


def worth(errors: Sequence[float], clusters: float) -> float:
    """How many minutes' squares a dispersion rests on that was measured by these errors.

    A mean of n squares of the normal law has a relative variance of 2 / n. Of H errors whose fourth
    moment is k squared variances it is (k - 1) / H, so they are worth 2 H / (k - 1). Where all come
    from a few clusters that moment is not well known either: no more than one square for each.
    """
    squares = [one * one for one in errors]
    variance = fmean(squares) if squares else 0.0
    if not variance:
        return 0.0
    tails = fmean([one * one for one in squares]) / variance**2
    return min(clusters, 2 * len(squares) / (max(tails, TAILS_LEAST) - 1))


def blended(prior: float, minutes: float, surprise: float, degrees: int) -> float:
    """The dispersion of a trial, from the history's and the sum of the trial's own surprises.

    Either the trial scatters as the history did: then the history counts for all the `minutes` it
    is worth. Or it need not: then for six. Both are as likely before the trial, and the trial tells
    by how well each foresaw its surprises; the answer is the mean over both.
    """
    unsure = _mean(prior, PRIOR_MINUTES, surprise, degrees)
    if minutes <= PRIOR_MINUTES:
        return unsure
    alike = _mean(prior, minutes, surprise, degrees)
    if alike == unsure:
        return alike
    odds = _foresaw(prior, minutes, surprise, degrees)
    odds -= _foresaw(prior, PRIOR_MINUTES, surprise, degrees)
    part = 1 / (1 + math.exp(-max(odds, -_FAR)))
    return part * alike + (1 - part) * unsure


_FAR = 50.0
"""So unlikely a likeness has no part in the mean."""


def _mean(prior: float, minutes: float, surprise: float, degrees: int) -> float:
    return max(1.0, (minutes * prior + surprise) / (minutes + degrees))


def _foresaw(prior: float, minutes: float, surprise: float, degrees: int) -> float:
    """The log-likelihood of the surprises, but for what does not depend on the minutes.

    Given the dispersion they are chi-square; it is inverse chi-square about the history's.
    """
    known, all_ = minutes / 2, (minutes + degrees) / 2
    before, after = minutes * prior, minutes * prior + surprise
    lgamma, log = math.lgamma, math.log
    return lgamma(all_) - lgamma(known) + known * log(before) - all_ * log(after)
