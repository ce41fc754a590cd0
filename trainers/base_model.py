"""The model that is trained: its tokenizer, its weights, its adapter."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kate_eval.errors import TrainingError, one_line
from kate_eval.trainers.checkpoint.adapter import adapted_by
from kate_eval.trainers.checkpoint.card import CARD, load_card
from kate_eval.trainers.inputs import read_template
from kate_eval.trainers.machine import Machine, as_dtype
from kate_eval.trainers.rendering import Renderer

SLICES, SLICE = 32, 2**16
"""How much of a large file tells it from another: so many slices, of so many bytes."""


def load_renderer(
    base: str,
    chat_template: str | None = None,
    template_args: Mapping[str, Any] | None = None,
    eos_token: str | None = None,
) -> Renderer:
    """The base model's tokenizer, ready to render chats.

    Args:
        base: a hub name or a folder.
        chat_template: a file, or the name of one of ours; by default the tokenizer's own.
        template_args: given to the template.
        eos_token: ends a turn, where it isn't the tokenizer's own.

    Raises:
        TrainingError: there is no such model, template or token.
    """
    import transformers

    tokenizer = _loaded("tokenizer", base, transformers.AutoTokenizer)
    if chat_template is not None:
        tokenizer.chat_template = read_template(chat_template)
    if eos_token is not None:
        if eos_token not in tokenizer.get_vocab():
            raise TrainingError(f"--eos-token {eos_token!r} is no token of {base}")
        tokenizer.eos_token = eos_token
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return Renderer(tokenizer, template_args, stop_ids(adapted_by(base) or base))


def stop_ids(base: str) -> list[int]:
    """The ids that end a turn by the model's generation configuration, if it has one."""
    import transformers

    try:
        ids = transformers.GenerationConfig.from_pretrained(base).eos_token_id
    except OSError:
        return []
    return ids if isinstance(ids, list) else [ids] if ids is not None else []


def load_model(base: str, machine: Machine, lora: bool) -> Any:
    """The base model's weights.

    An adapter of ours is trained on where one is to be trained, so that the result still fits the model it
    adapts; else it is merged into that.

    Args:
        base: a hub name or a folder.
        machine: type of the weights, attention.
        lora: whether an adapter is to be trained.

    Raises:
        TrainingError: there is no such model, or it can't be loaded so.
    """
    import transformers

    options: dict[str, Any] = {"dtype": as_dtype(machine.weights)}
    if machine.attention is not None:
        options["attn_implementation"] = machine.attention
    if adapted_by(base) is None:
        # An adapter remembers where its base is, from wherever it is loaded.
        place = str(Path(base).resolve()) if Path(base).is_dir() else base
        return _loaded("model", place, transformers.AutoModelForCausalLM, **options)
    import peft

    model = _loaded("adapter", base, peft.AutoPeftModelForCausalLM, is_trainable=lora, **options)
    # The adapter had frozen the rest.
    return model if lora else model.merge_and_unload().requires_grad_(True)


def _loaded(what: str, base: str, kind: Any, **options: Any) -> Any:
    try:
        return kind.from_pretrained(base, **options)
    except Exception as ex:  # a broken configuration or weight file raises whatever its reader trips over
        said = one_line(ex)[:400] or "no reason given"
        raise TrainingError(
            f"Can't load the {what} of {base}: {type(ex).__name__}: {said}. Give a hub name that this "
            "machine can reach (or has in its cache), or a folder with config.json, weights and tokenizer"
        ) from ex


def adapter(rank: int, alpha: int, dropout: float) -> Any:
    """A LoRA configuration: every linear layer but the output's."""
    import peft

    return peft.LoraConfig(
        r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules="all-linear", task_type="CAUSAL_LM"
    )


def context(model: Any) -> int | None:
    """The most tokens that a model takes, if its configuration says so."""
    return getattr(model.config.get_text_config(), "max_position_embeddings", None)


def identity(base: str) -> str:
    """A base model without reading all of it, if it can be.

    A hub name stands for itself, a checkpoint of ours for its weights, as its card has their hash; of another
    folder the files' names and sizes count, and slices of what is in them.
    """
    folder = Path(base)
    if not folder.is_dir():
        return base
    if (folder / CARD).is_file():
        return f"weights {load_card(folder).weights_hash}"
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*")):
        if file.suffix in (".safetensors", ".bin", ".json", ".jinja"):
            digest.update(f"{file.name}\0{file.stat().st_size}\0".encode())
            for part in _slices(file):
                digest.update(part)
    return f"folder {digest.hexdigest()[:16]}"


def _slices(file: Path) -> Iterator[bytes]:
    """A small file whole, of a large one slices at even distances: training changes all of the weights."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        for number in range(SLICES):
            stream.seek(max(number * SLICE, number * size // SLICES))
            yield stream.read(SLICE)
