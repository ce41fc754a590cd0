"""The policy in code plays gold by skill; all kinds of mistakes occur; every play ends."""

import ast
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kate_eval.endpoints.appworld.mistakes import GIVE_UP, KINDS
from kate_eval.endpoints.appworld.policy import PATIENCE, answers
from kate_eval.endpoints.appworld.request import Attempt, Situation, read
from kate_eval.endpoints.appworld.script import Script, block_of
from kate_eval.endpoints.profiles import PROFILES, MistakeKind, Profile

from .notes import ASKING, FAILED, FIND, GOLD, LOGIN, POOL, SCRIPT, SONGS, case, conversation, succeeded

DEFAULT = PROFILES["default"]


def played(script: Script, profile: Profile, seed: str = "0", output: str = "fine") -> list[str | None]:
    """The blocks of a play whose blocks all print the same."""
    attempts: tuple[Attempt, ...] = ()
    codes: list[str | None] = []
    while len(codes) < 100:
        [answer] = answers(Situation(script, attempts), profile, seed, [0])
        codes.append(answer.code)
        if answer.code is not None and "complete_task" in answer.code and output != FAILED:
            return codes
        block = None if answer.code is None else block_of(answer.code)
        attempts = (*attempts, Attempt(block, f"Output:\n{output}"))
    return codes


@pytest.mark.parametrize(("script", "gold"), [(SCRIPT, GOLD), (ASKING, SONGS)])
def test_the_perfect_profile_plays_gold_and_the_silent_one_gives_up(
    script: Script, gold: tuple[str, ...]
) -> None:
    assert played(script, PROFILES["perfect"]) == list(gold)
    [only] = played(script, PROFILES["silent"])
    assert only in ("apis.supervisor.complete_task()", GIVE_UP)


@given(st.integers(), st.sampled_from(sorted(PROFILES)), st.sampled_from(["fine", "['Budget', 7]", FAILED]))
def test_every_play_ends(seed: int, name: str, output: str) -> None:
    codes = played(SCRIPT, PROFILES[name], str(seed), output)
    assert any("complete_task" in (code or "") for code in codes)
    if output == FAILED:  # even where nothing works
        assert codes[-1] == GIVE_UP
    else:
        assert len(codes) <= PATIENCE * len(GOLD) + 1


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_mistake_occurs_and_is_wrong(kind: MistakeKind) -> None:
    profile = DEFAULT.model_copy(update={"skill": 0.0, "mistakes": ((kind, 1.0),), "stubborn": 0.0})
    situation = read(SCRIPT, conversation([(LOGIN, "{'title': 'Shopping', 'note_id': 7}")]))
    drawn = [answer.code for answer in answers(situation, profile, "seed", range(60))]
    blocks = [block_of(code) for code in drawn if code is not None]
    assert block_of(FIND).key not in {block.key for block in blocks}
    apis = {api for block in blocks for api in block.apis}
    match kind:
        case "wrong_value":
            assert apis == {"notes.search_notes"} and len(set(drawn)) >= 5
        case "omitted":
            assert set(drawn) == {GOLD[2]}
        case "extra":
            assert apis == {"notes.login", "notes.update_note", "notes.search_notes"}
        case "hallucinated":
            assert not apis & POOL.apis and len(apis) >= 3
        case "early_stop":
            assert set(drawn) == {"apis.supervisor.complete_task()"}
        case "malformed":
            assert None in drawn and not any(parses(block.code) for block in blocks)


def test_a_question_that_is_stopped_early_gets_a_guess() -> None:
    profile = DEFAULT.model_copy(update={"skill": 0.0, "mistakes": (("early_stop", 1.0),), "stubborn": 0.0})
    situation = read(
        ASKING, conversation([(SONGS[0], "{'title': 'So What', 'plays': 12}")], question=ASKING.question)
    )
    drawn = {answer.code or "" for answer in answers(situation, profile, "seed", range(40))}
    assert len(drawn) >= 4 and all(code.startswith("apis.supervisor.complete_task(answer=") for code in drawn)


def parses(code: str) -> bool:
    try:
        ast.parse(code)
    except SyntaxError:
        return False
    return True


def rights(notes: str, voting: int = 1) -> int:
    """How many of 300 first steps are right: by the first draw, or by the most frequent one."""
    count = 0
    situation = read(SCRIPT, conversation([], notes=notes))
    for seed in range(300):
        codes = [answer.code for answer in answers(situation, DEFAULT, str(seed), range(voting))]
        count += Counter(codes).most_common(1)[0][0] == LOGIN
    return count


def test_a_relevant_example_helps_and_never_harms() -> None:
    situation = read(SCRIPT, conversation([]))
    example = case("Delete the quarterly note 'Team report' from the notes app.", [LOGIN])
    helped = read(SCRIPT, conversation([], notes=example))
    pairs = [
        (answers(situation, DEFAULT, str(seed), [0])[0], answers(helped, DEFAULT, str(seed), [0])[0])
        for seed in range(300)
    ]
    changed = [(before, after) for before, after in pairs if before != after]
    assert len(changed) >= 5 and all(after.code == LOGIN for _, after in changed)


def test_a_useless_example_changes_no_answer() -> None:
    request = "Delete the quarterly note 'Team report' from the notes app."
    assert rights(case(request, ["print(1)"])) == rights("")


def test_a_vote_helps() -> None:
    assert rights("", voting=5) >= rights("") + 5


def test_draws_are_functions_of_seed_step_and_choice() -> None:
    situation = read(SCRIPT, conversation(succeeded([LOGIN])))
    together = answers(situation, DEFAULT, "s", range(6))
    assert together == [answers(situation, DEFAULT, "s", [choice])[0] for choice in range(6)]
    several = [answers(situation, DEFAULT, str(seed), [0])[0] for seed in range(30)]
    assert len({answer.code for answer in several}) > 1
