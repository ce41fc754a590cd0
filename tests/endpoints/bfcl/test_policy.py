"""Parallel answers differ, so that voting helps (and nothing else of width); all kinds of mistakes occur."""

from collections import Counter

import pytest

from kate_eval.bfcl.data import load, load_entry
from kate_eval.endpoints.bfcl.mistakes import KINDS, Step
from kate_eval.endpoints.bfcl.policy import DONE, answers
from kate_eval.endpoints.bfcl.request import Situation, progress
from kate_eval.endpoints.bfcl.script import pool_of, script_of
from kate_eval.endpoints.profiles import PROFILES, MistakeKind
from kate_eval.endpoints.simulated import SimulatedAPI
from kate_eval.episode import Call
from tests.endpoints.playing import Choose, ask, first, gold_path, majority, play

POOL = pool_of("multi_turn_base", "fc")
TEST_ENTRIES = list(load(["multi_turn_base"], "test"))


def situations() -> list[tuple[Situation, str]]:
    """Every step of the gold paths of the test half, with the right answer's key ("" for a reply)."""
    found = []
    for entry in TEST_ENTRIES:
        script = script_of(entry.id, "fc")
        for turn, gold in enumerate(script.gold):
            for made in range(len(gold) + 1):
                situation = Situation(script, turn, gold[:made], frozenset(script.docs))
                found.append((situation, gold[made].key if made < len(gold) else ""))
    return found


def test_the_majority_of_four_beats_the_first() -> None:
    right: Counter[str] = Counter()
    for situation, key in situations():
        drawn = answers(situation, POOL, PROFILES["default"], f"0|{situation.script.entry.id}", range(4))
        keys = ["!" if answer.malformed else "".join(c.key for c in answer.calls[:1]) for answer in drawn]
        right["first"] += keys[0] == key
        right["last"] += keys[3] == key
        right["majority"] += Counter(keys).most_common(1)[0][0] == key
    steps = len(situations())
    assert right["majority"] > right["first"] + 0.02 * steps
    assert abs(right["last"] - right["first"]) < 0.02 * steps


def test_the_gain_of_width_vanishes_when_nobody_votes() -> None:
    def passed(width: int, choose: Choose) -> int:
        api = SimulatedAPI("default")
        return sum(play(api, entry, width=width, choose=choose).correct for entry in TEST_ENTRIES)

    baseline = passed(1, first)
    assert passed(4, first) == baseline
    assert passed(4, majority) >= baseline + 3


def test_a_prompt_that_asks_to_think_helps_a_little_and_draws_anew() -> None:
    script = script_of("multi_turn_base_1", "fc")
    profile = PROFILES["default"].model_copy(update={"depth_gain": 1.0})
    plain = Situation(script, 0, (), frozenset(script.docs))
    nudged = Situation(script, 0, (), frozenset(script.docs), nudge="Which state matters?")
    wrong = [seed for seed in map(str, range(200)) if is_wrong(plain, seed)]
    assert wrong
    assert all(not answers(nudged, POOL, profile, seed, [0])[0].malformed for seed in wrong)
    assert all(answers(nudged, POOL, profile, seed, [0])[0].calls[0].name == "ls" for seed in wrong)


def is_wrong(situation: Situation, seed: str) -> bool:
    [answer] = answers(situation, POOL, PROFILES["default"], seed, [0])
    return answer.malformed or answer.calls[:1] != situation.script.gold[situation.turn][:1]


STEP = Step(
    script=script_of("multi_turn_base_1", "fc"),
    pool=POOL,
    right=(Call("mv", {"source": "log.txt", "destination": "archive"}),),
    following=(Call("ls", {"a": True}),),
    offered=tuple(sorted(script_of("multi_turn_base_1", "fc").docs)),
    closing=DONE,
)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_mistake_occurs_and_is_wrong(kind: MistakeKind) -> None:
    profile = PROFILES["weak"].model_copy(update={"skill": 0.0, "mistakes": ((kind, 1.0),), "stubborn": 0.0})
    situation = Situation(STEP.script, 1, STEP.script.gold[1][:1], frozenset(STEP.offered))
    drawn = answers(situation, POOL, profile, "seed", range(40))
    keys = {(tuple(call.key for call in answer.calls), answer.malformed) for answer in drawn}
    assert ((STEP.script.gold[1][1].key,), False) not in keys
    assert all(answer.malformed == (kind == "malformed") for answer in drawn)
    names = {call.name for answer in drawn for call in answer.calls}
    match kind:
        case "wrong_value":
            assert names == {"mv"} and len(keys) >= 5
        case "hallucinated":
            assert not names & set(STEP.offered) and len(keys) >= 3
        case "extra":
            assert len(names) >= 5
        case "early_stop" | "omitted":
            assert not names
        case "malformed":
            assert names == {"mv"}


def test_malformed_arguments_arrive_as_inspect_delivers_them() -> None:
    api = SimulatedAPI("default")
    api.profile = api.profile.model_copy(update={"skill": 0.0, "mistakes": (("malformed", 1.0),)})
    fc, prompt = (ask(api, gold_path(load_entry("multi_turn_base_1"), mode)[0]) for mode in ("fc", "prompt"))
    [call] = fc.message.tool_calls or []
    assert call.arguments == {} and call.parse_error and "Error parsing" in call.parse_error
    assert prompt.message.text.startswith("[ls(")


A, B, C = (Call(name, {"x": 1}) for name in "abc")


@pytest.mark.parametrize(
    ("made", "remaining", "extras"),
    [
        ([], [A, B, C], 0),
        ([A], [B, C], 0),
        ([Call("a", {"x": 2})], [B, C], 0),  # a wrong attempt is not tried again
        ([Call("z", {})], [A, B, C], 1),
        ([B], [C], 0),  # what was passed over is not come back to
        ([A, A], [B, C], 1),
        ([A, B, C], [], 0),
    ],
)
def test_progress_counts_attempts(made: list[Call], remaining: list[Call], extras: int) -> None:
    state = progress([A, B, C], made)
    assert (list(state.remaining), state.extras) == (remaining, extras)


def test_equal_calls_are_separate_steps() -> None:
    assert progress([A, A, B], [A]).remaining == (A, B)
