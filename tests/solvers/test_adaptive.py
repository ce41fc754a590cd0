"""Adaptive width: the rule and its bound, and what is asked, counted and cancelled."""

import json
import select
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler
from itertools import cycle, product
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inspect_ai.model import ChatMessage, GenerateConfig, ModelOutput, ModelUsage, get_model
from scipy.stats import beta

from kate_eval.counters import COUNTERS_KEY, PROVENANCE_KEY
from kate_eval.errors import ConfigurationError
from kate_eval.solvers.adaptive import Rule, Width, confidence_in, read_width
from kate_eval.solvers.kate import kate, width
from kate_eval.solvers.online import online
from kate_eval.tasks.bfcl import bfcl
from tests.conftest import Reply, Scripted, output
from tests.listening import Listening
from tests.solvers.test_loop import LS, infos, only_sample

RULE = Rule(0.95)
PWD: Reply = [("pwd", {})]
VOTES = st.lists(st.integers(0, 30), max_size=4).map(lambda votes: sorted(votes, reverse=True))


def test_widths_are_read_as_they_are_written() -> None:
    assert read_width(4) == read_width("4") == Width(4, 4)
    assert read_width("adaptive:4..16") == Width(4, 16) and Width(4, 16).adaptive
    assert [read_width(w.written) for w in (Width(1, 1), Width(2, 128))] == [Width(1, 1), Width(2, 128)]


