"""Experience helps only where the rendered prompt really shows a similar request and the needed call."""

import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kate_eval.bfcl.data import Entry, load, load_entry
from kate_eval.endpoints.relevance import content_words, exemplified, exemplified_in_code
from kate_eval.endpoints.simulated import SimulatedAPI
from kate_eval.episode import Turn

from .playing import Rewrite, answer_key, around, ask, elsewhere, gold_path, play, worked_examples

QUESTION = "Move the quarterly budget report into the archive folder."
WORDS = content_words(QUESTION)
SIMILAR = "Please move the yearly budget report to the archive directory.\n"
UNRELATED = "Post a tweet that praises the new coffee machine.\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (SIMILAR + "mv(source='a.txt', destination='archive')", True),
        (SIMILAR + '[{"name": "mv", "arguments": {"source": "a.txt"}}]', True),
        (UNRELATED + "mv(source='a.txt', destination='archive')", False),
        (SIMILAR + "cp(source='a.txt', destination='archive')", False),
        (SIMILAR + "remv(source='a.txt')", False),
        (SIMILAR + "The function mv moves a report into an archive.", False),
        (SIMILAR + '{"name": "mv", "description": "Move a report", "parameters": {}}', False),
        (SIMILAR + "x" * 700 + " mv(source='a.txt')", False),
        ("mv(source='a.txt')\n" + SIMILAR, False),
        ("", False),
    ],
)
def test_an_example_needs_the_call_and_a_similar_request_before_it(text: str, shown: bool) -> None:
    assert ("mv" in exemplified(text, WORDS, frozenset({"mv"}))) == shown


def test_dots_and_underscores_in_names_are_one() -> None:
    assert exemplified(SIMILAR + "files.mv(x=1)", WORDS, frozenset({"files_mv"}))


MV = "```python\napis.files.mv(source='a')\n```\n"
LS = "```python\nfor name in find_all(apis.files.ls, page=1):\n    print(name)\n```\n"
LONG = f"Output:\n{'quarterly budget report archive ' * 100}\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (SIMILAR + MV, {"files.mv"}),
        (SIMILAR + LS + LONG + MV, {"files.ls", "files.mv"}),  # however long the way to the call
        (SIMILAR + LS + "Output:\nx\n\n" + UNRELATED + MV, {"files.ls"}),
        (UNRELATED + LS + LONG + MV, set()),  # outputs are no requests
        (UNRELATED + LS + LONG + "\n" + SIMILAR + MV, {"files.mv"}),
        (SIMILAR + "apis.files.mv(source='a') moves a file", set()),
        (SIMILAR + MV.replace("mv", "cp"), set()),
        (MV + SIMILAR, set()),
        (SIMILAR + MV.rstrip("`\n"), set()),
        ("", set()),
    ],
)
def test_in_code_an_example_is_a_similar_request_before_its_blocks(text: str, shown: set[str]) -> None:
    assert exemplified_in_code(text, WORDS, frozenset({"files.mv", "files.ls"})) == shown


@given(st.text(alphabet="`python\nOutput: apis.files.mv()#", max_size=400))
def test_any_text_can_be_looked_through(text: str) -> None:
    assert exemplified_in_code(text, WORDS, frozenset({"files.mv"})) <= {"files.mv"}


def test_a_hostile_text_takes_no_time() -> None:
    started = time.process_time()
    for piece in ("```", "```python\n", "``````\nOutput:\n", "Output:\n", "\n"):
        exemplified_in_code(piece * 20_000, WORDS, frozenset({"files.mv"}))
    assert time.process_time() - started < 5


ENTRIES = [load_entry(entry.id) for entry in list(load(["multi_turn_base"], "test"))[:40]]


def answers(rewrite: Rewrite | None, entries: Sequence[Entry] = ENTRIES) -> list[list[tuple[str, bool]]]:
    api = SimulatedAPI("default")
    # The user's text is what is compared; a long block's small cost would blur it.
    api.profile = api.profile.model_copy(update={"distraction": 0.0})
    return [
        answer_key(ask(api, request)) for entry in entries for request in gold_path(entry, rewrite=rewrite)
    ]


def words_of(turn: Turn) -> str:
    return " ".join(sorted(content_words(turn.query)))


def other_function(entry: Entry, turn: Turn) -> str:
    return around(turn.query, f"{words_of(turn)}\nbook_a_table(place='corner')")


def list_of_functions(entry: Entry, turn: Turn) -> str:
    docs = ", ".join(str({"name": doc["name"], "description": doc["description"]}) for doc in entry.functions)
    return around(turn.query, f"{words_of(turn)}\n{docs}")


@pytest.mark.parametrize("useless", [other_function, list_of_functions, elsewhere])
def test_useless_text_changes_no_answer(useless: Rewrite) -> None:
    assert answers(useless) == answers(None)


def test_worked_examples_change_answers_for_the_better_only() -> None:
    right = [answer_key(ask(SimulatedAPI("perfect"), r))[0] for entry in ENTRIES for r in gold_path(entry)]
    steps = zip(right, answers(None), answers(worked_examples), strict=True)
    changed = [(key, before[0], after[0]) for (key, _), before, after in steps if before != after]
    assert len(changed) >= 5
    for key, (before, broken), (after, still_broken) in changed:
        # A right answer may add the call that follows.
        assert after.startswith(key) and not still_broken
        assert not before.startswith(key) or broken


def test_the_gain_of_injection_vanishes_when_injection_is_broken() -> None:
    entries = [(entry, epoch) for entry in load(["multi_turn_base"], "test") for epoch in (1, 2)]

    def passed(rewrite: Rewrite | None) -> int:
        api = SimulatedAPI("default")
        return sum(play(api, entry, rewrite=rewrite, epoch=epoch).correct for entry, epoch in entries)

    baseline = passed(None)
    assert passed(worked_examples) >= baseline + 10
    assert passed(elsewhere) <= baseline
