"""The simulated endpoint as a provider: it plays gold by skill, reproducibly, and says what it is."""

import ast
import asyncio
import time
from pathlib import Path

import pytest
from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.model import (
    ChatMessageUser,
    ContentReasoning,
    GenerateConfig,
    ModelAPI,
    ModelOutput,
    get_model,
    modelapi,
)
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.util import store

from kate_eval import endpoints
from kate_eval.bfcl.categories import CATEGORIES, MODES, Mode
from kate_eval.bfcl.data import load, load_category, load_entry
from kate_eval.bfcl.play import BfclEpisode
from kate_eval.endpoints import profiles
from kate_eval.endpoints.simulated import SimulatedAPI
from kate_eval.episode import SAMPLE_KEY
from kate_eval.errors import ConfigurationError, EndpointError

from .playing import Request, answer_key, ask, gold_path, play

ROOT = Path(endpoints.__file__).parent
SOURCES = sorted(p for folder in (".", "appworld", "bfcl") for p in (ROOT / folder).glob("*.py"))
"""The simulated endpoint; the folders beside it are of real ones."""
ENTRY = load_entry("multi_turn_base_1")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("category", CATEGORIES)
def test_the_perfect_profile_passes_every_category(category: str, mode: Mode) -> None:
    api = SimulatedAPI("perfect")
    entries = [entry for entry in load_category(category)[:40:3] if not entry.broken_gold]
    failed = {entry.id: verdict for entry in entries if not (verdict := play(api, entry, mode)).correct}
    assert not failed


def test_the_silent_profile_never_calls() -> None:
    api = SimulatedAPI("silent")
    assert not play(api, ENTRY).correct
    assert play(api, load_category("irrelevance")[0]).correct
    assert all(not calls for request in gold_path(ENTRY) for calls, _ in answer_key(ask(api, request)))


@pytest.mark.parametrize("mode", MODES)
def test_skill_orders_the_profiles(mode: Mode) -> None:
    entries = list(load(["multi_turn_base"], "test"))[::2]
    passed = {
        name: sum(play(SimulatedAPI(name), entry, mode).correct for entry in entries)
        for name in ("silent", "weak", "default", "strong", "perfect")
    }
    assert list(passed) == sorted(passed, key=passed.__getitem__)


def test_the_default_profile_is_calibrated() -> None:
    # 38% of the test half over 16 epochs; 200 plays have a standard error of 3.4 points, and this is three.
    plays = [(entry, epoch) for entry in load(["multi_turn_base"], "test") for epoch in (1, 2)]
    passed = sum(play(SimulatedAPI("default"), entry, epoch=epoch).correct for entry, epoch in plays)
    assert 0.28 <= passed / len(plays) <= 0.48


def requests() -> list[Request]:
    return [request for entry in list(load(["multi_turn_base"], "test"))[:20] for request in gold_path(entry)]


def test_the_same_request_gets_the_same_answer_in_any_order() -> None:
    asked = requests()
    there, back = SimulatedAPI("default"), SimulatedAPI("default")
    forward = [answer_key(ask(there, request)) for request in asked]
    backward = [answer_key(ask(back, request)) for request in reversed(asked)]
    assert forward == backward[::-1]


def test_seed_and_epoch_change_the_answers() -> None:
    asked = requests()
    base = [answer_key(ask(SimulatedAPI("default"), request)) for request in asked]
    assert base != [answer_key(ask(SimulatedAPI("default", seed=1), request)) for request in asked]
    assert base != [answer_key(ask(SimulatedAPI("default"), request, epoch=2)) for request in asked]


def test_choices_are_the_draws_that_separate_requests_get() -> None:
    for request in requests():
        together = answer_key(ask(SimulatedAPI("default"), request, temperature=1, num_choices=4))
        api = SimulatedAPI("default", choices=False)
        by_seed = [answer_key(ask(api, request, temperature=1, num_choices=4, seed=i))[0] for i in range(4)]
        counting = SimulatedAPI("default")
        counted = [answer_key(ask(counting, request, temperature=1))[0] for _ in range(4)]
        assert together == by_seed == counted
        assert len(ask(api, request, temperature=1, num_choices=4).choices) == 1


def test_greedy_answers_repeat() -> None:
    api, [request, *_] = SimulatedAPI("default"), gold_path(ENTRY)
    assert len({str(answer_key(ask(api, request))) for _ in range(5)}) == 1
    assert answer_key(ask(api, request, num_choices=2)) == answer_key(ask(api, request)) * 2


def test_a_function_that_is_not_offered_is_not_called() -> None:
    request = gold_path(ENTRY)[0]
    without = Request(ENTRY, "fc", request.messages, tuple(t for t in request.tools if t.name != "ls"))
    message = ask(SimulatedAPI("perfect"), without).message
    assert not message.tool_calls
    assert "can't" in message.text


def test_held_out_functions_are_called_once_they_are_added() -> None:
    entry = load_entry("multi_turn_miss_func_1")
    for mode in MODES:
        assert play(SimulatedAPI("perfect"), entry, mode).correct


