"""A row's own step as a start: its answer is compared with the row's, nothing is played."""

from inspect_ai.model import ChatMessageAssistant

from kate_eval.appworld.decode import code_block, read
from kate_eval.bfcl.data import load_entry
from kate_eval.bfcl.play import BfclEpisode
from kate_eval.episode import Call
from kate_eval.trainers.rollout.start import Start, tools_of
from kate_eval.trainers.row import Row


def open_step(row: Row) -> Start:
    """The start at a row's step."""
    if row.mode == "fc":
        return Start(row, "step", row.calls, tools_of(row))
    learned = ChatMessageAssistant(content=str(row.completion.get("content") or ""))
    return Start(row, "step", answered(row, learned)[0])


def answered(row: Row, message: ChatMessageAssistant) -> tuple[tuple[Call, ...], bool]:
    """The calls of an answer to a row, and whether it was to have some that can't be read."""
    if row.mode == "code":
        written = read(message.text)
        return ((code_block(written.code),) if written.code is not None else ()), False
    if row.mode == "prompt":
        action = BfclEpisode(load_entry(row.entry), "prompt").decode(message)
        return action.calls, action.error is not None
    calls = message.tool_calls or []
    if any(call.parse_error for call in calls):
        return (), True
    return tuple(Call(call.function, call.arguments) for call in calls), False
