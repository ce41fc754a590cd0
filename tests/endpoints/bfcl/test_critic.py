"""The simulated critic picks among the candidates it was shown, in both layouts, and never anything else."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from inspect_ai.model import ChatMessage, ChatMessageAssistant, ChatMessageUser

from kate_eval.bfcl.data import load_entry
from kate_eval.endpoints.bfcl.request import TOOL_RESULTS
from kate_eval.endpoints.bfcl.script import script_of
from kate_eval.endpoints.candidates import MALFORMED, critic_request
from kate_eval.endpoints.simulated import SimulatedAPI
from kate_eval.episode import Call
from tests.endpoints.playing import Request, ask, gold_path

ENTRY = load_entry("multi_turn_base_1")
PATH = gold_path(ENTRY)
STEPS = [call for turn in script_of(ENTRY.id, "fc").gold for call in [*turn, None]]
"""The right next call at each request of the path; None where the turn is to be closed."""
INSTRUCTION = 'Judge the candidates. Answer in JSON: {"plan": "why", "calls": [], "reply": ""}\n'
WRONG = {"calls": [{"name": "rm", "arguments": {"file_name": "everything"}}]}
REPLY = {"reply": "Nothing more to do."}


def shown(call: Call | None) -> dict[str, Any]:
    return {"calls": [{"name": call.name, "arguments": call.arguments}]} if call else REPLY


def replayed(at: int, candidates: list[dict[str, Any]], more: tuple[ChatMessage, ...] = ()) -> Request:
    text = INSTRUCTION + "\n".join(f"{i}: {json.dumps(c)}" for i, c in enumerate(candidates))
    return Request(ENTRY, "fc", (*PATH[at].messages, ChatMessageUser(content=text), *more), ())


def pasted(at: int, candidates: list[dict[str, Any]]) -> Request:
    lines = []
    for message in PATH[at].messages:
        calls = (message.tool_calls or []) if isinstance(message, ChatMessageAssistant) else []
        text = " ".join([message.text, *(Call(c.function, c.arguments).text for c in calls)])
        lines.append(f"{message.role}: {text}")
    text = INSTRUCTION + "\n".join(lines) + "\nCandidates:\n" + json.dumps(candidates)
    return Request(ENTRY, "fc", (ChatMessageUser(content=text),), ())


@pytest.mark.parametrize("layout", [replayed, pasted])
@pytest.mark.parametrize("at", range(len(PATH)))
def test_a_perfect_critic_finds_the_right_candidate_wherever_it_stands(at: int, layout: Any) -> None:
    right = shown(STEPS[at])
    others = [WRONG, {"calls": [{"name": "pwd", "arguments": {}}]}, {"reply": "?"} if STEPS[at] else WRONG]
    for place in range(3):
        candidates = [*others[:place], right, *others[place:]]
        answer = json.loads(ask(SimulatedAPI("perfect"), layout(at, candidates)).completion)
        assert (answer["calls"], answer["reply"]) == (right.get("calls", []), right.get("reply", ""))
        assert isinstance(answer["plan"], str)


calls = st.builds(
    lambda name, arguments: {"name": name, "arguments": arguments},
    st.sampled_from(["ls", "cd", "mv", "rm", "grep", "invented"]),
    st.dictionaries(st.text(max_size=5), st.none() | st.booleans() | st.integers() | st.text(max_size=8)),
)
candidates = st.one_of(
    st.builds(lambda found: {"calls": found}, st.lists(calls, min_size=1, max_size=3)),
    st.builds(lambda text: {"reply": text}, st.text(min_size=1, max_size=20)),
    st.builds(lambda found, text: {"calls": found, "reply": text}, st.lists(calls, max_size=2), st.text()),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(candidates, min_size=1, max_size=5), st.integers(0, len(PATH) - 1), st.integers(0, 50))
def test_a_critic_says_only_what_it_was_shown(found: list[dict[str, Any]], at: int, seed: int) -> None:
    for layout in (replayed, pasted):
        text = ask(SimulatedAPI("weak", seed=seed), layout(at, found)).completion
        if text != MALFORMED:
            answer = json.loads(text)
            options = [(c.get("calls", []), c.get("reply", "")) for c in found]
            assert (answer["calls"], answer["reply"]) in options


def test_critic_skill_matters_and_is_worthless_when_the_right_one_is_missing() -> None:
    right = shown(STEPS[0])
    request = replayed(0, [WRONG, right, REPLY])
    found = {
        name: sum(right["calls"] == picked(SimulatedAPI(name, seed=seed), request) for seed in range(200))
        for name in ("silent", "weak", "strong", "perfect")
    }
    assert found["silent"] < found["weak"] < found["strong"] < found["perfect"] == 200
    assert picked(SimulatedAPI("perfect"), replayed(0, [WRONG, REPLY])) in (WRONG["calls"], [])


def picked(api: SimulatedAPI, request: Request) -> Any:
    text = ask(api, request).completion
    return None if text == MALFORMED else json.loads(text)["calls"]


def test_bad_json_occurs_and_a_retry_is_a_fresh_draw() -> None:
    api = SimulatedAPI("weak")
    api.profile = api.profile.model_copy(update={"critic_malformed": 0.5})
    retry = (ChatMessageAssistant(content=MALFORMED), ChatMessageUser(content="That was no JSON. Once more."))
    outcomes = set()
    for seed in range(20):
        api.seed = seed
        texts = [ask(api, replayed(1, [WRONG, REPLY], retry * tries)).completion for tries in range(3)]
        outcomes.add(tuple(text == MALFORMED for text in texts))
    assert len(outcomes) >= 4


def test_perspectives_are_independent_draws() -> None:
    api = SimulatedAPI("weak")
    options = [shown(Call("cd", {"folder": str(index)})) for index in range(8)]
    request = replayed(1, options)
    texts = set()
    for view in ("overall", "the function and its parameters", "the logic", "the current state"):
        last = ChatMessageUser(content=f"Think of {view}. {request.messages[-1].text}")
        texts.add(ask(api, Request(ENTRY, "fc", (*request.messages[:-1], last), ())).completion)
    assert len(texts) > 1


@pytest.mark.parametrize(
    "text",
    [
        "Move it, please.",
        INSTRUCTION,  # the format alone shows no candidate
        'Plan a trip as in {"calls": [{"name": "ls", "arguments": {}}]}',  # asks for no JSON
        'In JSON with a plan: {"calls": "none"}',
    ],
)
def test_other_requests_are_not_taken_for_a_critics(text: str) -> None:
    assert critic_request([ChatMessageUser(content=text)], TOOL_RESULTS) is None
