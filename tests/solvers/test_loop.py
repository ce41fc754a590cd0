"""The loop end to end, through Inspect, with scripted models on real entries."""

from typing import Any

import pytest
from inspect_ai.log import EvalSample
from inspect_ai.model import ModelOutput, ModelUsage

from kate_eval.counters import COUNTERS_KEY
from kate_eval.solvers.kate import baseline, depth, kate, knowledge, width
from kate_eval.solvers.nearest import nearest
from kate_eval.tasks.bfcl import bfcl
from tests.conftest import Scripted, gold_answer, output, tool_json

BASE = {"categories": "multi_turn_base"}
LS = [("ls", {"a": True})]


def infos(sample: EvalSample, kind: str) -> list[dict[str, Any]]:
    """What the solver wrote into the transcript of this kind."""
    data = [event.data for event in sample.events if event.event == "info" and event.source == "kate"]
    return [d for d in data if isinstance(d, dict) and d["kind"] == kind]


def only_sample(log: Any) -> Any:
    assert log.status == "success", log.error
    [sample] = log.samples
    assert sample.error is None, sample.error.message
    return sample


def test_baseline_plays_gold_to_a_correct_verdict(run: Any) -> None:
    script = Scripted(gold_answer())
    log = run(bfcl(**BASE), script.model(), limit=5)
    assert [s.scores["bfcl_verdict"].value for s in log.samples] == ["C"] * 5
    assert all(request[2].temperature == 0 and request[2].num_choices is None for request in script.requests)


def test_kate_injects_samples_four_and_asks_no_critic_when_all_agree(run: Any) -> None:
    script = Scripted(gold_answer())
    sample = only_sample(run(bfcl(**BASE), script.model(), kate(), sample_id="multi_turn_base_1"))
    assert sample.scores["bfcl_verdict"].value == "C"
    first, _, config = script.requests[0]
    assert config.num_choices == 4 and config.temperature == 1
    assert first[-1].text.count("Check if the current directory is under my name") == 2
    counters = sample.store[COUNTERS_KEY]
    assert counters["agreements"] == counters["votes"] == counters["steps"] > 0
    assert counters["extra_requests"] == 0
    assert infos(sample, "knowledge")[0]["retrieved"][0]["similarity"] > 0
    assert infos(sample, "decision")[0]["how"] == "agreed"


def test_critic_decides_when_candidates_differ_and_may_be_another_model(run: Any) -> None:
    policy = Scripted(lambda messages, config: output(LS, [("pwd", {})], LS, "Done."))
    critic = Scripted(
        lambda messages, config: output('Sure: {"plan": "stop", "calls": [], "reply": "Done."}')
    )
    sample = only_sample(
        run(
            bfcl(**BASE),
            policy.model(),
            width(),
            sample_id="multi_turn_base_1",
            model_roles={"critic": critic.model()},
        )
    )
    decision = infos(sample, "decision")[0]
    assert decision["how"] == "critic" and decision["action"] == {"reply": "Done."}
    assert [vote["votes"] for vote in decision["votes"]] == [2, 1, 1]
    asked = critic.requests[0][0][-1].text
    assert asked.index(tool_json(LS)) < asked.index(tool_json([("pwd", {})]))
    assert sample.store[COUNTERS_KEY]["tokens"]["critic_input"] == 10 * len(critic.requests)


def test_a_critic_gets_three_tries_then_the_first_candidate_is_played(run: Any) -> None:
    policy = Scripted(lambda messages, config: output("Done.", LS, LS, [("pwd", {})]))
    critic = Scripted(
        lambda messages, config: output('{"calls": [{"name": "format_disk", "arguments": {}}]}')
    )
    sample = only_sample(
        run(
            bfcl(**BASE),
            policy.model(),
            width(),
            sample_id="multi_turn_base_1",
            model_roles={"critic": critic.model()},
        )
    )
    decision = infos(sample, "decision")[0]
    assert len(decision["critics"][0]["failures"]) == 3
    assert "format_disk" in critic.requests[1][0][-1].text
    assert decision["action"]["calls"][0]["name"] == "ls"  # most frequent candidate


def test_a_provider_that_ignores_the_number_of_choices_is_topped_up(run: Any) -> None:
    script = Scripted(lambda messages, config: output("Done."))
    sample = only_sample(
        run(bfcl(**BASE), script.model(), width(aggregate="majority"), sample_id="multi_turn_base_1")
    )
    counters = sample.store[COUNTERS_KEY]
    assert counters["candidates"] == 4 * counters["steps"]
    assert script.requests[0][2].num_choices == 4
    assert {r[2].num_choices for r in script.requests[1:]} == {None}
    assert counters["extra_requests"] == 3 * counters["steps"]


def test_perspectives_ask_the_plain_and_the_three_depth_prompts(run: Any) -> None:
    script = Scripted(lambda messages, config: output("Done."))
    solver = width(sampling="perspectives", aggregate="majority")
    only_sample(run(bfcl(**BASE), script.model(), solver, sample_id="multi_turn_base_1"))
    lengths = sorted(len(messages) for messages, _, _ in script.requests[:4])
    assert lengths == [1, 2, 2, 2]
    assert all(config.temperature == 0 for _, _, config in script.requests)


def test_a_depth_prompt_precedes_each_step_and_is_not_kept(run: Any) -> None:
    script = Scripted(gold_answer())
    sample = only_sample(run(bfcl(**BASE), script.model(), depth("state"), sample_id="multi_turn_base_1"))
    assert all("state of the environment" in messages[-1].text for messages, _, _ in script.requests)
    assert not any("state of the environment" in message.text for message in sample.messages)


