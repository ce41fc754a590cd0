"""AppWorld's Episode: one user turn, in which each step is a block of code and its output."""

import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from string import Template
from typing import Any

import anyio
from inspect_ai.model import ChatMessageAssistant, ChatMessageSystem, ChatMessageUser
from inspect_ai.tool import ToolInfo

from kate_eval.appworld import decode, places
from kate_eval.appworld.data import AppTask, related
from kate_eval.appworld.sessions import (
    FINISH_SECONDS,
    GRACE_SECONDS,
    Limits,
    Session,
    open_session,
    slots,
)
from kate_eval.episode import Action, Call, Observation, Turn
from kate_eval.errors import EpisodeError

PROMPTS = Path(__file__).parent / "prompts"


@cache
def prompt(name: str) -> Template:
    """A text that the model is shown (kate_eval/appworld/prompts/NAME.txt)."""
    return Template((PROMPTS / f"{name}.txt").read_text(encoding="utf-8").rstrip("\n"))


@cache
def python_doc() -> dict[str, Any]:
    """The one tool, for prompts that describe tools in text."""
    code = {"type": "string", "description": "The block, without fences."}
    parameters = {"type": "object", "properties": {"code": code}, "required": ["code"]}
    return {"name": decode.TOOL, "description": prompt("tool").template, "parameters": parameters}


class AppWorldEpisode:
    """One attempt at one task. Made by `open_appworld`.

    Attributes:
        over: whether the episode has ended: submitted, or out of interactions, time or shells.
        completed: whether the task was submitted.
        interactions: blocks of code run, and answers without one.
    """

    classes: frozenset[str] = frozenset()  # a task's apps are ground truth
    one_call = True

    def __init__(
        self,
        world: str,
        task: AppTask,
        session: Session,
        limits: Limits,
        max_interactions: int,
        sample_seconds: float,
        ticket: object,
    ) -> None:
        self.benchmark = places.BENCHMARKS[world]
        self.entry_id = task.id
        self.related = related(world, task.id)
        self.task = task
        self.over = False
        self.completed = False
        self.interactions = 0
        self.lost: list[str] = []
        self._session = session
        self._limits = limits
        self._max_interactions = max_interactions
        self._deadline = time.monotonic() + sample_seconds
        self._ticket: object | None = ticket
        self._started = False
        self._outcome: dict[str, Any] | None = None

    @property
    def tools(self) -> Sequence[ToolInfo]:
        """None: code is written as text."""
        return []

    @property
    def docs(self) -> Sequence[dict[str, Any]]:
        """The shell, described as a tool."""
        return [python_doc()]

    def next_turn(self) -> Turn | None:
        """The task; then None."""
        if self._started:
            self.over = True
            return None
        self._started = True
        asked = prompt("task").substitute(self.task.supervisor, instruction=self.task.instruction)
        messages = (ChatMessageSystem(content=prompt("system").template), ChatMessageUser(content=asked))
        return Turn(0, messages, self.task.instruction)

    def decode(self, message: ChatMessageAssistant) -> Action:
        """The code block in an answer. Never raises for what a model wrote."""
        written = decode.read(message.text)
        if written.code is None:
            said = ChatMessageAssistant(content=written.thought[: decode.MAX_CODE] or "(no answer)")
            return Action(said, error=written.error, written=message)
        return self._action(written.code, written.thought)

    def encode(self, calls: Sequence[Call], reply: str = "") -> Action:
        """The action that runs the given blocks, or says something without code."""
        code = "\n".join(str(call.arguments.get("code", "")) for call in calls)
        if not code.strip():
            said = ChatMessageAssistant(content=reply or "(no answer)")
            return Action(said, error="the answer holds no code block")
        return self._action(code, reply)

    def _action(self, code: str, thought: str) -> Action:
        block = decode.code_block(code)
        text = f"{thought}\n{block.text}" if thought else block.text
        return Action(ChatMessageAssistant(content=text), (block,), thought=thought)

    def tool_name(self, name: str) -> str:
        """The name as it is."""
        return name

    def first_call(self, action: Action) -> Action:
        """An action has one block."""
        return action

    async def step(self, action: Action) -> Observation:
        """Run the action's block; what it printed.

        Raises:
            EpisodeError: no turn has been started, or the episode is over.
            EngineError: the task's world is gone.
        """
        if self.over or not self._started:
            raise EpisodeError(f"{self.entry_id}: no turn is in progress; call next_turn() first")
        self.interactions += 1
        shown = prompt("no_code").substitute(reason=action.error or "the answer holds no code block")
        if action.calls:
            shown = await self._execute(str(action.calls[0].arguments["code"]))
        self.over = self.over or self.completed or self.interactions >= self._max_interactions
        return Observation((ChatMessageUser(content=shown),), turn_over=self.over)

    async def _execute(self, code: str) -> str:
        left = self._deadline - time.monotonic()
        reply: dict[str, Any] | None = None
        with anyio.move_on_after(max(0.0, left)):
            reply = await self._session.ask(self._limits.step_seconds + GRACE_SECONDS, code=code)
        if reply is None:
            self.over = True
            return "The time for this task is up."
        self.completed = bool(reply["completed"])
        if reply["lost"]:
            self.lost.append(str(reply["lost"]))
        self.over = bool(reply["over"])
        return f"Output:\n{str(reply['output']).rstrip()}"

    async def outcome(self) -> dict[str, Any]:
        """The engine's output files and what happened; the sample can be scored from it at any time.

        Raises:
            EngineError: the task's world is gone.
        """
        if self._outcome is None:
            files = (await self._session.ask(FINISH_SECONDS, finish=True))["files"]
            self._outcome = {
                "over": self.over,
                "completed": self.completed,
                "interactions": self.interactions,
                "shells_lost": self.lost,
                "contained": self._session.opened["contained"],
                "files": files,
            }
        return self._outcome

    async def close(self) -> None:
        """End the session; safe to call twice."""
        try:
            await self._session.close()
        finally:
            ticket, self._ticket = self._ticket, None
            if ticket is not None:
                slots().release_on_behalf_of(ticket)


async def open_appworld(
    world: str, task: AppTask, limits: Limits, max_interactions: int, sample_seconds: float = 3600
) -> AppWorldEpisode:
    """Open a task's world as an episode, once the machine has room for another; time runs from then on.

    Raises:
        DatasetError: engine or data are not set up.
        EngineError: the world can't be opened.
    """
    ticket = object()
    await slots().acquire_on_behalf_of(ticket)
    try:
        session = await open_session(world, task.id, limits)
    except BaseException:
        slots().release_on_behalf_of(ticket)
        raise
    return AppWorldEpisode(world, task, session, limits, max_interactions, sample_seconds, ticket)
