"""A model and adapters as they are found on disk or on the hub: what the choice of parsers depends on."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kate_eval.endpoints.serve.inspection import hub_files
from kate_eval.errors import ConfigurationError

WEIGHTS = ("*.safetensors", "*.bin", "*.pt", "*.gguf")
_HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?", re.ASCII)


@dataclass(frozen=True)
class Facts:
    """A model."""

    name: str
    """As requests ask for it."""
    path: str
    """As vLLM is given it: a folder, or a name on the hub."""
    kind: str
    """Its name, type and architectures in one lower-case text."""
    template: str
    """All of its chat templates, one after the other; empty without any."""
    size: int = 0
    """Bytes of its weights; 0 where they are not on disk yet."""


def read_local(model: str) -> Facts | None:
    """The facts of a local folder's model; None if the name is one of the hub's.

    Raises:
        ConfigurationError: there is no such folder, or it is no model's.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        return _local(folder.resolve())
    if not _HUB_NAME.fullmatch(model) or model.startswith((".", "~")):
        raise ConfigurationError(
            f"No folder {model}. Give a model's folder (with config.json and weights), or its name on the "
            "hub: kate serve Qwen/Qwen3-8B"
        )
    return None


def read_hub(name: str, python: Path) -> Facts:
    """The facts of a model on the hub.

    Raises:
        ServerError: the hub can't be reached or has no such model.
    """
    return _facts(name, name, hub_files(python, name))


def _local(folder: Path) -> Facts:
    names = ("config.json", "params.json", "tokenizer_config.json", "chat_template.jinja")
    files = {n: (folder / n).read_text(encoding="utf-8") for n in names if (folder / n).is_file()}
    if (folder / "adapter_config.json").is_file() and "config.json" not in files:
        base = _object(folder / "adapter_config.json", (folder / "adapter_config.json").read_text()).get(
            "base_model_name_or_path", "BASE"
        )
        raise ConfigurationError(f"{folder} is an adapter: kate serve {base} --adapter {folder}")
    if not {"config.json", "params.json"} & set(files):
        raise ConfigurationError(
            f"{folder} has no config.json: it is no model's folder. Give the one that holds config.json, the "
            "tokenizer and the weights"
        )
    weights = [path for pattern in WEIGHTS for path in folder.glob(pattern)]
    if not weights:
        raise ConfigurationError(
            f"{folder} has a config.json, but no weights ({', '.join(WEIGHTS)}): "
            "the copy or download is not whole"
        )
    return _facts(folder.name, str(folder), files, sum(path.stat().st_size for path in weights))


def _facts(name: str, path: str, files: dict[str, str], size: int = 0) -> Facts:
    config = _object(f"{path}/config.json", files.get("config.json", "{}"))
    tokenizer = _object(f"{path}/tokenizer_config.json", files.get("tokenizer_config.json", "{}"))
    templates = tokenizer.get("chat_template") or ""
    if isinstance(templates, list):  # several, by name
        templates = "\n".join(str(item.get("template", "")) for item in templates)
    kind = [name, str(config.get("model_type", "")), *map(str, config.get("architectures") or [])]
    template = f"{templates}{files.get('chat_template.jinja', '')}"
    return Facts(name, path, " ".join(kind).lower(), template, size)


def adapter_rank(folder: Path) -> int:
    """The rank of a LoRA adapter.

    Raises:
        ConfigurationError: the folder is none's.
    """
    file = folder / "adapter_config.json"
    if not file.is_file():
        raise ConfigurationError(f"{folder} is no adapter: it has no adapter_config.json")
    if not any(folder.glob("adapter_model.*")):
        raise ConfigurationError(
            f"{folder} has no weights (adapter_model.safetensors): the copy is not whole"
        )
    config = _object(file, file.read_text(encoding="utf-8"))
    ranks = [config.get("r"), *dict(config.get("rank_pattern") or {}).values()]
    known = [rank for rank in ranks if isinstance(rank, int) and rank > 0]
    if not known:
        raise ConfigurationError(f"{file} names no rank (r): it is no LoRA adapter that can be served")
    return max(known)


def _object(file: Path | str, text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as ex:
        raise ConfigurationError(f"{file} is no JSON ({ex}): the copy or download is not whole") from ex
    return found if isinstance(found, dict) else {}
