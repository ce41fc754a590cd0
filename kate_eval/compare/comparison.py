"""The comparison: pairs of the samples that both runs scored, flips in both directions, and their tests.

Source of the test: McNemar, "Note on the sampling error of the difference between correlated proportions"
(Psychometrika 12, 1947), exact: of the entries that flipped, those fixed are binomial with p = 1/2 if the
runs are equally good. It takes entries as independent, which those of one scenario are not; the paired
difference with standard errors clustered by scenario stands beside it.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from scipy.stats import binomtest

from kate_eval.compare.alike import flags, require_alike
from kate_eval.compare.side import Attempt, Side, read_side
from kate_eval.compare.steps import Parting, parting
from kate_eval.stats import Estimate, Observed, paired_difference


@dataclass(frozen=True)
class Pair:
    """One entry that both runs scored.

    Attributes:
        entry: its id.
        category: of the entry.
        first: the first run's value, the mean over the epochs that were scored.
        second: the second run's.
        attempts: an attempt of each run that shows what it usually did: the first with the majority's value.
    """

    entry: str
    category: str
    first: float
    second: float
    attempts: tuple[Attempt, Attempt]

    @property
    def solved(self) -> tuple[bool, bool]:
        """Whether each run solved it: in more than half of its scored epochs."""
        return self.first > 0.5, self.second > 0.5

    @property
    def parting(self) -> Parting | None:
        """Where the two attempts part."""
        return parting(*(attempt.turns for attempt in self.attempts))


@dataclass(frozen=True)
class Comparison:
    """Two runs side by side.

    Attributes:
        first: the run A.
        second: the run B.
        pairs: the entries that both scored, in A's order.
        unpaired: attempts that stand in no pair, with their run (0 or 1): one side lacks or did not score
            the entry, or this attempt.
        flags: what a reader must know.
        headline: name of the score that the difference is of.
        difference: B minus A, means over epochs, clustered by scenario; None without pairs.
    """

    first: Side
    second: Side
    pairs: tuple[Pair, ...]
    unpaired: tuple[tuple[int, Attempt], ...]
    flags: tuple[str, ...]
    headline: str
    difference: Estimate | None

    @property
    def fixed(self) -> list[Pair]:
        """Entries that B solved and A did not."""
        return [pair for pair in self.pairs if pair.solved == (False, True)]

    @property
    def broken(self) -> list[Pair]:
        """Entries that A solved and B did not."""
        return [pair for pair in self.pairs if pair.solved == (True, False)]

    @property
    def p_value(self) -> float:
        """McNemar's exact two-sided p-value; 1 where nothing flipped."""
        flips = len(self.fixed) + len(self.broken)
        return float(binomtest(len(self.fixed), flips, 0.5).pvalue) if flips else 1.0

    def causes(self) -> dict[str, tuple[int, int, int, int]]:
        """Cause -> failed in A, of them fixed by B; failed in B, of them broken by B. Pairs only."""
        found: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        for pair in self.pairs:
            for side, flipped in enumerate((pair.solved[1], pair.solved[0])):
                cause = pair.attempts[side].cause
                if not pair.solved[side] and cause is not None:
                    found[cause.kind][2 * side] += 1
                    found[cause.kind][2 * side + 1] += flipped
        return {kind: (a, b, c, d) for kind, (a, b, c, d) in found.items()}


def compare(first: Path, second: Path) -> Comparison:
    """Compare two logs, or the runs of two folders.

    Raises:
        ConfigurationError: a path means no run, or several; or the two can't be paired.
        DatasetError: bfcl-eval is not installed.
    """
    sides = read_side(first), read_side(second)
    require_alike(*sides)
    scored = tuple(_by_entry(side) for side in sides)
    pairs = tuple(_pair(tries, scored[1][entry]) for entry, tries in scored[0].items() if entry in scored[1])
    paired = {pair.entry for pair in pairs}
    unpaired = tuple(
        (number, attempt)
        for number, side in enumerate(sides)
        for attempt in side.attempts
        if attempt.observed is None or attempt.entry not in paired
    )
    headline, difference = _difference(sides[0], pairs)
    return Comparison(*sides, pairs, unpaired, tuple(flags(*sides)), headline, difference)


def _by_entry(side: Side) -> dict[str, list[Attempt]]:
    """Entry -> its attempts that were scored, by epoch."""
    found: dict[str, list[Attempt]] = defaultdict(list)
    for attempt in sorted(side.attempts, key=lambda attempt: (attempt.entry, attempt.epoch)):
        if attempt.observed is not None:
            found[attempt.entry].append(attempt)
    return found


def _pair(first: Sequence[Attempt], second: Sequence[Attempt]) -> Pair:
    values = [fmean(a.observed.value for a in side if a.observed) for side in (first, second)]
    place = first[0].observed
    return Pair(
        entry=first[0].entry,
        category=place.group if place else "",
        first=values[0],
        second=values[1],
        attempts=(_usual(first, values[0]), _usual(second, values[1])),
    )


def _usual(attempts: Sequence[Attempt], mean: float) -> Attempt:
    """The first attempt that has the majority's value."""
    wanted = float(mean > 0.5)
    return next(a for a in attempts if a.observed and a.observed.value == wanted)


def _difference(side: Side, pairs: Sequence[Pair]) -> tuple[str, Estimate | None]:
    first: dict[str, Observed] = {}
    second: dict[str, Observed] = {}
    for pair in pairs:
        place = pair.attempts[0].observed
        assert place is not None
        told = place.group, place.cluster, pair.entry, place.variants
        first[pair.entry], second[pair.entry] = Observed(pair.first, *told), Observed(pair.second, *told)
    if not first:
        return "nothing", None
    headline, weights = side.run.benchmark.headline(list(first.values()))
    return headline, paired_difference(second, first, weights)