@pytest.mark.parametrize(
    "value",
    [
        *("adaptive:8..4", "adaptive:4..4", "adaptive:1", "adaptive:1..8", "adaptive:4..", "adaptive:4..200"),
        *("adaptive", "adaptive:4-16", "many", "", "-3", "4.5", 0, 129, 2.5, None, True, [4]),
    ],
)
def test_a_bad_width_is_refused_before_the_first_sample_with_what_would_be_one(value: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"width=.*adaptive:4\.\.16"):
        kate(width=value)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"temperature": 0}, "temperature"),
        ({"aggregate": "first"}, "votes"),
        ({"sampling": "perspectives"}, "perspectives"),
        ({"confidence": 1.0}, "confidence"),
        ({"confidence": 0.5}, "confidence"),
    ],
)
def test_adaptive_width_is_refused_where_no_vote_could_stop_it(values: Any, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        width(width="adaptive:4..16", **values)


@given(st.integers(0, 64), st.integers(0, 64))
def test_the_confidence_is_the_beta_posterior_s_tail(leader: int, rival: int) -> None:
    assert confidence_in([leader, rival]) == pytest.approx(beta.sf(0.5, leader + 1, rival + 1), abs=1e-9)


@given(VOTES, st.integers(0, 20))
def test_a_round_asks_for_the_fewest_that_could_settle_the_vote(votes: list[int], left: int) -> None:
    missing = RULE.missing(votes, left)
    assert 0 <= missing <= left
    leader, rival, *_ = (*votes, 0, 0)
    assert not any(RULE.settled((leader + n, rival), left - n) for n in range(missing))
    assert missing == left or RULE.settled((leader + missing, rival), left - missing)


def test_a_vote_that_can_t_change_is_settled_and_no_other_for_that_reason() -> None:
    never = Rule(1.0)
    for votes, left in product([(2, 1, 0), (3, 1, 1), (4, 1, 0), (2, 2, 0), (1, 0, 0)], range(1, 5)):
        finals = [Counter(dict(enumerate(votes))) + Counter(more) for more in product(range(3), repeat=left)]
        kept = all(final[0] > max(final[1], final[2]) for final in finals)
        assert never.settled(votes, left) is kept


def stopped_and_full(shares: Sequence[float], rng: Random) -> tuple[bool, bool, int]:
    """One step: whether it stopped on confidence, whether full width decides otherwise, and its width."""
    draws = rng.choices(range(len(shares)), shares, k=16)
    count = 4
    while missing := RULE.missing(tally(draws[:count]), 16 - count):
        count += missing
    early = RULE.sure(tally(draws[:count]))
    return early, winner(draws[:count]) != winner(draws), count


def tally(draws: Sequence[int]) -> list[int]:
    return [votes for _, votes in Counter(draws).most_common()]


def winner(draws: Sequence[int]) -> int:
    return Counter(draws).most_common(1)[0][0]  # of equals the first, as in tally


@pytest.mark.parametrize("kinds", [2, 3, 6])
def test_full_width_decides_otherwise_no_more_often_than_stated(kinds: int) -> None:
    rng = Random(kinds)
    found = [
        stopped_and_full([rng.expovariate(1) for _ in range(kinds)], rng)  # a uniform prior over shares
        for _ in range(20_000)
    ]
    otherwise = [differs for early, differs, _ in found if early]
    rate = sum(otherwise) / len(otherwise)
    assert 0 < rate <= 2 * (1 - RULE.confidence)
    assert rate <= 0.015  # measured: 0.007 to 0.010
    assert sum(count for _, _, count in found) / len(found) < 14
    assert not any(differs for early, differs, _ in found if not early)  # then no more could change it


def test_two_answers_that_are_always_tied_are_the_worst_case_and_within_the_bound() -> None:
    rng = Random(0)
    found = [stopped_and_full([0.5, 0.5], rng) for _ in range(20_000)]
    otherwise = [differs for early, differs, _ in found if early]
    assert 0.03 < sum(otherwise) / len(otherwise) < 0.06  # measured: 0.045


def answering(first: list[Reply], later: Reply, prompt: int, each: int) -> Scripted:
    """A model whose first round of a step differs; its usage says what prompts and candidates cost."""

    def answer(messages: list[ChatMessage], config: GenerateConfig) -> ModelOutput:
        count = config.num_choices or 1
        made = output(*(first if count == 4 else [later] * count))
        usage = ModelUsage(
            input_tokens=prompt, output_tokens=each * count, total_tokens=prompt + each * count
        )
        return made.model_copy(update={"usage": usage})

    return Scripted(answer)


def play(run: Any, script: Scripted, **parameters: Any) -> Any:
    solver = width(width="adaptive:4..16", **parameters)
    return only_sample(
        run(bfcl(categories="multi_turn_base"), script.model(), solver, sample_id="multi_turn_base_1")
    )


def test_agreement_of_the_first_candidates_ends_the_step(run: Any) -> None:
    sample = play(run, answering(["Done."] * 4, "Done.", 100, 50))
    counters, value = sample.store[COUNTERS_KEY], sample.scores["run_counters"].value
    assert counters["agreements"] == counters["steps"] == counters["requests"]
    assert value["mean_width"] == 4 and value["tokens_saved"] == 12 * 50 * counters["steps"]
    assert sample.store[PROVENANCE_KEY]["parameters"]["width"] == "adaptive:4..16"


@pytest.mark.parametrize(
    ("prompt", "rounds"),
    [(100, [4, 3]), (1000, [4, 12])],
    ids=["the fewest that settle it", "all at once where a prompt costs more than all that are left"],
)
@pytest.mark.parametrize("aggregate", ["majority", "critic"])
def test_further_rounds_are_chosen_by_cost_and_a_sure_leader_is_played(
    run: Any, aggregate: str, prompt: int, rounds: list[int]
) -> None:
    script = answering(["Done.", PWD, "Done.", "Done."], "Done.", prompt, 50)
    sample = play(run, script, aggregate=aggregate)
    assert [config.num_choices for _, _, config in script.requests][:2] == rounds
    decision = infos(sample, "decision")[0]
    assert decision["how"] == "confident" and decision["confidence"] >= 0.95
    assert len(decision["candidates"]) == sum(rounds)
    counters = sample.store[COUNTERS_KEY]
    assert counters["extra_requests"] == counters["steps"] == counters["requests"] / 2
    assert counters["tokens_saved"] == ((16 - sum(rounds)) * 50 - prompt) * counters["steps"]


def test_where_prompts_are_cached_single_requests_run_side_by_side(run: Any) -> None:
    def answer(messages: list[ChatMessage], config: GenerateConfig) -> ModelOutput:
        count = config.num_choices or 1
        usage = ModelUsage(input_tokens=40, input_tokens_cache_read=960, output_tokens=50 * count)
        made = output(*(["Done.", PWD, "Done.", "Done."] if count == 4 else ["Done."] * count))
        return made.model_copy(update={"usage": usage})

    script = Scripted(answer)
    sample = play(run, script, aggregate="majority")
    assert [config.num_choices for _, _, config in script.requests[:4]] == [4, None, None, None]
    counters = sample.store[COUNTERS_KEY]
    # Twice the three that settle it are asked for; what comes in the same moment has no vote, but is paid.
    assert counters["requests"] + counters["cancelled"] == 7 * counters["steps"]
    assert len(infos(sample, "decision")[0]["candidates"]) == 7
    assert counters["tokens"]["policy_cached"] == 960 * counters["requests"]


def test_critics_decide_where_full_width_leaves_it_open(run: Any) -> None:
    def split(messages: list[ChatMessage], config: GenerateConfig) -> ModelOutput:
        return output(*[LS, PWD] * ((config.num_choices or 1) // 2))

    critic = Scripted(lambda messages, config: output('{"plan": "", "calls": [], "reply": "Done."}'))
    solver = width(width="adaptive:4..16")
    task, roles = bfcl(categories="multi_turn_base"), {"critic": critic.model()}
    script = Scripted(split)
    sample = only_sample(run(task, script.model(), solver, sample_id="multi_turn_base_1", model_roles=roles))
    decision = infos(sample, "decision")[0]
    assert decision["how"] == "critic" and len(decision["candidates"]) == 16
    assert [vote["votes"] for vote in decision["votes"]] == [8, 8]


def test_what_is_drawn_later_is_not_what_a_seed_or_cache_gave_before(run: Any) -> None:
    script = answering(["Done.", PWD, "Done.", "Done."], "Done.", 1000, 1)
    solver = width(width="adaptive:4..16", aggregate="majority")
    seeded = GenerateConfig(seed=7)
    model = get_model("mockllm/scripted", custom_outputs=script, memoize=False, config=seeded)
    run(bfcl(categories="multi_turn_base"), model, solver, sample_id="multi_turn_base_1")
    assert [config.seed for _, _, config in script.requests][:2] == [7, 11]


class Slow:
    """A server that gives one choice a request, some of them late; it sees who hangs up."""

    def __init__(self) -> None:
        self.asked = 0
        self.hung_up = 0
        self.lock = threading.Lock()

    def turn(self) -> tuple[str | None, bool]:
        """What to answer next (None: a call), and whether late. The 5th to 10th are the second round."""
        with self.lock:
            self.asked += 1
            place = (self.asked - 1) % 10
        return (None if place == 1 else "Done."), place >= 7


@pytest.fixture
def slow() -> Iterator[tuple[Slow, str]]:
    state = Slow()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            text, late = state.turn()
            # The connection becomes readable when its other end closes it.
            if late and select.select([self.connection], [], [], 30)[0]:
                with state.lock:
                    state.hung_up += 1
                self.close_connection = True
                return
            call = {"id": "c", "type": "function", "function": {"name": "pwd", "arguments": "{}"}}
            message = {"role": "assistant", "content": text} | ({} if text else {"tool_calls": [call]})
            body = {"id": "x", "object": "chat.completion", "created": 0, "model": "m"}
            body |= {"choices": [{"index": 0, "finish_reason": "stop", "message": message}]}
            body |= {"usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}
            data = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: object) -> None:
            pass

    http = Listening(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield state, f"http://127.0.0.1:{http.server_port}/v1"
    http.shutdown()
    http.server_close()


def test_once_the_vote_is_settled_what_still_runs_is_cancelled(run: Any, slow: tuple[Slow, str]) -> None:
    state, url = slow
    began = time.monotonic()
    sample = only_sample(
        run(
            bfcl(categories="multi_turn_base"),
            "openai-api/slow/model",
            width(width="adaptive:4..16", aggregate="majority"),
            sample_id="multi_turn_base_1",
            model_base_url=url,
            model_args={"api_key": "none"},
        )
    )
    counters = sample.store[COUNTERS_KEY]
    assert time.monotonic() - began < 25  # none of the late answers was waited for
    # The first step asks once for four choices, gets one, and tops up.
    assert counters["cancelled"] == 3 * counters["steps"] == state.hung_up
    assert counters["requests"] == 7 * counters["steps"] == counters["candidates"]
    assert infos(sample, "decision")[0]["how"] == "confident"


def test_a_limit_among_requests_side_by_side_is_still_a_limit(run: Any) -> None:
    replies: Iterator[Reply] = cycle(["Done.", PWD, "Done.", "Done."])
    script = Scripted(lambda messages, config: output(next(replies)))
    solver = width(width="adaptive:4..16", aggregate="majority")
    limits = {"sample_id": "multi_turn_base_1", "token_limit": 5 * 12 - 1}
    [sample] = run(bfcl(categories="multi_turn_base"), script.model(), solver, **limits).samples
    assert len(script.requests) >= 5 and sample.limit is not None
    assert sample.scores["run_counters"].value["errored"] == 0


def test_online_takes_it_too(tmp_path: Path) -> None:
    online(memory=str(tmp_path / "memory"), width="adaptive:4..16", aggregate="majority")
    with pytest.raises(ConfigurationError, match="adaptive:LOW"):
        online(memory=str(tmp_path / "memory"), width="adaptive:8..4")


def test_requests_that_a_provider_made_by_itself_are_counted_once(run: Any) -> None:
    def topped_up(messages: list[ChatMessage], config: GenerateConfig) -> ModelOutput:
        made = output(*["Done."] * (config.num_choices or 1))
        return made.model_copy(update={"metadata": {"extra_requests": 3}})

    log = run(
        bfcl(categories="multi_turn_base"),
        Scripted(topped_up).model(),
        width(width=4, aggregate="majority"),
        sample_id="multi_turn_base_1",
    )
    counters = only_sample(log).store[COUNTERS_KEY]
    assert counters["steps"] > 0
    # Once a server was seen to leave choices out, single requests are sent from here.
    assert counters["extra_requests"] == counters["requests"] - counters["steps"]
