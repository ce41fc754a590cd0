"""Damage to the names of calls."""

from collections.abc import Callable
from random import Random

from kate_eval.bfcl.data import Entry
from kate_eval.episode import Call

from .cases import Plan
from .kinds import plan_kind
from .places import at, docs_of, places, put


def rename(plan: Plan, rng: Random, name: Callable[[str], str]) -> Plan | None:
    """Give one call another name."""
    found = places(plan)
    if not found:
        return None
    place = rng.choice(found)
    return put(plan, place, Call(name(at(plan, place).name), at(plan, place).arguments))


@plan_kind
def name_unknown(plan: Plan, entry: Entry, rng: Random) -> Plan | None:
    return rename(
        plan, rng, lambda name: rng.choice(("no_such_function", f"{name}_", f"{name}2", name.upper()))
    )


@plan_kind
def name_dotted(plan: Plan, entry: Entry, rng: Random) -> Plan | None:
    """A class in front of the name; dots for underscores; underscores for dots."""

    def change(name: str) -> str:
        owner = rng.choice(entry.classes) if entry.classes else "api"
        others = (
            f"{owner}.{name}",
            f"{owner}().{name}",
            name.replace("_", "."),
            name.replace(".", "_"),
            f"{name}.",
        )
        return rng.choice([other for other in others if other != name])

    return rename(plan, rng, change)


@plan_kind
def name_of_another_function(plan: Plan, entry: Entry, rng: Random) -> Plan | None:
    names = list(docs_of(entry))
    if len(names) < 2:
        return None
    return rename(plan, rng, lambda name: rng.choice([other for other in names if other != name]))


@plan_kind
def name_of_a_builtin(plan: Plan, entry: Entry, rng: Random) -> Plan | None:
    return rename(
        plan, rng, lambda _: rng.choice(("dict", "sum", "str", "json", "copy", "kill", "run", "len"))
    )


@plan_kind
def name_hostile(plan: Plan, entry: Entry, rng: Random) -> Plan | None:
    """Code for a name. It is harmless here: the official side runs it."""
    code = (
        "__import__('os').system('true')",
        "pwd() or dict",
        "(lambda **k: 'x')",
        "instance.x",
        "1",
        "",
        "a b",
    )
    return rename(plan, rng, lambda _: rng.choice(code))
