"""What no single mistake of the simulated model is: a case for each of the other rules."""

import json
from typing import Any

import pytest
from inspect_ai.log import EvalError, EvalSampleLimit
from inspect_ai.scorer import Score

from kate_eval.bfcl.data import load_category
from kate_eval.endpoints.bfcl.script import script_of
from kate_eval.episode import FAILURE_KEY, LIMIT_KEY
from kate_eval.failures import KINDS, Cause, cause_of, group_of
from tests.failures.played import gold_result, sample, sample_of

LOOK = [{"pwd": "{}"}]


def found(entry_id: str, result: Any, **given: Any) -> Cause:
    """The cause of a sample that fails."""
    cause = cause_of(sample(entry_id, result, **given))
    assert cause is not None
    return cause


def call(name: str, **arguments: Any) -> list[dict[str, str]]:
    """A step with one call."""
    return [{name: json.dumps(arguments)}]


def test_gold_passes_and_has_no_cause() -> None:
    assert cause_of(sample("multi_turn_base_0", gold_result("multi_turn_base_0"))) is None


def test_a_call_of_the_next_turn_is_in_the_wrong_turn() -> None:
    result = gold_result("multi_turn_base_56")
    early = next(step for step in result[1] if "fillFuelTank" in str(step))
    result[1].remove(early)
    result[0].insert(-1, early)
    cause = found("multi_turn_base_56", result)
    assert (cause.kind, cause.turn) == ("wrong_turn", 0)
    assert "belongs to turn 2" in cause.detail


def test_a_call_that_is_made_a_turn_late_is_in_the_wrong_turn() -> None:
    result = gold_result("multi_turn_base_56")
    late = next(s for s in result[1] if isinstance(s, list) and "fillFuelTank" in str(s))
    result[1].remove(late)
    result[2].insert(0, late)
    cause = found("multi_turn_base_56", result)
    assert (cause.kind, cause.turn, cause.step) == ("wrong_turn", 2, 0)
    assert "belongs to turn 2" in cause.detail


def test_a_folder_left_in_an_earlier_turn_is_the_cause_of_a_later_fault() -> None:
    # The current folder is no public state: no checker sees it before a later call depends on it.
    result = gold_result("multi_turn_base_2")
    result[0].insert(-1, call("cd", folder=".."))
    cause = found("multi_turn_base_2", result)
    assert (cause.kind, cause.turn, cause.step) == ("extra_call", 0, len(result[0]) - 2)
    assert "cd(folder='..')" in cause.detail


def test_looking_around_is_no_cause() -> None:
    result = gold_result("multi_turn_base_1")
    wrong = next(n for n, step in enumerate(result[1]) if "mv" in str(step))
    result[1][wrong] = call("mv", source="log.txt", destination="elsewhere")
    for turn in result:
        turn[0:0] = [LOOK, LOOK]
    cause = found("multi_turn_base_1", result)
    assert (cause.kind, cause.turn, cause.step) == ("wrong_argument", 1, wrong + 2)
    assert cause.detail == "destination of mv: 'elsewhere' instead of 'archive'"


def test_a_second_attempt_that_is_right_makes_the_first_one_harmless() -> None:
    result = gold_result("multi_turn_base_1")
    result[1].insert(0, call("mv", source="nothing.txt", destination="nowhere"))
    assert cause_of(sample("multi_turn_base_1", result)) is None


def test_calls_in_another_order_are_a_cause_where_it_matters() -> None:
    kinds = set()
    for entry in load_category("multi_turn_base")[:60]:
        result = gold_result(entry.id)
        for turn in result:
            turn[:-1] = turn[:-1][::-1]
        cause = cause_of(sample(entry.id, result))
        kinds.add(cause.kind if cause else "passed")
    assert kinds == {"wrong_order", "passed"}


@pytest.mark.parametrize("category", ["multi_turn_miss_param", "multi_turn_miss_func"])
def test_acting_while_something_is_missing_is_told_however_it_shows(category: str) -> None:
    checked = 0
    for entry in load_category(category)[::7]:
        gold = script_of(entry.id, "fc").gold
        lacking = next(turn for turn, calls in enumerate(gold) if not calls)
        if lacking + 1 >= len(gold):
            continue
        result = gold_result(entry.id)
        # It does at once what the next turn makes possible, and then nothing more.
        result[lacking], result[lacking + 1] = result[lacking + 1], ["That is done already."]
        cause = found(entry.id, result)
        assert (cause.kind, cause.turn) == ("ignored_missing", lacking), (entry.id, cause)
        checked += 1
    assert checked > 20


def test_running_out_of_steps_is_a_step_limit() -> None:
    result = [*gold_result("multi_turn_base_0")[:1], [LOOK] * 21]
    cause = found("multi_turn_base_0", result)
    assert (cause.kind, cause.turn, cause.step) == ("step_limit", 1, 20)
    assert "21 steps" in cause.detail


def test_a_fault_before_the_limit_is_the_cause() -> None:
    result = [["Done."], [LOOK] * 21]
    assert found("multi_turn_base_0", result).kind == "stopped_early"


def test_a_limit_of_the_run_is_named() -> None:
    played = sample("multi_turn_base_0", [[LOOK]], limit=EvalSampleLimit(type="token", limit=500))
    played.store[LIMIT_KEY] = True
    cause = cause_of(played)
    assert cause is not None and (cause.kind, cause.turn) == ("step_limit", 0)
    assert "token (500)" in cause.detail


def test_calls_that_nobody_read_in_the_text_are_a_parse_failure() -> None:
    text = '<tool_call>{"name": "cd", "arguments": {"folder": "documents"</tool_call>'
    result = [[text], *gold_result("multi_turn_base_0")[1:]]
    assert found("multi_turn_base_0", result).kind == "parse"


def test_relevance_and_irrelevance() -> None:
    irrelevant, relevant = (load_category(c)[0].id for c in ("irrelevance", "live_relevance"))
    assert found(irrelevant, call("anything", x=1)).kind == "irrelevant_call"
    assert cause_of(sample(irrelevant, "I can't.")) is None
    assert found(relevant, "I can't.").kind == "no_call"
    assert found(relevant, [{"f": "{not JSON"}]).kind == "parse"


def test_what_could_not_be_scored_is_infrastructure() -> None:
    gold = {"result": gold_result("multi_turn_base_0"), "over": True, "mode": "fc"}
    failed = sample_of("multi_turn_base_0", gold, correct=True)
    failed.error = EvalError(message="connection lost", traceback="", traceback_ansi="")
    unscored = sample_of("multi_turn_base_0", gold, correct=False)
    unscored.scores = {"bfcl_verdict": Score(value=float("nan"), explanation="Not scored")}
    settled = sample_of("multi_turn_base_0", gold, correct=False)
    settled.store[FAILURE_KEY] = "the solver ended before the entry was over"
    foreign = sample_of("multi_turn_base_0", gold, correct=False)
    foreign.scores = {}
    for broken in (failed, unscored, settled, foreign):
        cause = cause_of(broken)
        assert cause is not None and cause.kind == "environment_error"
        assert group_of(cause.kind) == "infrastructure"


def test_every_kind_has_a_group() -> None:
    assert {group_of(kind) for kind in KINDS} == {"infrastructure", "parse", "capability"}
    with pytest.raises(KeyError):
        group_of("another")
