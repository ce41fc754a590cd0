"""Weighted means over groups of samples, with standard errors clustered by the underlying entry.

Source of the clustered estimate: Miller, "Adding Error Bars to Evals" (arXiv 2411.00640), appendix A,
with the finite-cluster correction that Inspect's `stderr(cluster=...)` uses. Several tests: Holm, "A simple
sequentially rejective multiple test procedure" (Scandinavian Journal of Statistics 6, 1979). Several epochs:
pass@k, Chen et al. (arXiv 2107.03374), and pass^k, Yao et al. (arXiv 2406.12045).
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean

DUST = 1e-12
"""Standard errors that rounding alone makes."""


@dataclass(frozen=True, slots=True)
class Observed:
    """One sample's value, the group it counts in, and the cluster it is correlated within.

    Attributes:
        entry: what was asked; epochs of one entry share it.
        variants: how many entries its cluster has in the split; 0 where that says nothing.
        epoch: from 1.
    """

    value: float
    group: str
    cluster: str
    entry: str = ""
    variants: int = 0
    epoch: int = 1


@dataclass(frozen=True)
class Estimate:
    """A mean with its standard error; `n` samples in `clusters` clusters."""

    mean: float
    stderr: float
    n: int
    clusters: int

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """The normal-approximation interval around the mean (not clipped); for differences."""
        z = NormalDist().inv_cdf(0.5 + level / 2)
        return self.mean - z * self.stderr, self.mean + z * self.stderr

    def proportion_interval(self, level: float = 0.95) -> tuple[float, float]:
        """Wilson's interval for a mean of zeros and ones, within [0, 1].

        Its sample size is the one that an unclustered sample with this standard error would have, at most
        the number of samples; without any spread (all right or all wrong) it is the number of clusters, so
        that 0 of 100 is not "± 0".
        """
        z = NormalDist().inv_cdf(0.5 + level / 2)
        spread = self.mean * (1 - self.mean)
        n = min(spread / self.stderr**2, self.n) if self.stderr and spread > 0 else float(self.clusters)
        center = (self.mean + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z / (1 + z**2 / n) * math.sqrt(max(spread, 0.0) / n + z**2 / (4 * n**2))
        return max(0.0, center - half), min(1.0, center + half)

    def p_value(self) -> float:
        """Two-sided p-value that the mean is zero (normal approximation); nan without spread."""
        if not self.stderr:
            return math.nan
        return math.erfc(abs(self.mean) / self.stderr / math.sqrt(2))  # exact where 1 - cdf is 0

    def detectable(self, power: float = 0.8, level: float = 0.05) -> float:
        """The smallest true mean that differs significantly from zero with this probability.

        (z(1 - level/2) + z(power)) x standard error: 2.80 standard errors. The standard error is the one
        that was found, so it answers "what could this sample have shown", not "what is the power of what it
        showed". nan without spread.
        """
        if not self.stderr:
            return math.nan
        return (NormalDist().inv_cdf(1 - level / 2) + NormalDist().inv_cdf(power)) * self.stderr


def weighted_mean(observed: Iterable[Observed], weights: Mapping[str, float]) -> Estimate:
    """The sum over groups of weight x group mean, with a clustered standard error.

    Args:
        observed: samples; groups without a weight are ignored.
        weights: group -> weight; every group must have at least one sample.

    Raises:
        ValueError: a weighted group has no samples.
    """
    groups: dict[str, list[Observed]] = defaultdict(list)
    for item in observed:
        if item.group in weights:
            groups[item.group].append(item)
    missing = sorted(set(weights) - set(groups))
    if missing:
        raise ValueError(f"no samples in {', '.join(missing)}")
    means = {group: fmean(item.value for item in items) for group, items in groups.items()}
    influence: dict[str, float] = defaultdict(float)
    for group, items in groups.items():
        for item in items:
            influence[item.cluster] += weights[group] * (item.value - means[group]) / len(items)
    count = len(influence)
    correction = count / (count - 1) if count > 1 else 0.0
    return Estimate(
        mean=sum(weight * means[group] for group, weight in weights.items()),
        stderr=_without_dust(math.sqrt(correction * sum(value**2 for value in influence.values()))),
        n=sum(len(items) for items in groups.values()),
        clusters=count,
    )


def _without_dust(stderr: float) -> float:
    """Where every cluster has the same mean, what rounding leaves is no spread, and no evidence."""
    return stderr if stderr > DUST else 0.0


def paired_difference(
    first: Mapping[str, Observed], second: Mapping[str, Observed], weights: Mapping[str, float]
) -> Estimate:
    """The weighted mean of (first - second) over the samples that both have.

    Args:
        first: sample key -> observed value.
        second: the same for what it is compared with.
        weights: group -> weight.
    """
    shared = [key for key in first if key in second]
    differences = [
        Observed(first[key].value - second[key].value, first[key].group, first[key].cluster) for key in shared
    ]
    return weighted_mean(differences, weights)


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for all of them by Holm's step-down method, in the order given.

    The i-th smallest of m is multiplied by m - i + 1, never falls below a smaller one's, and is at most 1.
    """
    order = sorted(range(len(p_values)), key=lambda number: p_values[number])
    corrected = [1.0] * len(p_values)
    highest = 0.0
    for rank, number in enumerate(order):
        highest = max(highest, (len(p_values) - rank) * p_values[number])
        corrected[number] = min(1.0, highest)
    return corrected


def pass_at(k: int, n: int, correct: int) -> float:
    """The probability that at least one of k attempts is right, estimated without bias from n attempts.

    1 - C(n - correct, k) / C(n, k).

    Raises:
        ValueError: fewer than k attempts.
    """
    _enough(k, n)
    return 1 - math.comb(n - correct, k) / math.comb(n, k)


def pass_hat(k: int, n: int, correct: int) -> float:
    """The probability that all of k attempts are right, estimated without bias from n attempts.

    C(correct, k) / C(n, k).

    Raises:
        ValueError: fewer than k attempts.
    """
    _enough(k, n)
    return math.comb(correct, k) / math.comb(n, k)


def _enough(k: int, n: int) -> None:
    if not 1 <= k <= n:
        raise ValueError(f"k = {k} needs at least as many attempts, got {n}")
