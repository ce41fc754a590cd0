"""What counts as doing the same, and where two runs part."""

from typing import Any

import pytest
from inspect_ai.log import EvalSample
from inspect_ai.model import ChatMessageAssistant

from kate_eval.compare.steps import MAX_SHOWN, Parting, Turns, parting, turns_of
from kate_eval.episode import OUTCOME_KEY


def bfcl(entry: str, result: Any, mode: str = "fc") -> Turns:
    """What a BFCL sample's model did."""
    store = {OUTCOME_KEY: {"result": result, "mode": mode, "over": True}}
    return turns_of(EvalSample(id=entry, epoch=1, input="", target="", store=store), "bfcl")


def appworld(*answers: str) -> Turns:
    """What an AppWorld sample's model did."""
    messages: Any = [ChatMessageAssistant(content=text) for text in answers]
    sample = EvalSample(id="x_1", epoch=1, input="", target="", messages=messages)
    return turns_of(sample, "appworld")


def cd(folder: str) -> list[dict[str, str]]:
    """A step of one call."""
    return [{"cd": f'{{"folder": "{folder}"}}'}]


def test_replies_in_other_words_are_the_same() -> None:
    first = bfcl("multi_turn_base_0", [[cd("a"), "Done."], ["Good."]])
    assert parting(first, bfcl("multi_turn_base_0", [[cd("a"), "I went there."], ["Bye."]])) is None


def test_runs_part_at_the_first_other_step_of_a_turn() -> None:
    first = bfcl("multi_turn_base_0", [[cd("a"), cd("b"), "Done."], [cd("c"), "Done."]])
    second = bfcl("multi_turn_base_0", [[cd("a"), "Done."], [cd("d"), "Done."]])
    assert parting(first, second) == Parting(0, 1, "cd(folder='b')", "reply: Done.")
    assert parting(first, first[:1]) == Parting(1, 0, "cd(folder='c')", "")


def test_the_two_modes_can_do_the_same() -> None:
    fc = bfcl("simple_python_2", [{"math_hypot": '{"x": 4, "y": 5}'}])
    prompt = bfcl("simple_python_2", "[math.hypot(x=4, y=5)]", "prompt")
    assert fc[0][0].text and parting(fc, prompt) is None


def test_an_answer_that_can_not_be_decoded_is_no_reply() -> None:
    found = parting(bfcl("simple_python_2", [{"f": "{"}]), bfcl("simple_python_2", "I can't."))
    assert found is not None and found.first.startswith("undecodable") and found.second == "reply: I can't."


def test_code_is_compared_without_its_layout() -> None:
    first = appworld("Now:\n```python\nx=1 # one\nprint( x )\n```")
    assert parting(first, appworld("```python\nx = 1\n\nprint(x)\n```")) is None
    found = parting(first, appworld("I am done."))
    assert found == Parting(0, 0, "x=1 # one print( x )", "no code: I am done.")


def test_long_steps_are_shown_from_where_they_differ() -> None:
    first, second = (bfcl("multi_turn_base_0", [[cd("x" * 900 + end)]]) for end in ("one", "two"))
    found = parting(first, second)
    assert found is not None and found.first.endswith("one')") and found.second.endswith("two')")
    assert max(len(found.first), len(found.second)) <= MAX_SHOWN


@pytest.mark.parametrize("result", [None, 3, [[{"a": 1}]], {"x": []}])
def test_what_has_another_shape_has_no_steps(result: Any) -> None:
    assert bfcl("multi_turn_base_0", result) == ()
