"""The cases of the suite: all of them by kind and mode, or a slice that plays every entry once a mode."""

from collections import defaultdict
from functools import cache

from kate_eval.bfcl.categories import CATEGORIES, MODES, Mode
from kate_eval.bfcl.data import Entry, load

from . import arguments, calls, miswriting, names  # noqa: F401 - they register their kinds
from .cases import Case
from .kinds import KINDS, a_slice, every_case


@cache
def entries() -> tuple[Entry, ...]:
    """All entries of BFCL-V3."""
    return tuple(load(CATEGORIES))


def groups() -> list[tuple[str, Mode]]:
    """Every kind with every mode in which it is played."""
    return [(kind.name, mode) for kind in KINDS.values() for mode in kind.modes]


def group_cases(kind: str, mode: Mode) -> list[Case]:
    """All cases of a kind in a mode."""
    return list(every_case(KINDS[kind], mode, entries()))


def slice_cases(step: int) -> list[list[Case]]:
    """For each mode, every step-th entry in one kind; in groups."""
    found: defaultdict[str, list[Case]] = defaultdict(list)
    for mode in MODES:
        for case in a_slice(mode, entries()[::step]):
            found[case.group].append(case)
    return list(found.values())
