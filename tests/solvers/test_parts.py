"""Parameters, candidates, critics' answers and the floor's substitutions."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kate_eval.bfcl.data import load_entry
from kate_eval.bfcl.play import BfclEpisode
from kate_eval.errors import BankError, ConfigurationError
from kate_eval.solvers.candidate import make_candidate, tally
from kate_eval.solvers.critic import read_answer
from kate_eval.solvers.kate import depth, kate, memp
from kate_eval.solvers.nearest import substitutions, transfer
from tests.conftest import Reply, assistant


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ({"aggregate": "vote"}, ["vote", "critic_majority"]),
        ({"sampling": "beam"}, ["beam", "perspectives"]),
        ({"layout": "diagonal"}, ["diagonal", "single-turn"]),
        ({"width": 0}, ["width", "0"]),
        ({"width": 4, "temperature": 0}, ["temperature"]),
        ({"threshold": 2}, ["threshold", "2"]),
    ],
)
def test_a_wrong_parameter_is_named_with_the_choices(values: dict[str, object], names: list[str]) -> None:
    with pytest.raises(ConfigurationError) as error:
        kate(**values)  # type: ignore[arg-type]
    assert all(name in str(error.value) for name in names)


def test_a_bank_that_can_t_be_used_stops_the_run_before_its_first_sample(tmp_path: Path) -> None:
    with pytest.raises(BankError, match="No bank in"):
        kate(bank=str(tmp_path / "nowhere"))
    with pytest.raises(BankError, match="no items of form 'wisdom'; it has: trajectory"):
        kate(knowledge="wisdom")
    with pytest.raises(BankError, match="no items of form 'summary'"):
        memp()


def test_an_unknown_depth_prompt_is_named_with_the_choices() -> None:
    with pytest.raises(ConfigurationError, match="intent, reflection, state"):
        depth("deeper")


def test_candidates_agree_whatever_the_order_of_arguments_and_undecodable_ones_do_not_vote() -> None:
    episode = BfclEpisode(load_entry("multi_turn_base_1"), "fc")
    replies: list[Reply] = [
        [("cp", {"source": "a", "destination": "b"})],
        [("cp", {"destination": "b", "source": "a"})],
        "x",
    ]
    candidates = [make_candidate(assistant(reply), episode, one_call=True) for reply in replies]
    broken = assistant([("cp", {})])
    assert broken.tool_calls
    broken.tool_calls[0].parse_error = "bad JSON"
    candidates += [make_candidate(broken, episode, one_call=True)] * 3
    assert [(c.key, votes) for c, votes in tally(candidates)] == [(candidates[0].key, 2), ("", 1)]


def test_single_turn_candidates_are_sets_of_calls() -> None:
    episode = BfclEpisode(load_entry("parallel_0"), "fc")
    calls = [("spotify_play", {"artist": "A"}), ("spotify_play", {"artist": "B"})]
    one, other = (make_candidate(assistant(c), episode, one_call=True) for c in (calls, calls[::-1]))
    assert one.key == other.key and len(one.action.calls) == 2


def test_a_critic_s_answer_is_found_in_prose_and_fences() -> None:
    text = 'I think {this} is right.\n```json\n{"plan": "p", "calls": [{"name": "ls", "arguments": {}}]}\n```'
    assert read_answer(text).calls[0].name == "ls"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no json",
        "{}",
        '{"calls": [{"arguments": {}}]}',
        '{"calls": "ls"}',
        "{" * 5000,
        '{"calls": [' * 2000,
    ],
)
def test_an_unusable_answer_gives_a_reason(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_answer(text)


@given(st.text(max_size=300))
def test_any_text_is_an_answer_or_a_reason(text: str) -> None:
    try:
        read_answer(text)
    except ValueError as ex:
        assert str(ex)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda s: st.lists(s) | st.dictionaries(st.text(), s),
)


@given(st.dictionaries(st.text(), _JSON), st.text())
def test_arguments_survive_the_critic(arguments: dict[str, object], before: str) -> None:
    answer = {"plan": "", "calls": [{"name": "f", "arguments": arguments}], "reply": ""}
    text = before.replace("{", "(") + json.dumps(answer)
    assert read_answer(text).calls[0].arguments == arguments


def test_the_floor_puts_the_user_s_values_into_the_example_s_calls() -> None:
    changes = substitutions("Copy 'a.txt' to 'old', 3 times", "Please copy 'b.txt' to 'new', 7 times")
    assert transfer({"source": "a.txt", "n": 3, "flags": ["old"], "all": True}, changes) == {
        "source": "b.txt",
        "n": 7,
        "flags": ["new"],
        "all": True,
    }
