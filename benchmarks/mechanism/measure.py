"""How a checkpoint answers single steps of the test half: exactly as gold, greedily and by a vote."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inspect_ai.tool import ToolInfo

from kate_eval.episode import Call
from kate_eval.stats import Estimate, Observed, paired_difference, weighted_mean
from kate_eval.trainers.base_model import load_renderer
from kate_eval.trainers.rollout.reading import read_answer
from kate_eval.trainers.row import Row
from mechanism.base import THREADS

ANSWER_TOKENS = 64
BATCH = 16
GROUP = "steps"
Keys = tuple[str, ...]
"""The calls of an answer, in canonical text."""


@dataclass(frozen=True)
class Answered:
    """What was answered to a step.

    Attributes:
        row: the step.
        answers: the calls of the greedy answer, or those of each candidate at temperature 1.
    """

    row: Row
    answers: tuple[Keys, ...]

    @property
    def gold(self) -> Keys:
        """What gold does."""
        return tuple(call.key for call in self.row.calls)

    @property
    def voted(self) -> Keys:
        """The most frequent answer, the first of equals."""
        return Counter(self.answers).most_common(1)[0][0]


def answer(checkpoint: Path, rows: Sequence[Row], candidates: int, seed: int) -> list[Answered]:
    """Answer the rows' prompts.

    Args:
        checkpoint: folder of the model.
        rows: steps of conversations.
        candidates: to draw at temperature 1; 1 is one greedy answer.
        seed: of the drawing.
    """
    import torch
    import transformers

    torch.set_num_threads(THREADS)
    torch.manual_seed(seed)
    renderer = load_renderer(str(checkpoint))
    model = transformers.AutoModelForCausalLM.from_pretrained(checkpoint).eval()
    rendered = sorted(((renderer.prompt_ids(r.messages, r.tools), r) for r in rows), key=lambda p: len(p[0]))
    found: list[Answered] = []
    for start in range(0, len(rendered), BATCH):
        batch = rendered[start : start + BATCH]
        written = generate(model, renderer, [ids for ids, _ in batch], candidates)
        for (_, row), texts in zip(batch, written, strict=True):
            found.append(Answered(row, tuple(keys(row, text) for text in texts)))
    return found


def generate(model: Any, renderer: Any, prompts: Sequence[Sequence[int]], candidates: int) -> list[list[str]]:
    """The texts of answers; one is greedy, several are drawn."""
    import torch

    longest, pad = max(map(len, prompts)), renderer.tokenizer.pad_token_id
    ids_B_T = torch.tensor([[pad] * (longest - len(p)) + list(p) for p in prompts])
    mask_B_T = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts])
    drawn = {"do_sample": True, "temperature": 1.0, "top_k": 0, "num_return_sequences": candidates}
    with torch.no_grad():
        written = model.generate(
            input_ids=ids_B_T,
            attention_mask=mask_B_T,
            max_new_tokens=ANSWER_TOKENS,
            eos_token_id=sorted(renderer.stop_ids),
            pad_token_id=pad,
            **(drawn if candidates > 1 else {"do_sample": False}),
        )[:, longest:].tolist()
    texts = [text_of(ids, renderer) for ids in written]
    return [texts[place * candidates : (place + 1) * candidates] for place in range(len(prompts))]


def text_of(ids: Sequence[int], renderer: Any) -> str:
    """An answer up to its end of turn."""
    end = next((place for place, one in enumerate(ids) if one in renderer.stop_ids), len(ids))
    return str(renderer.decode(ids[:end]))


def keys(row: Row, text: str) -> Keys:
    """The calls in a text, read as our solvers read them."""
    offered = [ToolInfo.model_validate({"description": "", **tool["function"]}) for tool in row.tools]
    message = read_answer(text, offered, str, len(row.messages), "recovery")
    return tuple(Call(call.function, call.arguments).key for call in message.tool_calls or ())


def accuracy(values: dict[str, float], clusters: dict[str, str]) -> Estimate:
    """The mean over steps.

    Args:
        values: step -> share of right answers.
        clusters: step -> what it is correlated within.
    """
    return weighted_mean(_observed(values, clusters).values(), {GROUP: 1.0})


def difference(first: dict[str, float], second: dict[str, float], clusters: dict[str, str]) -> Estimate:
    """The mean of first minus second over the same steps, likewise."""
    return paired_difference(_observed(first, clusters), _observed(second, clusters), {GROUP: 1.0})


def _observed(values: dict[str, float], clusters: dict[str, str]) -> dict[str, Observed]:
    return {key: Observed(value, GROUP, clusters[key], key) for key, value in values.items()}
