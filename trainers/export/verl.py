"""Rows as verl 0.9 takes them: Parquet files, an agent loop's configuration, overrides, a launch script.

Format: verl's RLHFDataset ("data_source", "agent_name", "prompt", "ability", "reward_model", "extra_info").
The row itself travels as JSON text in extra_info: Parquet would fill the calls' arguments with nulls. What
verl would show of "prompt" is never shown: our agent loop renders the row.
"""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from kate_eval.errors import TrainingError
from kate_eval.knowledge.folder import write_whole
from kate_eval.trainers.export.parameters import ExportParameters
from kate_eval.trainers.grpo.starts import Starts, choose_starts, require_starts
from kate_eval.trainers.rendering import Renderer
from kate_eval.trainers.rewards import find_reward
from kate_eval.trainers.row import Row
from kate_eval.trainers.rows.folder import RowsFolder

AGENT = "kate"
"""The agent loop's name."""
TARGET = "kate_eval.trainers.export.agent_loop.KateAgentLoop"
PARTS = ("train", "held_out")
VERSION = "0.9.1"
"""Of verl: its configuration's names change between versions."""
Json = dict[str, Any]


def export_verl(found: RowsFolder, renderer: Renderer, parameters: ExportParameters) -> dict[str, Starts]:
    """Write the folder.

    Args:
        found: the rows.
        renderer: of the base model, to measure prompts with.
        parameters: of the export.

    Returns:
        Part -> the rows that begin rollouts, and those left out.

    Raises:
        TrainingError: no row can begin a rollout.
        OSError: a file can't be written.
    """
    level = find_reward(parameters.reward).level
    starts = {
        part: choose_starts(getattr(found, part), level, parameters.knowledge, renderer, parameters.bounds)
        for part in PARTS
    }
    require_starts(starts["train"], level)
    folder = parameters.output
    folder.mkdir(parents=True, exist_ok=True)
    for part, chosen in starts.items():
        _write_parquet(folder / f"{part}.parquet", records(chosen, part, parameters))
    texts = {
        "agent_loop.yaml": yaml.safe_dump(agent_loop(parameters), sort_keys=False),
        "overrides.txt": "\n".join(overrides(parameters, starts)) + "\n",
        "launch.sh": launch(parameters),
        "export.json": json.dumps(_card(found, starts, parameters), indent=2) + "\n",
    }
    for name, text in texts.items():
        write_whole(folder / name, text.encode())
    (folder / "launch.sh").chmod(0o755)
    return starts


def records(starts: Starts, part: str, parameters: ExportParameters) -> list[Json]:
    """The rows as verl's dataset has them."""
    return [_record(row, index, part, starts, parameters) for index, row in enumerate(starts.rows)]


def _record(row: Row, index: int, part: str, starts: Starts, parameters: ExportParameters) -> Json:
    told = {str(turn): list(said) for turn, said in starts.follow_ups.get(row.id, {}).items()}
    return {
        "data_source": f"kate-eval/{row.benchmark}",
        "agent_name": AGENT,
        "prompt": [_shown(message) for message in row.messages],
        "ability": "tool calling",
        "reward_model": {"style": "rule", "ground_truth": json.dumps([call.text for call in row.calls])},
        "extra_info": {
            "split": part,
            "index": index,
            "reward": parameters.reward,
            "row": row.model_dump_json(),
            "follow_ups": json.dumps(told, ensure_ascii=False),
        },
    }


def _shown(message: Json) -> Json:
    """A message for people and for verl's viewer: calls as text."""
    calls = "".join(json.dumps(call["function"]) for call in message.get("tool_calls") or ())
    return {"role": message["role"], "content": f"{message.get('content') or ''}{calls}"}


def _write_parquet(file: Path, found: Sequence[Json]) -> None:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as ex:
        raise TrainingError(
            "Parquet is written by pyarrow, which is not here: run kate train export in the trainers' "
            "environment (kate train setup)"
        ) from ex
    new = file.with_name(f".{file.name}.partial")
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(list(found), schema=_schema()), new)
    new.replace(file)


def _schema() -> Any:
    """The same for every export, also for one without rows."""
    import pyarrow as pa

    text = pa.string()
    return pa.schema(
        {
            "data_source": text,
            "agent_name": text,
            "prompt": pa.list_(pa.struct({"role": text, "content": text})),
            "ability": text,
            "reward_model": pa.struct({"style": text, "ground_truth": text}),
            "extra_info": pa.struct(
                {"split": text, "index": pa.int64(), "reward": text, "row": text, "follow_ups": text}
            ),
        }
    )


