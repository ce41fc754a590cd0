"""Writes a LoRA adapter of random weights, in vLLM's environment: adapter.py CHECKPOINT FOLDER."""

import json
import sys
from importlib import import_module
from pathlib import Path

RANK = 8
STRENGTH = 0.5
"""Standard deviation of the second matrix: enough to change what the model says."""


def main(checkpoint: Path, folder: Path) -> None:
    """Adapt the queries and values of every layer."""
    torch, safetensors = import_module("torch"), import_module("safetensors.torch")
    config = json.loads((checkpoint / "config.json").read_text())
    hidden, width = config["hidden_size"], config["head_dim"]
    outputs = {"q_proj": config["num_attention_heads"], "v_proj": config["num_key_value_heads"]}
    torch.manual_seed(0)
    tensors = {}
    for layer in range(config["num_hidden_layers"]):
        for name, heads in outputs.items():
            prefix = f"base_model.model.model.layers.{layer}.self_attn.{name}"
            tensors[f"{prefix}.lora_A.weight"] = torch.randn(RANK, hidden)
            tensors[f"{prefix}.lora_B.weight"] = STRENGTH * torch.randn(heads * width, RANK)
    folder.mkdir(parents=True)
    safetensors.save_file(tensors, folder / "adapter_model.safetensors")
    described = {
        "base_model_name_or_path": str(checkpoint),
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": RANK,
        "lora_alpha": RANK,
        "target_modules": list(outputs),
        "bias": "none",
    }
    (folder / "adapter_config.json").write_text(json.dumps(described))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
