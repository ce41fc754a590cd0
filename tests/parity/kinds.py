"""The register of damage kinds, and the making of cases from them.

A kind is deterministic: its only randomness is `Random(f"{kind}:{entry id}")`.
"""

import copy
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random

from kate_eval.bfcl.categories import MODES, Mode
from kate_eval.bfcl.data import Entry

from .cases import Case, Plan, Response, gold_plan, write

PlanDamage = Callable[[Plan, Entry, Random], Plan | None]
ScriptDamage = Callable[[list[Response], Entry, Random], list[Response] | None]


@dataclass(frozen=True)
class Kind:
    """One kind of damage: to the plan (which calls), the script (how they are written) or the result.

    Attributes:
        modes: the modes in which it is played.
        plan: changes the plan; None where the kind does not apply.
        script: changes the script; None where the kind does not apply.
        cut: whether only the first turns of the result arrive at the checker.
        one_mode: whether each entry is played in one of the modes only, drawn by its id.
    """

    name: str
    modes: tuple[Mode, ...]
    plan: PlanDamage | None = None
    script: ScriptDamage | None = None
    cut: bool = False
    one_mode: bool = False

    def case(self, entry: Entry, mode: Mode) -> Case | None:
        """The damaged case; None where the kind does not apply to the entry."""
        rng = Random(f"{self.name}:{entry.id}")
        if self.one_mode and rng.choice(self.modes) != mode:
            return None
        plan: Plan | None = copy.deepcopy(gold_plan(entry, rng))
        if self.plan is not None and plan is not None:
            plan = self.plan(plan, entry, rng)
        if plan is None:
            return None
        script: list[Response] | None = write(plan, entry, mode)
        if self.script is not None and script is not None:
            script = self.script(script, entry, rng)
        if script is None:
            return None
        keep = rng.randrange(len(entry.turns)) if self.cut else None
        return Case(self.name, mode, entry, tuple(script), keep, f"{self.name}:{mode}")


KINDS: dict[str, Kind] = {}
ENOUGH = 5
LEAKY = frozenset({"default_list_changed"})
"""Kinds after which official samples of the same process see each other's data."""


def plan_kind(damage: PlanDamage) -> PlanDamage:
    """Register a damage to plans under the function's name: each entry in one mode, half of them in each."""
    KINDS[damage.__name__] = Kind(damage.__name__, MODES, plan=damage, one_mode=True)
    return damage


def undamaged(plan: PlanDamage) -> PlanDamage:
    """Register plans without damage, every entry in both modes."""
    KINDS[plan.__name__] = Kind(plan.__name__, MODES, plan=plan)
    return plan


def result_kind(damage: PlanDamage) -> PlanDamage:
    """Register a damage after which only the first turns of the result are scored."""
    KINDS[damage.__name__] = Kind(damage.__name__, MODES, plan=damage, cut=True, one_mode=True)
    return damage


def script_kind(*modes: Mode) -> Callable[[ScriptDamage], ScriptDamage]:
    """Register a damage to scripts under the function's name, for the given modes."""

    def register(damage: ScriptDamage) -> ScriptDamage:
        KINDS[damage.__name__] = Kind(damage.__name__, modes, script=damage)
        return damage

    return register


def every_case(kind: Kind, mode: Mode, entries: Sequence[Entry]) -> Iterator[Case]:
    """The kind's case of every entry that it applies to."""
    return (case for entry in entries if (case := kind.case(entry, mode)) is not None)


def a_slice(mode: Mode, entries: Sequence[Entry]) -> Iterator[Case]:
    """One case of each entry, of a kind drawn by its id; kinds that have few cases go first."""
    kinds = [kind for kind in KINDS.values() if mode in kind.modes]
    count: Counter[str] = Counter()
    for entry in entries:
        drawn = Random(f"slice:{entry.id}").sample(kinds, len(kinds))
        drawn.sort(key=lambda kind: count[kind.name] >= ENOUGH)
        case = next(case for kind in drawn if (case := kind.case(entry, mode)) is not None)
        count[case.kind] += 1
        # Kinds that make the official side leak are kept from the others' entries.
        yield case if case.kind in LEAKY else replace(case, group=f"slice:{mode}")
