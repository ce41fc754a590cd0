"""verl's own classes load an export; our agent loop plays its rows in the real environment."""

import asyncio
import json
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kate_eval.bfcl.data import load_entry
from kate_eval.errors import TrainingError
from kate_eval.trainers.export.parameters import ExportParameters
from kate_eval.trainers.export.verl import AGENT, export_verl, overrides
from kate_eval.trainers.rendering import Renderer
from kate_eval.trainers.row import Row
from kate_eval.trainers.rows.bfcl import play_entry
from kate_eval.trainers.rows.source import Injection
from kate_eval.trainers.rows.written import moments, step_row
from tests.conftest import now
from tests.trainers import tiny

pytestmark = pytest.mark.verl
ENTRY = "multi_turn_base_0"


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An export of real rows: the folder, the rows that begin rollouts, the base."""
    folder = tmp_path_factory.mktemp("verl")
    base = tiny.base(folder / "base", positions=40_000)
    tokenizer = import_module("transformers").AutoTokenizer.from_pretrained(base)
    rows = gold_rows(ENTRY)
    found: Any = SimpleNamespace(train=rows, held_out=rows[:1], hash="h")
    parameters = ExportParameters(
        rows=folder / "rows",
        output=folder / "out",
        base=str(base),
        context_tokens=40_000,
        completion_tokens=8000,
        answer_tokens=1000,
    )
    starts = export_verl(found, Renderer(tokenizer), parameters)
    return SimpleNamespace(
        folder=folder / "out", starts=starts, tokenizer=tokenizer, parameters=parameters, base=base
    )


def gold_rows(entry: str) -> list[Row]:
    """The rows of an entry's gold."""
    played = now(play_entry(load_entry(entry), "fc", Injection()))
    return [step_row(moment, "") for moment in moments(played, {})]


def config_of(exported: Any) -> Any:
    """verl's configuration with the export's overrides, as its own command makes it."""
    hydra, omegaconf = import_module("hydra"), import_module("omegaconf")
    folder = Path(import_module("verl").__file__ or "").parent / "trainer/config"
    told = [
        line.replace("$HERE", str(exported.folder))
        for line in (exported.folder / "overrides.txt").read_text().splitlines()
    ]
    with hydra.initialize_config_dir(config_dir=str(folder), version_base=None):
        found = hydra.compose(config_name="ppo_trainer", overrides=told)
    omegaconf.OmegaConf.resolve(found)
    return found


def test_verl_knows_every_override(exported: Any) -> None:
    found = config_of(exported)
    assert found.actor_rollout_ref.rollout.n == 8
    assert found.algorithm.norm_adv_by_std_in_grpo is False
    assert found.data.max_prompt_length == exported.starts["train"].prompt_tokens


def test_verl_s_dataset_loads_every_row(exported: Any) -> None:
    dataset = import_module("verl.utils.dataset.rl_dataset").RLHFDataset(
        data_files=str(exported.folder / "train.parquet"),
        tokenizer=exported.tokenizer,
        config=config_of(exported).data,
    )
    assert len(dataset) == len(exported.starts["train"].rows) == len(load_entry(ENTRY).turns)
    for row, item in zip(exported.starts["train"].rows, dataset, strict=True):
        assert Row.model_validate_json(item["extra_info"]["row"]) == row
        assert item["agent_name"] == AGENT and item["raw_prompt"]


def loop_of(exported: Any, answers: Any) -> Any:
    """The agent loop that the export's configuration names, with a server that answers so."""
    yaml, hydra = import_module("yaml"), import_module("hydra.utils")
    wrap = import_module("verl.experimental.agent_loop.agent_loop").DictConfigWrap
    [described] = yaml.safe_load((exported.folder / "agent_loop.yaml").read_text())
    described.pop("name")
    config = config_of(exported)
    dataset = import_module("verl.utils.dataset.rl_dataset").RLHFDataset
    return hydra.instantiate(
        described,
        trainer_config=wrap(config),
        server_manager=SimpleNamespace(generate=answers),
        tokenizer=exported.tokenizer,
        processor=None,
        hf_model_type="qwen3",
        dataset_cls=dataset,
        data_config=wrap(config.data),
    )


def play(exported: Any, turn: int, texts: list[str]) -> Any:
    """Play the row of a turn with these answers."""
    left = list(texts)

    async def generate(request_id: str, prompt_ids: list[int], sampling_params: dict[str, Any]) -> Any:
        assert sampling_params["max_tokens"] > 0 and sampling_params["temperature"] == 1.0
        ids = exported.tokenizer(left.pop(0) + "<|im_end|>", add_special_tokens=False)["input_ids"]
        return SimpleNamespace(token_ids=ids, log_probs=[-0.5] * len(ids))

    row = exported.starts["train"].rows[turn]
    told = {"row": row.model_dump_json(), "reward": "turn_state", "follow_ups": "{}"}

    async def run() -> Any:
        return await loop_of(exported, generate).run({"temperature": 1.0}, extra_info=told)

    return asyncio.run(run())


def answers_of(rows: list[Row], turn: int) -> list[str]:
    """Gold's answers in a turn, as a model writes them."""
    texts = []
    for row in rows:
        if row.turn == turn:
            calls = [json.dumps({"name": c.name, "arguments": c.arguments}) for c in row.calls]
            said = row.completion.get("content") or ""
            texts.append(said + "".join(f"<tool_call>\n{call}\n</tool_call>" for call in calls))
    return texts


def test_gold_s_turn_has_the_whole_reward(exported: Any) -> None:
    output = play(exported, 1, answers_of(gold_rows(ENTRY), 1))
    assert output.reward_score == 1.0
    assert len(output.response_ids) == len(output.response_mask) == len(output.response_logprobs)
    assert set(output.response_mask) == {0, 1}, "no observation, or nothing sampled"
    assert output.response_logprobs[0] == -0.5 and output.num_turns > 1


def test_giving_up_has_none(exported: Any) -> None:
    assert play(exported, 1, ["I can't."]).reward_score == 0.0


def test_without_rows_that_fit_nothing_is_written(tmp_path: Path) -> None:
    base = tiny.base(tmp_path / "base")
    tokenizer = import_module("transformers").AutoTokenizer.from_pretrained(base)
    parameters = ExportParameters(
        rows=tmp_path, output=tmp_path / "out", base=str(base), context_tokens=100, answer_tokens=50
    )
    found: Any = SimpleNamespace(train=gold_rows(ENTRY), held_out=[], hash="h")
    with pytest.raises(TrainingError, match="No row can begin"):
        export_verl(found, Renderer(tokenizer), parameters)
    assert not (tmp_path / "out").exists()


def test_several_nodes_find_the_cluster(exported: Any) -> None:
    many = exported.parameters.model_copy(update={"nodes": 4})
    assert "trainer.nnodes=4" in overrides(many, exported.starts)
    launch = import_module("kate_eval.trainers.export.verl").launch(many)
    assert "ray start --head" in launch and "RAY_ADDRESS" in launch
