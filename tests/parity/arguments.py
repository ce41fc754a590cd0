"""Damage to the arguments of calls: values, types, and which are there."""

from collections.abc import Callable
from random import Random
from typing import Any

from kate_eval.bfcl.data import Entry
from kate_eval.episode import Call

from .cases import Plan, some_value
from .kinds import plan_kind
from .places import at, docs_of, parameters, places, put

HALF_A_CHARACTER = "\ud83d"
"""Half of an emoji, as models that write JSON escapes sometimes leave it."""


def change_argument(
    plan: Plan,
    rng: Random,
    change: Callable[[Call, str], Any],
    accept: Callable[[Any], bool] = lambda _: True,
) -> Plan | None:
    """Change one argument whose value is accepted; None when there is none."""
    found = [(p, name) for p in places(plan) for name, v in at(plan, p).arguments.items() if accept(v)]
    if not found:
        return None
    place, name = rng.choice(found)
    call = at(plan, place)
    return put(plan, place, Call(call.name, {**call.arguments, name: change(call, name)}))


def is_string(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


@plan_kind
def argument_wrong(plan: Plan, entry: Entry, rng: Random) -> Plan | None:
    def change(call: Call, name: str) -> Any:
        match call.arguments[name]:
            case bool() as value:
                return not value
            case int() | float() as value:
                return value + rng.choice((1, -1, 0.5))
            case str() as value:
                return rng.choice((value + "x", value[1:], "something else"))
            case list() as value:
                return value[:-1] if value and rng.random() < 0.5 else [*value, *value[:1]]
            case dict() as value:
                return dict(list(value.items())[1:]) if rng.random() < 0.5 else {**value, "extra": 1}
        return "something else"

    return change_argument(plan, rng, change)


@plan_kind
def argument_missing(plan: Plan, entry: Entry, rng: Random) -> Plan | None:
    found = [place for place in places(plan) if at(plan, place).arguments]
    if not found:
        return None
    place = rng.choice(found)
    call = at(plan, place)
    gone = rng.choice(list(call.arguments))
    return put(plan, place, Call(call.name, {k: v for k, v in call.arguments.items() if k != gone}))


@plan_kind
def argument_extra(plan: Plan, entry: Entry, rng: Random) -> Plan | None:
    found = places(plan)
    if not found:
        return None
    place = rng.choice(found)
    call = at(plan, place)
    return put(
        plan, place, Call(call.name, {**call.arguments, "verbose": rng.choice((True, 1, "yes", None))})
    )


@plan_kind
def argument_of_another_type(plan: Plan, entry: Entry, rng: Random) -> Plan | None:
    def change(call: Call, name: str) -> Any:
        value = call.arguments[name]
        others: tuple[Any, ...] = (str(value), [value], {"value": value}, {}, None, 7, 7.5, True)
        return rng.choice([other for other in others if type(other) is not type(value)])

    return change_argument(plan, rng, change)


@plan_kind
def float_for_int(plan: Plan, entry: Entry, rng: Random) -> Plan | None:
    return change_argument(plan, rng, lambda call, name: float(call.arguments[name]), is_int)


@plan_kind
def int_for_float(plan: Plan, entry: Entry, rng: Random) -> Plan | None:
    return change_argument(
        plan, rng, lambda call, name: int(call.arguments[name]), lambda v: isinstance(v, float) and v == v
    )


@plan_kind
def bool_for_int(plan: Plan, entry: Entry, rng: Random) -> Plan | None:
    return change_argument(plan, rng, lambda call, name: bool(call.arguments[name]), is_int)


@plan_kind
def string_punctuation(plan: Plan, entry: Entry, rng: Random) -> Plan | None:
    """The changes that the single-turn checker forgives (spaces, case, ",./-_*^")."""

    def change(call: Call, name: str) -> str:
        value: str = call.arguments[name]
        return rng.choice(
            (value.upper(), value.replace(" ", "_"), f"{value}.", value.replace(",", ""), f"*{value}*")
        )

    return change_argument(plan, rng, change, is_string)


@plan_kind
def string_odd(plan: Plan, entry: Entry, rng: Random) -> Plan | None:
    """Quotes, newlines, backslashes, other scripts, and text that looks like a call."""
    odd = (
        *("it's", '"quoted"', "two\nlines", "a\\b", "tab\t", "naïve 東京 🚗"),
        *("{curly}", "%s", "[list]", "\x00", "\u2028"),
    )
    # Rare, because it stops the official run.
    end = HALF_A_CHARACTER if rng.random() < 0.005 else rng.choice(odd)

    def change(call: Call, name: str) -> str:
        return f"{call.arguments[name]} {end}"

    return change_argument(plan, rng, change, is_string)


@plan_kind
def string_like_a_call(plan: Plan, entry: Entry, rng: Random) -> Plan | None:
    """A string that holds a call of an offered function, or of one that exists nowhere."""
    names = [*docs_of(entry), "no_such_function"]
    return change_argument(plan, rng, lambda call, name: f"first {rng.choice(names)}() then", is_string)


@plan_kind
def optional_dropped(plan: Plan, entry: Entry, rng: Random) -> Plan | None:
    found = []
    for place in places(plan):
        required = parameters(entry, at(plan, place)).get("required", ())
        found += [(place, name) for name in at(plan, place).arguments if name not in required]
    if not found:
        return None
    place, gone = rng.choice(found)
    call = at(plan, place)
    return put(plan, place, Call(call.name, {k: v for k, v in call.arguments.items() if k != gone}))


@plan_kind
def optional_added(plan: Plan, entry: Entry, rng: Random) -> Plan | None:
    """An optional parameter that gold leaves out: its documented default, or some value."""
    found = []
    for place in places(plan):
        documented = parameters(entry, at(plan, place))["properties"]
        found += [(place, n, doc) for n, doc in documented.items() if n not in at(plan, place).arguments]
    if not found:
        return None
    place, name, doc = rng.choice(found)
    call = at(plan, place)
    value = doc["default"] if "default" in doc and rng.random() < 0.5 else some_value(doc, rng)
    return put(plan, place, Call(call.name, {**call.arguments, name: value}))
