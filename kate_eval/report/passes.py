"""pass@k and pass^k of a run over its epochs: at least one of k attempts right, and all of them right."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

from kate_eval.report.runs import Run
from kate_eval.stats import Estimate, Observed, pass_at, pass_hat, weighted_mean


def passes(run: Run) -> dict[str, Estimate]:
    """Estimates by name, pass_at_K and pass_hat_K, for K = 2, 4, 8, ... and the number of epochs.

    Weighted over the categories as the headline is, clustered as everything else. Entries with fewer than K
    scored epochs are left out; the estimate's n tells how many are in it.

    Returns:
        {} for a run of one epoch.
    """
    found: dict[str, Estimate] = {}
    for k in _sizes(run.epochs):
        for name, probability in (("at", pass_at), ("hat", pass_hat)):
            values = _values(run, k, probability)
            if values:
                found[f"pass_{name}_{k}"] = weighted_mean(values, run.benchmark.headline(values)[1])
    return found


def _sizes(epochs: int) -> list[int]:
    powers = [2**n for n in range(1, epochs.bit_length()) if 2**n < epochs]
    return [*powers, epochs] if epochs > 1 else []


def _values(run: Run, k: int, probability: Callable[[int, int, int], float]) -> Sequence[Observed]:
    attempts: dict[str, list[Observed]] = defaultdict(list)
    for sample in run.samples:
        if sample.observed is not None:
            attempts[sample.entry].append(sample.observed)
    return [
        Observed(probability(k, len(o), Counter(item.value for item in o)[1.0]), o[0].group, o[0].cluster)
        for o in attempts.values()
        if len(o) >= k
    ]
