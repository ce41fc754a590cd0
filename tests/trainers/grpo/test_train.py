"""Runs of a few steps on a tiny model: what is learnt, logged, saved, resumed, refused."""

import errno
import json
import os
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from kate_eval.bfcl.data import load_entry
from kate_eval.bfcl.gold import multi_turn_gold
from kate_eval.cli import main
from kate_eval.errors import TrainingError
from kate_eval.trainers.checkpoint import load_card
from kate_eval.trainers.grpo.parameters import GrpoParameters
from kate_eval.trainers.grpo.train import train_grpo
from kate_eval.trainers.outcome import Outcome
from kate_eval.trainers.rendering import Renderer
from kate_eval.trainers.rewards import REWARDS, Findings, Reward, Rule
from kate_eval.trainers.rollout import Sampled
from kate_eval.trainers.rollout.log import read_rollouts
from kate_eval.trainers.rows.folder import save_rows
from tests.trainers import tiny
from tests.trainers.rollout.playing import gold_row, written

pytestmark = pytest.mark.train
Make = Callable[..., GrpoParameters]


def run(parameters: GrpoParameters) -> Outcome:
    """A run to its end."""
    return train_grpo(parameters, lambda line: None)


def letters(found: Findings) -> Reward:
    """The share of plain letters in an answer: what an untrained model can be rewarded for."""
    share = sum(c.isascii() and c.isalpha() for c in found.reply) / max(1, len(found.reply))
    return Reward(share, {"letters": share})