def test_outside_our_tasks_it_refuses() -> None:
    request = gold_path(ENTRY)[0]
    store().set(SAMPLE_KEY, {"benchmark": "other", "entry": "x", "epoch": 1, "mode": "fc"})
    with pytest.raises(EndpointError, match=r"plays kate-eval's tasks only .bfcl, appworld"):
        asyncio.run(SimulatedAPI("default").generate(list(request.messages), [], "auto", GenerateConfig()))
    foreign = Request(ENTRY, "fc", (ChatMessageUser(content="Something else altogether"),), ())
    with pytest.raises(EndpointError, match="no question of multi_turn_base_1"):
        ask(SimulatedAPI("default"), foreign)


def test_what_is_not_known_is_refused_with_the_choices() -> None:
    with pytest.raises(ConfigurationError, match="Unknown simulated profile 'huge'; choose from: default"):
        SimulatedAPI("huge")
    with pytest.raises(ConfigurationError, match="Unknown simulated model argument 'lag'"):
        SimulatedAPI("default", lag=1)
    with pytest.raises(ConfigurationError, match="latency"):
        SimulatedAPI("default", latency=-1)


def test_latency_is_waited_by_all_requests_at_once() -> None:
    api, request = SimulatedAPI("default", latency=0.2), gold_path(ENTRY)[0]

    async def many() -> None:
        config = GenerateConfig(temperature=0)
        await asyncio.gather(
            *(api.generate(list(request.messages), list(request.tools), "auto", config) for _ in range(50))
        )

    started = time.monotonic()
    asyncio.run(many())
    assert 0.2 <= time.monotonic() - started < 5  # one after the other would take 10


def test_usage_counts_the_prompt_once() -> None:
    api, request = SimulatedAPI("default"), gold_path(ENTRY)[0]
    one = ask(api, request, temperature=1).usage
    four = ask(api, request, temperature=1, num_choices=4).usage
    assert one and four
    assert one.input_tokens == four.input_tokens > 1000
    assert four.output_tokens > one.output_tokens > 0
    assert four.total_tokens == four.input_tokens + four.output_tokens


def test_it_says_that_it_is_simulated() -> None:
    for name, profile in profiles.PROFILES.items():
        assert "simulated" in profile.description.lower()
        output = ask(SimulatedAPI(name), gold_path(ENTRY)[0])
        assert output.model == f"simulated/{name}"
        assert output.metadata == {"simulated": True, "profile": name}
        content = output.message.content
        assert isinstance(content, list) and isinstance(content[0], ContentReasoning)
        assert "simulated" in content[0].reasoning.lower()
    for source in SOURCES:
        assert "simulated" in (ast.get_docstring(ast.parse(source.read_text())) or "").lower(), source


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: f"{source.parent.name}/{source.name}")
def test_it_imports_nothing_that_it_judges(source: Path) -> None:
    tree = ast.parse(source.read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    ours = {name for name in imported if name.startswith("kate_eval")}
    allowed = (
        "kate_eval.appworld",
        "kate_eval.bfcl",
        "kate_eval.endpoints",
        "kate_eval.episode",
        "kate_eval.errors",
    )
    assert all(name.startswith(allowed) for name in ours)
    assert not {name.split(".")[0] for name in imported} & {"solvers", "knowledge", "tasks", "importlib"}


@pytest.mark.parametrize(("room", "other"), [("bfcl", "appworld"), ("appworld", "bfcl")])
def test_no_benchmark_s_player_knows_another(room: str, other: str) -> None:
    for source in SOURCES:
        if source.parent.name == room:
            text = source.read_text()
            assert f"kate_eval.{other}" not in text and f"endpoints.{other}" not in text, source


@modelapi(name="simulated_here")
def here() -> type[ModelAPI]:
    """The provider under another name, so that this test needs no entry point."""
    return SimulatedAPI


@solver
def one_path() -> Solver:
    async def solve(state: TaskState, generate: Generate) -> TaskState:
        entry = load_entry(str(state.sample_id))
        sample = {"benchmark": "bfcl", "entry": entry.id, "epoch": state.epoch, "mode": "fc"}
        state.store.set(SAMPLE_KEY, sample)
        episode, model = BfclEpisode(entry, "fc"), get_model()
        state.messages = []
        while turn := episode.next_turn():
            state.messages += turn.messages
            over = False
            while not over:
                output = await model.generate(state.messages, list(episode.tools))
                action = episode.decode(output.message)
                seen = await episode.step(action)
                over = seen.turn_over
                message = episode.encode((), "-").message if over else action.message
                state.messages += [message, *seen.messages]
        state.output = ModelOutput.from_content("", str(episode.result))
        return state

    return solve


def results(max_samples: int, latency: float, log_dir: Path) -> dict[tuple[str, int], str]:
    """What the model answered, per entry and epoch, under Inspect."""
    [log] = eval(
        Task([Sample(input="-", id=entry.id) for entry in list(load(["multi_turn_base"], "test"))[:6]]),
        solver=one_path(),
        epochs=2,
        model="simulated_here/default",
        model_args={"latency": latency},
        max_samples=max_samples,
        log_dir=str(log_dir),
        display="log",
    )
    assert log.status == "success" and log.samples, log.error
    return {(str(sample.id), sample.epoch): sample.output.completion for sample in log.samples}


def test_under_inspect_neither_concurrency_nor_latency_changes_an_answer(tmp_path: Path) -> None:
    alone, together = results(1, 0.0, tmp_path), results(12, 0.02, tmp_path)
    assert alone == together
    assert len(alone) == 12 and len(set(alone.values())) > 6
