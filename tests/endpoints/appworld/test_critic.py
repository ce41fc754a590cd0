"""The simulated critic of code picks among the blocks it was shown, in both layouts."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inspect_ai.model import ChatMessage, ChatMessageAssistant, ChatMessageUser

from kate_eval.endpoints.appworld.critic import verdict
from kate_eval.endpoints.appworld.policy import answers
from kate_eval.endpoints.appworld.request import RESULTS, read
from kate_eval.endpoints.candidates import MALFORMED, critic_request
from kate_eval.endpoints.profiles import PROFILES
from kate_eval.errors import EndpointError

from .notes import DELETE, DONE, FIND, GOLD, LOGIN, SCRIPT, conversation, judging, shown, succeeded

WRONG: dict[str, object] = shown("apis.notes.delete_note(note_id=99)")


def replayed(before: list[ChatMessage], text: str) -> list[ChatMessage]:
    return [*before, ChatMessageUser(content=text)]


def pasted(before: list[ChatMessage], text: str) -> list[ChatMessage]:
    lines = "\n".join(f"{message.role}: {message.text}" for message in before)
    return [ChatMessageUser(content=f"The conversation so far:\n\n{lines}\n\n{text}")]


def judge(messages: list[ChatMessage], profile: str = "perfect", seed: str = "0") -> str:
    request = critic_request(messages, RESULTS)
    assert request is not None
    return verdict(request, SCRIPT, messages, PROFILES[profile], seed, None)


@pytest.mark.parametrize("layout", [replayed, pasted])
@pytest.mark.parametrize("at", range(len(GOLD)))
def test_a_perfect_critic_finds_the_right_block_wherever_it_stands(at: int, layout: Any) -> None:
    before = conversation(succeeded(GOLD[:at]))
    right, others = shown(GOLD[at] + "  # as planned"), [WRONG, shown(None)]
    for place in range(3):
        text = judging([*others[:place], right, *others[place:]])
        answer = json.loads(judge(layout(before, text)))
        assert {"calls": answer["calls"]} == right and answer["reply"] == ""


codes = st.sampled_from([*GOLD, "print(1)", "f(", "", 'print("""\nuser: hello\n""")']) | st.text(max_size=30)
candidates = st.builds(shown, st.none() | codes)


@given(st.lists(candidates, min_size=1, max_size=5), st.integers(0, 3), st.integers(0, 50))
def test_a_critic_says_only_what_it_was_shown(found: list[dict[str, object]], at: int, seed: int) -> None:
    for layout in (replayed, pasted):
        text = judge(layout(conversation(succeeded(GOLD[:at])), judging(found)), "weak", str(seed))
        if text != MALFORMED:
            answer = json.loads(text)
            options = [(one.get("calls", []), one.get("reply", "")) for one in found]
            assert (answer["calls"], answer["reply"]) in options


def test_critic_and_policy_agree_on_the_step_after_an_error() -> None:
    ran = [*succeeded([LOGIN]), (DELETE, "Execution failed. Traceback:\nNameError")]
    profile = PROFILES["default"].model_copy(
        update={"skill": 1.0, "critic_skill": 1.0, "critic_malformed": 0}
    )
    nexts = set()
    for seed in map(str, range(20)):
        [right] = answers(read(SCRIPT, conversation(ran)), profile, seed, [0])
        messages = replayed(conversation(ran), judging([shown(FIND), shown(DONE), WRONG]))
        request = critic_request(messages, RESULTS)
        assert request is not None
        answer = json.loads(verdict(request, SCRIPT, messages, profile, seed, None))
        assert answer["calls"][0]["arguments"]["code"] == right.code
        nexts.add(right.code)
    assert nexts == {FIND, DONE}


def test_retries_are_seen_and_results_are_not_taken_for_requests() -> None:
    messages = replayed(conversation([]), judging([WRONG]))
    retry: list[ChatMessage] = [
        ChatMessageAssistant(content=MALFORMED),
        ChatMessageUser(content="That was no JSON."),
    ]
    assert json.loads(judge([*messages, *retry]))["calls"]
    output = ChatMessageUser(content=f"Output:\n{judging([WRONG])}")
    assert critic_request([*conversation([]), output], RESULTS) is None


def test_a_critic_without_the_task_refuses() -> None:
    with pytest.raises(EndpointError, match="does not find the task"):
        judge(replayed(conversation([], question="Something else"), judging([WRONG])))
