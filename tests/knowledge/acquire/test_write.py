"""Writing by a model: equal jobs are one answer, and an endpoint that fails for good ends the build soon."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from inspect_ai.model import ChatMessage, GenerateConfig, ModelOutput

from kate_eval.errors import EndpointError
from kate_eval.knowledge.acquire import write as writing
from kate_eval.knowledge.acquire.form import Job
from kate_eval.knowledge.acquire.journal import Journal
from kate_eval.knowledge.acquire.write import write
from tests.conftest import output


class Slow:
    """A model whose answers may take their time."""

    config = GenerateConfig()

    def __init__(self, answer: Callable[[str], Awaitable[str]]) -> None:
        self._answer = answer

    async def generate(self, messages: list[ChatMessage], config: GenerateConfig) -> ModelOutput:
        return output(await self._answer(messages[0].text))


def job(prompt: str) -> Job[str]:
    return Job("summary", prompt, lambda answer, writer: answer)


async def written(model: Any, folder: Path, *prompts: str, tick: Any = None) -> list[str]:
    folder.mkdir()
    return (await write([job(prompt) for prompt in prompts], model, Journal(folder), tick=tick)).items


def test_equal_jobs_are_one_answer_and_one_step_of_progress(tmp_path: Path) -> None:
    asked: list[str] = []
    ticks: list[bool] = []

    async def answer(prompt: str) -> str:
        asked.append(prompt)
        return f"about {prompt}"

    items = anyio.run(lambda: written(Slow(answer), tmp_path / "b", "a", "b", "a", "a", tick=ticks.append))
    assert items == ["about a", "about b", "about a", "about a"]
    assert sorted(asked) == ["a", "b"] and ticks == [True, True]


def test_answers_on_their_way_are_kept_and_others_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "GRACE_S", 1.0)

    async def answer(prompt: str) -> str:
        await anyio.sleep({"dead": 0.05, "late": 0.3, "never": 3600}[prompt])
        if prompt == "dead":
            raise ConnectionError("refused")
        return "done"

    async def build() -> None:
        with anyio.fail_after(30):
            await written(Slow(answer), tmp_path / "b", "dead", "late", "never")

    with pytest.raises(EndpointError, match="1 of 3 items are done and kept"):
        anyio.run(build)
    assert len(Journal(tmp_path / "b")) == 1
