"""Damage to which calls are made: their order, number and place."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from kate_eval.bfcl.data import Entry
from kate_eval.episode import Call

from .cases import Plan, some_call
from .kinds import plan_kind, result_kind, undamaged
from .places import at, docs_of, places, put, read_only


@undamaged
def gold(plan: Plan, entry: Entry, rng: Random) -> Plan | None:
    return plan


@undamaged
def one_call_a_step(plan: Plan, entry: Entry, rng: Random) -> Plan | None:
    return [[[call] for calls in turn for call in calls] for turn in plan] if entry.multi_turn else None


@plan_kind
def call_dropped(plan: Plan, entry: Entry, rng: Random) -> Plan | None:
    found = places(plan)
    return put(plan, rng.choice(found)) if found else None


@plan_kind
def call_doubled(plan: Plan, entry: Entry, rng: Random) -> Plan | None:
    found = places(plan)
    if not found:
        return None
    place = rng.choice(found)
    return put(plan, place, at(plan, place), at(plan, place))


@plan_kind
def calls_reordered(plan: Plan, entry: Entry, rng: Random) -> Plan | None:
    steps = [calls for turn in plan for calls in turn if len(calls) > 1]
    if not steps:
        return None
    for calls in steps:
        calls.reverse() if rng.random() < 0.5 else rng.shuffle(calls)
    return plan


def _move(plan: Plan, rng: Random, by: int) -> Plan | None:
    found = [place for place in places(plan) if 0 <= place[0] + by < len(plan)]
    if not found:
        return None
    place = rng.choice(found)
    call = at(plan, place)
    put(plan, place)
    plan[place[0] + by].insert(0 if by > 0 else len(plan[place[0] + by]), [call])
    return plan


@plan_kind
def call_moved_later(plan: Plan, entry: Entry, rng: Random) -> Plan | None:
    return _move(plan, rng, 1)


@plan_kind
def call_moved_earlier(plan: Plan, entry: Entry, rng: Random) -> Plan | None:
    return _move(plan, rng, -1)


@plan_kind
def all_calls_in_first_turn(plan: Plan, entry: Entry, rng: Random) -> Plan | None:
    if not entry.multi_turn:
        return None
    return [[calls for turn in plan for calls in turn], *([] for _ in plan[1:])]


def _extra(plan: Plan, rng: Random, docs: Sequence[dict[str, Any]]) -> Plan | None:
    if not docs:
        return None
    turn = plan[rng.randrange(len(plan))]
    call = some_call(rng.choice(docs), rng)
    if turn:
        step = rng.choice(turn)
        step.insert(rng.randint(0, len(step)), call)
    else:
        turn.append([call])
    return plan


@plan_kind
def extra_call(plan: Plan, entry: Entry, rng: Random) -> Plan | None:
    return _extra(plan, rng, list(docs_of(entry).values()))


@plan_kind
def extra_read_only_call(plan: Plan, entry: Entry, rng: Random) -> Plan | None:
    return _extra(plan, rng, read_only(entry)) if entry.multi_turn else None


@plan_kind
def call_in_empty_gold_turn(plan: Plan, entry: Entry, rng: Random) -> Plan | None:
    empty = [turn for turn in plan if not turn] if entry.multi_turn else []
    if not empty:
        return None
    rng.choice(empty).append([some_call(rng.choice(list(docs_of(entry).values())), rng)])
    return plan


@plan_kind
def held_out_called_early(plan: Plan, entry: Entry, rng: Random) -> Plan | None:
    """The held-out function's gold call, made in the turn before the function is offered."""
    held_out = {doc["name"]: turn for turn, docs in entry.held_out.items() for doc in docs}
    found = [place for place in places(plan) if 0 < held_out.get(at(plan, place).name, 0) <= place[0]]
    if not found:
        return None
    place = rng.choice(found)
    call = at(plan, place)
    if rng.random() < 0.5:
        put(plan, place)
    plan[held_out[call.name] - 1].append([call])
    return plan


@plan_kind
def default_list_changed(plan: Plan, entry: Entry, rng: Random) -> Plan | None:
    """Mentions added to a tweet that was posted without: officially all such tweets share one list."""
    posts = [place for place in places(plan) if at(plan, place).name == "post_tweet"]
    if not posts or "TwitterAPI" not in entry.classes:
        return None
    number = rng.randrange(len(posts))
    first = entry.initial_config.get("TwitterAPI", {}).get("tweet_counter", 0)
    mention = Call("mention", {"tweet_id": first + number, "mentioned_usernames": ["@someone"]})
    return put(plan, posts[number], at(plan, posts[number]), mention)


def _steps(count: int, last: bool) -> Callable[[Plan, Entry, Random], Plan | None]:
    def pad(plan: Plan, entry: Entry, rng: Random) -> Plan | None:
        harmless = (
            [doc for doc in read_only(entry) if not doc["parameters"]["required"]] if entry.multi_turn else []
        )
        if not harmless or len(plan) == 1:
            return None
        turn = len(plan) - 1 if last else rng.randrange(len(plan) - 1)
        filler = [[some_call(rng.choice(harmless), rng)] for _ in range(count - len(plan[turn]))]
        plan[turn] = [*filler, *plan[turn]] if rng.random() < 0.5 else [*plan[turn], *filler]
        return plan

    pad.__name__ = f"steps_{count}_in_{'last' if last else 'earlier'}_turn"
    return pad


for _count in (20, 21, 22):
    for _last in (True, False):
        plan_kind(_steps(_count, _last))


@plan_kind
def gives_up_after_first_turn(plan: Plan, entry: Entry, rng: Random) -> Plan | None:
    return [plan[0], *([] for _ in plan[1:])] if entry.multi_turn else None


@result_kind
def fewer_turns(plan: Plan, entry: Entry, rng: Random) -> Plan | None:
    """Gold, of which only some turns arrive at the checker (the kind's cases say how many)."""
    return plan if entry.multi_turn else None
