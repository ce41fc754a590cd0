"""A conversation that has outgrown the context window goes on without its older outputs."""

from typing import Any

from inspect_ai.model import ChatMessageUser, ModelOutput, ModelUsage

from kate_eval.counters import COUNTERS_KEY
from kate_eval.solvers.kate import baseline
from kate_eval.solvers.window import NOTE, Window
from kate_eval.tasks.bfcl import bfcl
from tests.conftest import Scripted, gold_answer


def test_the_older_half_goes_first_and_the_latest_output_stays() -> None:
    outputs = [ChatMessageUser(content=f"{number}" * 100) for number in range(5)]
    window = Window()
    window.add(outputs)
    assert window.fit(outputs) == outputs
    assert window.shrink() == 2
    assert [m.text == NOTE for m in window.fit(outputs)] == [True, True, False, False, False]
    assert window.shrink() == 1 and window.shrink() == 1
    assert window.shrink() == 0 and window.fit(outputs)[-1] == outputs[-1]


def test_a_full_window_costs_old_outputs_and_not_the_sample(run: Any) -> None:
    gold = gold_answer()

    def small(messages: Any, config: Any) -> ModelOutput:
        long = [m for m in messages if m.role == "tool" and len(m.text) > len(NOTE)]
        if len(long) > 1:
            usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
            refused = ModelOutput.from_content("scripted", "too long", stop_reason="model_length")
            return refused.model_copy(update={"usage": usage})
        return gold(messages, config)

    log = run(bfcl(categories="multi_turn_base"), Scripted(small).model(), baseline(), limit=12)
    assert [s.scores["bfcl_verdict"].value for s in log.samples] == ["C"] * 12
    assert any(s.store[COUNTERS_KEY]["outputs_left_out"] for s in log.samples)
    for sample in log.samples:
        assert NOTE not in [m.text for m in sample.messages]


def test_a_context_that_is_too_short_is_an_error_with_the_server_s_words(run: Any) -> None:
    def full(messages: Any, config: Any) -> ModelOutput:
        said = "This model's maximum context length is 64 tokens, and the prompt has 900."
        refused = ModelOutput.from_content("scripted", said, stop_reason="model_length", error=said)
        return refused.model_copy(
            update={"usage": ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)}
        )

    log = run(bfcl(categories="multi_turn_base"), Scripted(full).model(), baseline(), limit=1)
    [sample] = log.samples
    assert (
        sample.error is not None
        and "900" in sample.error.message
        and "--max-model-len" in sample.error.message
    )
    assert {s.name: s for s in log.results.scores}["bfcl_verdict"].scored_samples == 0
