"""BFCL's Episode: the official multi-turn loop and single-turn exchange, one step at a time.

Source: bfcl-eval 2026.3.23, `model_handler/base_handler.py` (inference_multi_turn_FC and
inference_multi_turn_prompting). A turn ends on an answer without calls or one that can't be decoded;
the step counter is tested after its increment, so a turn has up to 21 steps, and then the entry ends.

Departure: an answer whose calls can't be decoded goes into the conversation as text, because servers
reject tool calls that no tool message answers.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageTool,
    ChatMessageUser,
)
from inspect_ai.tool import ToolCall, ToolInfo

from kate_eval.bfcl import engine
from kate_eval.bfcl.categories import Mode, language_of
from kate_eval.bfcl.data import Entry, siblings
from kate_eval.bfcl.decode import DecodeError, decode_prompt, executable_calls
from kate_eval.bfcl.environment import Environment
from kate_eval.episode import Action, Call, Observation, Turn
from kate_eval.errors import EpisodeError

_ROLES: dict[str, Any] = {
    "system": ChatMessageSystem,
    "user": ChatMessageUser,
    "assistant": ChatMessageAssistant,
}
_Offered = tuple[dict[str, Any], ToolInfo]
_TOOLS: dict[tuple[str, str, bool], _Offered] = {}


class BfclEpisode:
    """One attempt at one entry.

    Attributes:
        result: what the model answered, in the shape of the official result files, so far.
        over: whether the entry has ended (all turns played, or stopped after 21 steps in a turn).
    """

    benchmark = "bfcl"

    def __init__(self, entry: Entry, mode: Mode) -> None:
        self.entry = entry
        self.entry_id = entry.id
        self.related = siblings(entry.id)
        self.classes = frozenset(entry.classes)
        self.one_call = entry.multi_turn
        self.mode = mode
        self.result: list[Any] = []
        self.over = False
        self._environment = Environment(entry) if entry.multi_turn else None
        self._offered = self._describe(entry.functions, hinted=True)
        self._turn = -1
        self._steps = 0
        self._call_ids = 0

    @property
    def tools(self) -> Sequence[ToolInfo]:
        """The tools offered now; empty in prompting mode, where the system prompt lists them."""
        return [tool for _, tool in self._offered] if self.mode == "fc" else []

    @property
    def docs(self) -> Sequence[dict[str, Any]]:
        """The function docs offered now."""
        return [doc for doc, _ in self._offered]

    def next_turn(self) -> Turn | None:
        """Start the next turn; None when the entry is over."""
        if self.over or self._turn + 1 >= len(self.entry.turns):
            self.over = True
            return None
        self._turn += 1
        self._steps = 0
        if self.entry.multi_turn:
            self.result.append([])
        messages = self._turn_messages()
        asked = [] if self._adds_functions else [m.text for m in messages if m.role == "user"]
        return Turn(self._turn, tuple(messages), asked[-1] if asked else "")

    @property
    def _adds_functions(self) -> bool:
        """Whether the current turn only offers more functions: the user asks nothing."""
        return self._turn in self.entry.held_out

    def _turn_messages(self) -> list[ChatMessage]:
        added = self.entry.held_out.get(self._turn)
        if added is not None:
            self._offered = [*self._offered, *self._describe(added, hinted=False)]
            if self.mode == "fc":
                return [ChatMessageUser(content=engine.official().more_functions_fc)]
            text = engine.official().more_functions_prompt.format(functions=list(added))
            return [ChatMessageUser(content=text)]
        raw: Sequence[dict[str, Any]] = self.entry.turns[self._turn]
        if self.mode == "prompt" and self._turn == 0:
            raw = engine.with_system_prompt(raw, self.docs, self.entry_id)
        return [_ROLES[message["role"]](content=message["content"]) for message in raw]

    def decode(self, message: ChatMessageAssistant) -> Action:
        """Turn a model's answer into an action. Never raises for what a model wrote."""
        if self.mode == "prompt":
            return self._decode_text(message)
        calls = message.tool_calls or []
        errors = [call.parse_error for call in calls if call.parse_error]
        if errors:
            names = ", ".join(call.function for call in calls)
            text = "\n".join(filter(None, (message.text, f"(calls that could not be read: {names})")))
            return Action(ChatMessageAssistant(content=text), error=errors[0], written=message)
        return Action(message, tuple(Call(call.function, call.arguments) for call in calls))

    def _decode_text(self, message: ChatMessageAssistant) -> Action:
        text = message.text
        try:
            decoded = decode_prompt(text, language_of(self.entry.category))
            if self.entry.multi_turn:
                return Action(message, tuple(executable_calls(decoded)))
            calls = [Call(name, arguments) for item in decoded for name, arguments in item.items()]
            return Action(message, tuple(calls))
        except (DecodeError, RecursionError) as ex:
            # Plain prose doesn't decode either; only what set out to be calls is a parse failure.
            return Action(message, error=str(ex) if text.strip("`\n ").startswith("[") else None)

    def encode(self, calls: Sequence[Call], reply: str = "") -> Action:
        """Build the action for given calls, or a reply, in the model's own format."""
        if self.mode == "prompt":
            content = "[" + ", ".join(call.text for call in calls) + "]" if calls else reply
            return Action(ChatMessageAssistant(content=content), tuple(calls))
        tool_calls = [ToolCall(id=self._next_id(), function=c.name, arguments=c.arguments) for c in calls]
        return Action(ChatMessageAssistant(content=reply, tool_calls=tool_calls or None), tuple(calls))

    def tool_name(self, name: str) -> str:
        """Tool names can't hold the dots that function names may have."""
        return name.replace(".", "_") if self.mode == "fc" else name

    def first_call(self, action: Action) -> Action:
        """The action cut down to its first call."""
        if len(action.calls) < 2:
            return action
        if self.mode == "prompt":
            return self.encode(action.calls[:1])
        kept = action.message.model_copy(update={"tool_calls": (action.message.tool_calls or [])[:1]})
        return replace(action, message=kept, calls=action.calls[:1])

    async def step(self, action: Action) -> Observation:
        """Play the action and answer it.

        Raises:
            EpisodeError: no turn has been started, or the entry is over.
        """
        if self.over or self._turn < 0:
            raise EpisodeError(f"{self.entry_id}: no turn is in progress; call next_turn() first")
        response = self._response(action)
        if self._environment is None:
            self.result = response
            self.over = True
            return Observation((), turn_over=True)
        self.result[self._turn].append(response)
        if action.error or not action.calls:
            return Observation((), turn_over=True)
        results = [self._environment.execute(call) for call in action.calls]
        self._steps += 1
        self.over = self._steps > engine.official().max_steps
        return Observation(tuple(self._tool_messages(action, results)), turn_over=self.over)

    async def outcome(self) -> dict[str, Any]:
        """The result so far and whether the entry was played to its end, for the scorer."""
        return {"result": self.result, "over": self.over, "mode": self.mode}

    async def close(self) -> None:
        """Nothing to give back: the environment is the episode's own."""

    def _response(self, action: Action) -> Any:
        """The action in the shape of the official result files."""
        message = action.written or action.message
        calls = message.tool_calls
        if self.mode == "prompt" or not calls:
            return message.text
        # Of undecodable arguments Inspect keeps only its message, which is no JSON either.
        return [{call.function: call.parse_error or json.dumps(call.arguments)} for call in calls]

    def _tool_messages(self, action: Action, results: Sequence[str]) -> list[ChatMessage]:
        if self.mode == "prompt":
            shown = [
                {"role": "tool", "name": call.text, "content": result}
                for call, result in zip(action.calls, results, strict=True)
            ]
            return [ChatMessageUser(content=repr(shown))]
        return [
            ChatMessageTool(content=result, tool_call_id=call.id, function=call.function)
            for call, result in zip(action.message.tool_calls or [], results, strict=True)
        ]

    def _next_id(self) -> str:
        self._call_ids += 1
        return f"kate_{self._call_ids}"

    def _describe(self, docs: Sequence[dict[str, Any]], hinted: bool) -> list[_Offered]:
        """Docs with their tools. Those of executable classes are the same for all entries: made once."""
        if not self.entry.multi_turn:
            return [(doc, engine.tool_info(doc)) for doc in engine.hinted(docs, self.entry_id)]
        return [_class_tool(doc, hinted) for doc in docs]


def _class_tool(doc: dict[str, Any], hinted: bool) -> _Offered:
    key = (doc["name"], doc["description"], hinted)
    if key not in _TOOLS:
        # Held-out functions get no language hint when they are offered (an official quirk).
        shown = engine.hinted([doc], "multi_turn_base_0")[0] if hinted else doc
        _TOOLS[key] = (shown, engine.tool_info(shown))
    return _TOOLS[key]
