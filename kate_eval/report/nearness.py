"""A run's score by how near its samples are to the bank: is it knowledge, or repetition?"""

from kate_eval.report.leaderboard import Result
from kate_eval.report.part import Part, part
from kate_eval.report.runs import SampleRow
from kate_eval.report.strata import BOUNDS, STRATA, Stratum, stratum

UNMEASURED = "not measured"
"""Samples for which nothing was searched, for instance because an online bank was still empty."""


def by_stratum(result: Result) -> dict[str, Part]:
    """Stratum with its bounds -> that part of the run; strata without samples are left out.

    Returns:
        {} for a run that measured nothing: it had no bank.
    """
    samples = result.run.samples
    if all(sample.nearest is None for sample in samples):
        return {}
    members: dict[str, list[SampleRow]] = {
        **{_label(name): [] for name in STRATA},
        UNMEASURED: [],
    }
    for sample in samples:
        if sample.observed is not None:
            name = UNMEASURED if sample.nearest is None else _label(stratum(sample.nearest))
            members[name].append(sample)
    return {name: part(held, result.baseline) for name, held in members.items() if held}


def _label(name: Stratum) -> str:
    return f"{name} {BOUNDS[name]}"
