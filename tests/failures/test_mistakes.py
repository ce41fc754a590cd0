"""Mistakes made on purpose in gold runs are found as what they are, on real entries, in both modes."""

from collections import Counter
from random import Random

import pytest

from kate_eval.bfcl.categories import Mode
from kate_eval.bfcl.data import load_category
from kate_eval.endpoints.bfcl.script import script_of
from kate_eval.endpoints.profiles import MistakeKind
from kate_eval.failures import cause_of
from tests.failures.played import Mistake, play, sample

EXPECTED: dict[MistakeKind, str] = {
    "wrong_value": "wrong_argument",
    "omitted": "missing_call",
    "extra": "extra_call",
    "hallucinated": "wrong_tool",
    "early_stop": "stopped_early",
    "malformed": "parse",
}
MULTI_TURN = ("multi_turn_base", "multi_turn_miss_func", "multi_turn_miss_param")
SINGLE_TURN = ("simple_python", "simple_java", "multiple", "parallel", "live_multiple", "live_parallel")


def expected(mistake: Mistake, gold: tuple[tuple[str, ...], ...], names: set[str], lacks: bool) -> str:
    """The kind that a mistake of a multi-turn entry is.

    Args:
        mistake: what was done.
        gold: keys of the gold calls of each turn.
        names: functions of the turn's gold.
        lacks: whether the turn has no gold because something is missing.
    """
    if mistake.kind != "extra":
        return EXPECTED[mistake.kind]
    if lacks:
        return "ignored_missing"
    [call] = mistake.answer.calls
    if any(call.key in keys for keys in gold[mistake.turn + 1 :]):
        return "wrong_turn"
    # The model that made it takes it for its attempt at the turn's call of this function.
    return "wrong_argument" if call.name in names else "extra_call"


@pytest.mark.parametrize("mode", ["fc", "prompt"])
@pytest.mark.parametrize("category", MULTI_TURN)
def test_a_mistake_in_a_turn_is_named(category: str, mode: Mode) -> None:
    found: Counter[str] = Counter()
    for entry in load_category(category)[3::12]:
        script = script_of(entry.id, mode)
        places = [(turn, at) for turn, calls in enumerate(script.gold) for at in range(len(calls) or 1)]
        for kind in EXPECTED:
            at = Random(f"{entry.id}{kind}").choice(places)
            result, mistake = play(entry.id, mode, kind, at, entry.id, persists=kind == "hallucinated")
            cause = cause_of(sample(entry.id, result, mode)) if mistake else None
            if mistake is None or cause is None:  # not possible there, or without an effect
                continue
            keys = tuple(tuple(call.key for call in calls) for calls in script.gold)
            names = {call.name for call in script.gold[mistake.turn]}
            wanted = expected(mistake, keys, names, not script.gold[mistake.turn])
            assert (cause.kind, cause.turn) == (wanted, mistake.turn), (entry.id, mistake, cause)
            assert cause.step == mistake.step, (entry.id, mistake, cause)
            found[kind] += 1
    assert found.keys() == EXPECTED.keys() and found.total() > 40


@pytest.mark.parametrize("mode", ["fc", "prompt"])
@pytest.mark.parametrize("category", SINGLE_TURN)
def test_a_mistake_in_an_answer_is_named(category: str, mode: Mode) -> None:
    checked = 0
    entries = load_category(category)[:200]
    for entry in entries[:: max(1, len(entries) // 20)]:
        if entry.broken_gold:
            continue
        for kind in EXPECTED:
            result, mistake = play(entry.id, mode, kind, (0, 0), entry.id)
            cause = cause_of(sample(entry.id, result, mode)) if mistake else None
            if cause is None:
                continue
            wanted = "no_call" if kind == "early_stop" else EXPECTED[kind]
            if (category, mode, kind) == ("simple_java", "prompt", "extra"):
                wanted = "parse"  # the official decoder reads one Java call
            assert cause.kind == wanted, (entry.id, mistake, cause)
            checked += 1
    assert checked > 15
