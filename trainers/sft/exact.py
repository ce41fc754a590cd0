"""Exact match on held-out steps: the model answers greedily, and its calls are compared with the row's."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from inspect_ai.model import ChatMessageAssistant
from inspect_ai.tool import ToolInfo

from kate_eval.episode import Call
from kate_eval.trainers.rollout.reading import read_answer, sets_out_to_call
from kate_eval.trainers.row import Json, Row
from kate_eval.trainers.sft.examples import Example

BATCH = 8


@dataclass(frozen=True)
class Exact:
    """How many answers did the same as the row's.

    Attributes:
        calls: rows whose answer has calls (or code, or calls as text), and how many were answered alike.
        replies: rows whose answer has none, and how many were answered without one.
    """

    calls: tuple[int, int]
    replies: tuple[int, int]

    def metrics(self) -> dict[str, float]:
        """As numbers for logs, with the counts they are of."""
        found: dict[str, float] = {}
        for name, (rows, right) in (("call", self.calls), ("reply", self.replies)):
            if rows:
                found |= {f"exact_{name}": right / rows, f"exact_{name}_n": rows}
        return found


def exact_match(
    model: Any, tokenizer: Any, examples: Sequence[Example], stop_ids: Collection[int], max_new_tokens: int
) -> Exact:
    """Answer the examples' prompts greedily.

    Args:
        model: generates; left as it was.
        tokenizer: its own.
        examples: held out.
        stop_ids: end an answer.
        max_new_tokens: of an answer; a longer one counts as what it is up to there.
    """
    counts = {True: [0, 0], False: [0, 0]}
    ordered = sorted(examples, key=len)
    for start in range(0, len(ordered), BATCH):
        batch = ordered[start : start + BATCH]
        for example, text in zip(
            batch, _answers(model, tokenizer, batch, stop_ids, max_new_tokens), strict=True
        ):
            count = counts[acts(example.row)]
            count[0] += 1
            count[1] += same(example.row, text)
    return Exact((counts[True][0], counts[True][1]), (counts[False][0], counts[False][1]))


def acts(row: Row) -> bool:
    """Whether a row's answer does more than reply."""
    return row.mode != "fc" or row.kind != "step" or bool(row.calls)


def same(row: Row, text: str) -> bool:
    """Whether an answer does what the row's does: the same calls in order; where none are due, a reply.

    Answers that act by their text (code, calls as text, a critic's choice) are compared as that.
    """
    if row.mode != "fc" or row.kind != "step":
        return _without_thinking(text) == str(row.completion.get("content") or "").strip()
    found = _read(text, row.tools)
    if not row.calls:
        return not found.tool_calls and bool(found.text.strip()) and not sets_out_to_call(found.text)
    made = [Call(call.function, call.arguments).key for call in found.tool_calls or []]
    return made == [call.key for call in row.calls]


def _without_thinking(text: str) -> str:
    return text.rpartition("</think>")[2].strip()


def _read(text: str, tools: Sequence[Json]) -> ChatMessageAssistant:
    """An answer read as rollouts read it, and our solvers."""
    offered = [ToolInfo.model_validate({"description": "", **tool["function"]}) for tool in tools]
    return read_answer(text, offered, str, 0, "recovery")


def _answers(
    model: Any, tokenizer: Any, batch: Sequence[Example], stop_ids: Collection[int], max_new_tokens: int
) -> list[str]:
    import torch

    longest = max(len(example.rendered.prompt) for example in batch)
    shape = (len(batch), longest)
    ids_B_T = torch.full(shape, tokenizer.pad_token_id)
    mask_B_T = torch.zeros(shape, dtype=torch.long)
    for number, example in enumerate(batch):
        prompt = torch.tensor(example.rendered.prompt)
        ids_B_T[number, longest - len(prompt) :] = prompt
        mask_B_T[number, longest - len(prompt) :] = 1
    trained = model.training
    model.eval()
    with torch.no_grad():
        written_B_T = model.generate(
            input_ids=ids_B_T.to(model.device),
            attention_mask=mask_B_T.to(model.device),
            max_new_tokens=max_new_tokens,
            do_sample=False,
            temperature=None,
            top_p=None,
            top_k=None,
            eos_token_id=sorted(stop_ids),
            pad_token_id=tokenizer.pad_token_id,
        )[:, longest:].tolist()
    model.train(trained)
    return [_text(tokenizer, ids, stop_ids) for ids in written_B_T]


def _text(tokenizer: Any, ids: Sequence[int], stop_ids: Collection[int]) -> str:
    """An answer up to its end of turn; marks of calls may be special tokens, so none are skipped."""
    end = next((place for place, one in enumerate(ids) if one in stop_ids), len(ids))
    return str(tokenizer.decode(ids[:end], skip_special_tokens=False, clean_up_tokenization_spaces=False))