@pytest.fixture
def by_letters(parameters: Make, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Makes parameters of a run that learns to write letters; no answer of its has an end."""
    monkeypatch.setitem(REWARDS, "letters", Rule("letters", "step", letters))

    def make(**given: Any) -> GrpoParameters:
        values = {"reward": "letters", "mask_truncated": False, "eval_rows": 0, "learning_rate": 1e-2}
        return parameters(**{**values, **given})

    return make


def test_the_reward_rises(by_letters: Make) -> None:
    made = by_letters(max_steps=12, prompts=2, generations=8, batch_size=16, save_steps=12)
    outcome = run(made)
    assert outcome.card is not None and outcome.card.steps == 12
    rewards = [value for _, value in load_card(made.output).curves["reward"]]
    assert len(rewards) == 12
    assert sum(rewards[-3:]) > sum(rewards[:3]) + 0.3
    assert (made.output / "curves.png").stat().st_size > 1000
    assert import_module("transformers").AutoModelForCausalLM.from_pretrained(made.output)


def test_a_reward_that_raises_stops_the_run_which_goes_on_to_the_same_rewards(
    by_letters: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given = {"max_steps": 4, "save_steps": 1, "answer_tokens": 8}
    whole = run(by_letters(**given, output=tmp_path / "whole")).card
    seen: list[float] = []

    def failing(found: Findings) -> Reward:
        seen.append(0.0)
        if len(seen) > 20:  # in the third step
            raise LookupError("the judge is gone")
        return letters(found)

    with monkeypatch.context() as patch:
        patch.setitem(REWARDS, "letters", Rule("letters", "step", failing))
        with pytest.raises(
            TrainingError, match=r"Reward letters failed on row entry_\d/0/0/step.*judge is gone"
        ):
            run(by_letters(**given, output=tmp_path / "cut"))
    assert not (tmp_path / "cut").exists()
    resumed = run(by_letters(**given, output=tmp_path / "cut")).card
    assert whole and resumed and whole.curves["reward"] == resumed.curves["reward"]
    assert whole.weights_hash == resumed.weights_hash
    assert len(list(read_rollouts(tmp_path / "cut"))) == 4 * 8


def test_a_full_disk_at_the_end_loses_no_step(by_letters: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    from kate_eval.trainers.grpo.trainer import RolloutTrainer

    saved = RolloutTrainer.save_model

    def full(self: Any, folder: str, *args: Any, **kwargs: Any) -> None:
        if folder.endswith("final"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), folder)
        saved(self, folder, *args, **kwargs)

    given = by_letters(max_steps=2, save_steps=2, answer_tokens=8)
    with monkeypatch.context() as patch, pytest.raises(TrainingError, match=r"No room .* step 2 is whole"):
        patch.setattr(RolloutTrainer, "save_model", full)
        run(given)
    assert not given.output.exists()
    lines: list[str] = []
    assert train_grpo(given, lines.append).card
    assert any(line.startswith("Going on from step 2") for line in lines)


def test_weights_that_are_no_numbers_stop_the_run(by_letters: Make) -> None:
    with pytest.raises(TrainingError, match=r"step \d.*entry_\d/0/0/step.*lower --learning-rate"):
        run(by_letters(learning_rate=1e30, max_grad_norm=1e9, answer_tokens=8, max_steps=3))


def test_a_run_that_learns_nothing_says_so(parameters: Make, tmp_path: Path) -> None:
    """An untrained model neither calls nor ends an answer."""
    config = tmp_path / "run.yaml"
    given = parameters(reward="step_exact", eval_rows=0, max_steps=2, answer_tokens=8)
    config.write_text(json.dumps(given.model_dump(mode="json", exclude_none=True)))
    found = CliRunner().invoke(main, ["train", "grpo", "--config", str(config)])
    assert found.exit_code == 0, found.output
    assert "step 2/2: reward 0, frac_reward_zero_std 1, rollouts/truncated " in found.output
    notes = [line for line in found.output.splitlines() if line.startswith("NOTE: ")]
    assert len(notes) == 2 and "In 100% of the groups" in notes[0] and "A bound cut off" in notes[1]


def test_too_few_rows_for_a_step(parameters: Make) -> None:
    with pytest.raises(TrainingError, match="8 rows can begin rollouts, and a step takes 9: lower --prompts"):
        run(parameters(prompts=9, batch_size=4))


def test_rollouts_that_cannot_be_shared_out(parameters: Make) -> None:
    with pytest.raises(TrainingError, match=r"2 prompts x 4 generations can't be shared out.*--batch-size"):
        run(parameters(batch_size=3))


ENTRY = "multi_turn_miss_func_100"
"""Of those with the fewest tools."""
TURN = 1


class HalfHonest:
    """Plays gold in every other rollout; the others give up."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer
        self._gold = multi_turn_gold(load_entry(ENTRY))[TURN]

    def sample(self, prompts: Sequence[Sequence[int]], most: Sequence[int]) -> list[Sampled]:
        """Gold's next call, or its reply."""
        texts = [self._next(self._renderer.decode(ids), place) for place, ids in enumerate(prompts)]
        stop = self._renderer.tokenizer.eos_token_id
        assert stop is not None
        ids = [self._renderer.tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
        return [Sampled((*i, stop), text, True) for i, text in zip(ids, texts, strict=True)]

    def busy(self, live: bool) -> bool:
        """Alone."""
        return live

    def _next(self, prompt: str, place: int) -> str:
        made = prompt.rpartition("<|im_start|>user\n")[0].rpartition("<|im_start|>user\n")[2]
        done = (
            made.count("<tool_call>") if "<tool_response>" in prompt.rpartition("<|im_start|>user")[2] else 0
        )
        if not done and place % 2:
            return "No."
        return written(self._gold[done]) if done < len(self._gold) else "Done."


@pytest.fixture
def real(tmp_path: Path) -> Path:
    """A folder with a row of BFCL and a base model whose tokenizer has seen it."""
    row = gold_row(ENTRY, TURN)
    (tmp_path / "rows").mkdir()
    save_rows(tmp_path / "rows", [row], [], tiny.CARD)
    texts = [json.dumps(row.tools), *(str(message.get("content")) for message in row.messages)]
    tokenizer = tiny.learnt_tokenizer(texts)
    tokenizer.save_pretrained(tmp_path / "base")
    tiny.model(tokenizer, positions=8192).save_pretrained(tmp_path / "base")
    return tmp_path


def likelihood(folder: Path) -> float:
    """The log-probability that a model gives gold's first answer."""
    torch, transformers = import_module("torch"), import_module("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    rendered = Renderer(tokenizer).row(gold_row(ENTRY, TURN))
    ids = torch.tensor([rendered.prompt + rendered.completion])
    with torch.no_grad():
        logits = transformers.AutoModelForCausalLM.from_pretrained(folder)(ids).logits
    told = torch.log_softmax(logits[0, :-1].float(), -1).gather(1, ids[0, 1:, None])
    return float(told[-len(rendered.completion) :].sum())


def test_turns_in_the_real_environment_are_learnt(
    real: Path, parameters: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kate_eval.trainers.grpo import trainer

    monkeypatch.setattr(trainer, "policy_maker", lambda p, renderer, vllm: lambda *_: HalfHonest(renderer))
    made = parameters(
        rows=real / "rows",
        base=str(real / "base"),
        reward="turn_state",
        prompts=1,
        batch_size=2,
        max_steps=4,
        save_steps=4,
        learning_rate=1e-2,
        answer_tokens=512,
        completion_tokens=1024,
    )
    card = run(made).card
    assert card is not None and [value for _, value in card.curves["reward"]] == [0.5] * 4
    assert card.rows["used"]["rows"] == 1 and card.curves["rollouts/truncated"][0][1] == 0
    assert likelihood(made.output) > likelihood(real / "base") + 1  # of what was rewarded
    first, second, *_ = read_rollouts(made.output)
    assert (first["reward"], second["reward"]) == (1, 0) and first["accepted"] and not second["accepted"]
    assert first["calls"] == first["gold"] and second["calls"] == []
    assert {message["role"] for message in first["messages"]} == {"assistant", "tool"}