def agent_loop(parameters: ExportParameters) -> list[Json]:
    """What actor_rollout_ref.rollout.agent.agent_loop_config_path names."""
    bounds = parameters.bounds.model_dump()
    return [{"name": AGENT, "_target_": TARGET, "bounds": bounds, "parser": parameters.parser}]


def overrides(parameters: ExportParameters, starts: dict[str, Starts]) -> list[str]:
    """Of verl's ppo_trainer configuration: dr_grpo without KL, as in `kate train grpo`."""
    p, rollout, actor = parameters, "actor_rollout_ref.rollout", "actor_rollout_ref.actor"
    longest = max(part.prompt_tokens for part in starts.values())
    held_out = bool(starts["held_out"].rows)
    lora = [f"actor_rollout_ref.model.lora_rank={p.lora_rank}"] if p.lora_rank else []
    return [
        "algorithm.adv_estimator=grpo",
        "algorithm.norm_adv_by_std_in_grpo=False",
        "algorithm.use_kl_in_reward=False",
        "data.train_files=$HERE/train.parquet",
        f"data.val_files=$HERE/{'held_out' if held_out else 'train'}.parquet",
        f"data.train_batch_size={p.prompts}",
        f"data.max_prompt_length={longest}",
        f"data.max_response_length={p.completion_tokens}",
        "data.return_raw_chat=True",
        # Prompts were measured at the export, with the row's tools; verl would measure them without.
        "data.filter_overlong_prompts=False",
        f"actor_rollout_ref.model.path={p.base}",
        *lora,
        f"{actor}.optim.lr={p.rate:g}",
        f"{actor}.ppo_mini_batch_size={p.prompts}",
        f"{actor}.use_dynamic_bsz=True",
        f"{actor}.ppo_max_token_len_per_gpu={longest + p.completion_tokens}",
        f"{actor}.use_kl_loss=False",
        f"{actor}.clip_ratio_low=0.2",
        f"{actor}.clip_ratio_high=0.28",
        f"{actor}.loss_agg_mode=seq-mean-token-sum-norm",
        f"{rollout}.name=vllm",
        f"{rollout}.mode=async",
        f"{rollout}.n={p.generations}",
        f"{rollout}.temperature=1.0",
        f"{rollout}.calculate_log_probs=True",
        f"{rollout}.tensor_model_parallel_size={p.tensor_parallel}",
        f"{rollout}.max_model_len={p.context_tokens}",
        f"{rollout}.agent.agent_loop_config_path=$HERE/agent_loop.yaml",
        f"trainer.n_gpus_per_node={p.gpus}",
        f"trainer.nnodes={p.nodes}",
        f"trainer.total_epochs={p.epochs}",
        "trainer.project_name=kate-eval",
        f"trainer.experiment_name={p.output.name}",
        "trainer.logger=[console,tensorboard]",
        "trainer.default_local_dir=$HERE/checkpoints",
    ]


def launch(parameters: ExportParameters) -> str:
    """A script for one node; for several, for the node that Ray's head runs on."""
    first = (
        "# One node: run this file."
        if parameters.nodes == 1
        else f"""# {parameters.nodes} nodes that share this folder. On the first: ray start --head --port=6379
# On each other: ray start --address=FIRST:6379. Then run this file on the first; it finds the cluster.
export RAY_ADDRESS=${{RAY_ADDRESS:-auto}}"""
    )
    return f"""#!/usr/bin/env bash
# Trains {shlex.quote(parameters.base)} with verl. Every node needs an environment with all of these:
#   pip install verl=={VERSION} vllm kate-eval && kate bfcl setup
# AppWorld's rows also need `kate appworld setup` on every node.
{first}
set -euo pipefail
export HERE
HERE=$(cd "$(dirname "${{BASH_SOURCE[0]}}")" && pwd)
mapfile -t OVERRIDES < <(sed "s|\\$HERE|$HERE|g" "$HERE/overrides.txt")
exec python -m verl.trainer.main_ppo "${{OVERRIDES[@]}}" "$@"
"""


def _card(found: RowsFolder, starts: dict[str, Starts], parameters: ExportParameters) -> Json:
    return {
        "engine": f"verl {VERSION}",
        "rows_hash": found.hash,
        "parameters": parameters.model_dump(mode="json"),
        "parts": {part: chosen.described() for part, chosen in starts.items()},
    }