def test_an_answer_without_choices_is_an_error_and_not_a_zero(run: Any) -> None:
    script = Scripted(lambda messages, config: ModelOutput(model="scripted", choices=[], usage=ModelUsage()))
    log = run(bfcl(**BASE), script.model(), baseline(), sample_id="multi_turn_base_1")
    [sample] = log.samples
    assert "without any choice" in sample.error.message
    scores = {score.name: score for score in log.results.scores}
    assert scores["bfcl_verdict"].scored_samples == 0
    assert scores["errored"].metrics["mean"].value == 1.0


def test_evaluating_the_bank_s_own_entries_is_refused_unless_marked(run: Any) -> None:
    script = Scripted(lambda messages, config: output("Done."))
    task = bfcl(categories="multi_turn_base", split="train")
    [refused] = run(task, script.model(), knowledge(), sample_id="multi_turn_base_2").samples
    assert "multi_turn_base_2 can't be evaluated with this bank" in refused.error.message
    assert not script.requests
    allowed = only_sample(
        run(task, script.model(), knowledge(allow_leakage=True), sample_id="multi_turn_base_2")
    )
    assert allowed.scores["run_counters"].value["leaked"] == 1.0


def test_a_token_limit_ends_the_sample_with_a_score(run: Any) -> None:
    script = Scripted(lambda messages, config: output(LS))
    [sample] = run(bfcl(**BASE), script.model(), sample_id="multi_turn_base_1", token_limit=30).samples
    assert sample.limit is not None and sample.scores["bfcl_verdict"].value == "I"


def test_a_model_that_never_stops_is_stopped_after_21_steps(run: Any) -> None:
    script = Scripted(lambda messages, config: output(LS))
    sample = only_sample(run(bfcl(**BASE), script.model(), sample_id="multi_turn_base_1"))
    assert len(script.requests) == 21
    assert "force_terminated" in sample.scores["bfcl_verdict"].explanation


@pytest.mark.parametrize("aggregate", ["majority", "critic_majority"])
def test_a_limit_inside_parallel_requests_is_still_a_limit(run: Any, aggregate: str) -> None:
    script = Scripted(lambda messages, config: output("Done.") if config.num_choices else output(LS))
    solver = width(aggregate=aggregate)
    [sample] = run(
        bfcl(**BASE), script.model(), solver, sample_id="multi_turn_base_1", token_limit=20
    ).samples
    assert sample.limit is not None and sample.scores["bfcl_verdict"].value == "I"
    assert sample.scores["run_counters"].value["errored"] == 0


def test_failed_samples_count_as_errored_whatever_the_solver(run: Any) -> None:
    log = run(bfcl(categories="multi_turn_base", split="all"), "mockllm/model", nearest(), limit=4)
    errored = [s.scores["run_counters"].value["errored"] for s in log.samples]
    assert sorted(errored) == [0, 0, 1, 1]


def test_turns_that_only_add_functions_get_no_knowledge(run: Any) -> None:
    log = run(bfcl(categories="multi_turn_miss_func"), "simulated/silent", knowledge(), limit=5)
    for sample in log.samples:
        counters = sample.store[COUNTERS_KEY]
        assert counters["searches"] == counters["turns"] - 1


@pytest.mark.parametrize(
    ("solver", "told", "expected"),
    [
        (baseline(), None, 0),
        (baseline(), 0.7, 0.7),
        (width(aggregate="majority"), None, 1),
        (width(aggregate="majority"), 0.7, 0.7),
        (width(aggregate="majority", temperature=0.3), 0.7, 0.3),
    ],
)
def test_temperature_is_the_solver_s_else_the_run_s_else_the_method_s(
    solver: Any, told: float | None, expected: float, run: Any
) -> None:
    options = {} if told is None else {"temperature": told}
    sample = only_sample(run(bfcl(**BASE), "simulated/default", solver, limit=1, **options))
    assert {event.config.temperature for event in sample.events if event.event == "model"} == {expected}


@pytest.mark.parametrize(
    "answer",
    [
        '{"plan": null, "calls": [{"name": "ls", "arguments": null}], "reply": null}',
        '{"plan": "x", "calls": [{"name": "ls"}]}',
    ],
)
def test_a_critic_may_write_null(run: Any, answer: str) -> None:
    policy = Scripted(lambda messages, config: output([("pwd", {})], "Done.", LS, LS))
    critic = Scripted(lambda messages, config: output(answer))
    roles = {"critic": critic.model()}
    sample = only_sample(
        run(bfcl(**BASE), policy.model(), width(), sample_id="multi_turn_base_1", model_roles=roles)
    )
    decision = infos(sample, "decision")[0]
    assert (
        decision["action"] == {"calls": [{"name": "ls", "arguments": {}}]}
        and not decision["critics"][0]["failures"]
    )


def test_a_limit_that_a_critic_s_longer_request_meets_is_a_score_too(run: Any) -> None:
    """A critic sees the conversation and one message more: it meets the limit first."""
    for most in (6, 7, 8, 9):
        log = run(bfcl(**BASE), "simulated/default", kate(), limit=10, message_limit=most)
        ended = [sample for sample in log.samples if sample.limit is not None]
        assert ended
        assert {sample.scores["bfcl_verdict"].value for sample in ended} <= {"C", "I"}
