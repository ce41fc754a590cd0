"""The provider plays AppWorld's tasks from recorded solutions, without an engine."""

import asyncio
import json
from pathlib import Path

import pytest
from inspect_ai.model import ContentReasoning, GenerateConfig, ModelOutput
from inspect_ai.util import store

from kate_eval.appworld import decode, places
from kate_eval.endpoints.simulated import SimulatedAPI
from kate_eval.episode import SAMPLE_KEY
from kate_eval.errors import EndpointError
from kate_eval.installation import CACHE_VARIABLE

from .notes import GOLD, QUESTION, conversation, succeeded

TASK = "simulated0_1"


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A world with one task; the folder of its demonstrations."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    truth = places.full_data("mini") / "tasks" / TASK / "ground_truth"
    truth.mkdir(parents=True)
    specs = {"instruction": QUESTION, "supervisor": {"first_name": "Ada"}, "db_version": "0.1.0"}
    (truth.parent / "specs.json").write_text(json.dumps(specs))
    (truth / "metadata.json").write_text('{"difficulty": 1}')
    (truth / "answer.json").write_text("null")
    folder = places.cache() / "mini" / "demonstrations"
    folder.mkdir()
    steps = [{"code": code, "output": "Execution successful."} for code in GOLD]
    (folder / f"{TASK}.json").write_text(json.dumps({"steps": steps, "apps": ["notes"], "success": True}))
    return folder


def ask(ran: int, profile: str = "perfect", mode: str = "code", **config: float | int) -> ModelOutput:
    sample = {"benchmark": "appworld-mini", "entry": TASK, "epoch": 1, "mode": mode}
    store().set(SAMPLE_KEY, sample)
    messages = conversation(succeeded(GOLD[:ran]))
    settings = GenerateConfig.model_validate(config)
    return asyncio.run(SimulatedAPI(profile).generate(messages, [], "auto", settings))


def test_it_plays_the_recorded_solution_and_says_that_it_is_simulated(recorded: Path) -> None:
    for ran, code in enumerate(GOLD):
        output = ask(ran)
        written = decode.read(output.completion)
        assert written.code == code and "simulated" in written.thought
        content = output.message.content
        assert isinstance(content, list) and isinstance(content[0], ContentReasoning)
        assert "Simulated" in content[0].reasoning and not output.message.tool_calls
        assert output.usage and output.usage.output_tokens > len(code) / 4
        assert output.usage.input_tokens > len(QUESTION) / 4


def test_several_choices_come_of_one_request(recorded: Path) -> None:
    output = ask(1, "weak", num_choices=8, temperature=1)
    codes = {decode.read(choice.message.text).code for choice in output.choices}
    assert len(output.choices) == 8
    assert len(codes) >= 2
    again = ask(1, "weak", num_choices=8, temperature=1)
    assert [c.message.text for c in again.choices] == [c.message.text for c in output.choices]


def test_a_task_without_a_recorded_solution_is_refused_with_the_remedy(recorded: Path) -> None:
    (recorded / f"{TASK}.json").unlink()
    with pytest.raises(
        EndpointError, match=r"only tasks with a recorded solution.*kate appworld setup --mini"
    ):
        ask(0)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"steps": []}', '{"steps": [1]}', "\xff", "[" * 100_000])
def test_a_damaged_recording_is_refused(recorded: Path, text: str) -> None:
    (recorded / f"{TASK}.json").write_text(text, encoding="latin-1")
    with pytest.raises(EndpointError, match="recorded solution"):
        ask(0)


def test_another_mode_is_refused(recorded: Path) -> None:
    with pytest.raises(EndpointError, match="in mode code, not 'fc'"):
        ask(0, mode="fc")
