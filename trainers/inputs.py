"""What a run is given, checked before torch is loaded or installed: a typo costs a second.

What a base's files hold is transformers' to read; here only what is plainly missing is told.
"""

import hashlib
import json
from pathlib import Path

from kate_eval.errors import TrainingError
from kate_eval.trainers.checkpoint.adapter import ADAPTER, adapted_by
from kate_eval.trainers.checkpoint.card import CARD, load_card
from kate_eval.trainers.rendering import TEMPLATES, no_template
from kate_eval.trainers.room import require_room
from kate_eval.trainers.rows.folder import read_card
from kate_eval.trainers.run_parameters import RunParameters

CONFIG = "config.json"
TOKENIZER = "tokenizer_config.json"
OURS = f"one of ours: {', '.join(TEMPLATES)}"
_TEMPLATE_FILES = ("chat_template.jinja", "chat_template.json", "additional_chat_templates")
_WANTED = "Give a hub name, or a folder with config.json, weights and tokenizer"


def check_inputs(parameters: RunParameters) -> None:
    """Check that rows, base and template are there and fit, as far as that needs no model.

    Raises:
        RowsError: the rows are missing, or of another schema.
        TrainingError: base, card or template can't be used, or something is in the output's place.
    """
    p = parameters
    if p.merge and not p.lora:
        raise TrainingError("--merge puts an adapter into its base: it needs --lora")
    _require_place(p.output)
    read_card(p.rows)
    check_base(p.base)
    if p.chat_template is not None:
        read_template(p.chat_template)
    elif _has_no_template(Path(p.base)):
        raise TrainingError(no_template(p.base))
    _require_same_arguments(p)


def _require_place(output: Path) -> None:
    """A checkpoint takes the place of one that is there, with all that is in its folder; of nothing else."""
    if not (output / CARD).is_file():
        require_room(output, own="")
        return
    try:
        load_card(output)
    except TrainingError as ex:
        raise TrainingError(
            f"{output} holds no checkpoint but something else with a {CARD} (rows, a bank, another version's "
            "checkpoint): choose another -o, or remove it"
        ) from ex


def check_base(base: str) -> None:
    """Check that a base model is there, if it is a folder.

    Raises:
        TrainingError: it isn't, or it holds no model.
    """
    folder = Path(base)
    if not folder.exists():
        if _is_path(base):
            beside = ", ".join(_checkpoints(folder.parent)) or "no checkpoint"
            raise TrainingError(f"No folder {base}; beside it: {beside}. {_WANTED}")
        return
    if not folder.is_dir():
        raise TrainingError(f"{base} is a file. {_WANTED}")
    adapts = adapted_by(base)
    if adapts is not None:
        try:
            check_base(adapts)
        except TrainingError as ex:
            raise TrainingError(f"The model that {folder / ADAPTER} adapts: {ex}") from ex
    elif not (folder / CONFIG).is_file():
        raise TrainingError(f"{base} holds no model: neither {CONFIG} nor {ADAPTER} is there. {_WANTED}")


def _is_path(base: str) -> bool:
    """Whether it can only be a folder: a hub name is NAME or OWNER/NAME, and no folder of checkpoints."""
    pathlike = base.startswith((".", "/", "~")) or base.endswith("/") or base.count("/") > 1
    return pathlike or ("/" in base and bool(_checkpoints(Path(base).parent)))


def _checkpoints(folder: Path) -> list[str]:
    """Names of checkpoints of ours in a folder."""
    return sorted(card.parent.name for card in folder.glob(f"*/{CARD}") if _is_checkpoint(card.parent))


def _is_checkpoint(folder: Path) -> bool:
    """Rows and banks have a card, too."""
    try:
        load_card(folder)
    except TrainingError:
        return False
    return True


def _has_no_template(folder: Path) -> bool:
    """Whether a folder's tokenizer surely has no chat template."""
    file = folder / TOKENIZER
    if not file.is_file() or any((folder / name).exists() for name in _TEMPLATE_FILES):
        return False
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as ex:
        raise TrainingError(f"{file} is no JSON: {ex}. Copy the model again") from ex
    return isinstance(told, dict) and not told.get("chat_template")


def read_template(name: str) -> str:
    """The text of a chat template.

    Args:
        name: of a file, or of one of ours.

    Raises:
        TrainingError: there is none, or it is no text.
    """
    if name in TEMPLATES:
        return TEMPLATES[name].read_text(encoding="utf-8")
    try:
        text = Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as ex:
        raise TrainingError(f"Can't read the chat template {name}: {ex}. Give a file, or {OURS}") from ex
    if not text.strip():
        raise TrainingError(f"The chat template {name} is empty. Give a file, or {OURS}")
    return text


def template_identity(name: str | None) -> str | None:
    """A template by what it says, wherever its file is."""
    if name is None:
        return None
    return f"text {hashlib.sha256(read_template(name).encode()).hexdigest()[:16]}"


def _require_same_arguments(parameters: RunParameters) -> None:
    """A checkpoint of ours knows prompts that the template wrote with the arguments of its own training."""
    if not (Path(parameters.base) / CARD).is_file():
        return
    before = load_card(Path(parameters.base)).renderer.get("template_args") or {}
    if before != parameters.template_args:
        raise TrainingError(
            f"{parameters.base} was trained with the template's arguments {json.dumps(before)}, and this run "
            f"has {json.dumps(parameters.template_args)}: its prompts would be others. Give --template-args "
            f"'{json.dumps(before)}'"
        )
