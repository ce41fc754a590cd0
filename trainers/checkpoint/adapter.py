"""What an adapter's own configuration says: which model it adapts."""

import json
from pathlib import Path

from kate_eval.errors import TrainingError

ADAPTER = "adapter_config.json"
BASE = "base_model_name_or_path"


def adapted_by(base: str) -> str | None:
    """The model that a base adapts, if it is a folder with an adapter.

    Raises:
        TrainingError: it doesn't say which.
    """
    file = Path(base) / ADAPTER
    if not file.is_file():
        return None
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as ex:
        raise TrainingError(
            f"{file} is no JSON: {ex}. Copy the adapter again, or train it again (kate train sft --lora)"
        ) from ex
    named = told.get(BASE) if isinstance(told, dict) else None
    if not isinstance(named, str) or not named:
        raise TrainingError(
            f"{file} names no base model: add {BASE}, a hub name or a folder, the model that it adapts"
        )
    return named
