"""What a folder holds that is to be scored, and the servers that serve it and its base.

An adapter and its base are served by one server; a model with all its weights and its base, one after
the other.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path

from kate_eval.errors import ConfigurationError
from kate_eval.report.runs import LEAKED_FACT
from kate_eval.trainers.checkpoint import CheckpointCard, load_card
from kate_eval.trainers.checkpoint.adapter import ADAPTER, adapted_by
from kate_eval.trainers.checkpoint.card import CARD
from kate_eval.trainers.checkpoint.folder import weights_hash

CONFIG, TEMPLATE = "config.json", "chat_template.jinja"


@dataclass(frozen=True)
class Checkpoint:
    """A trained model on disk.

    Attributes:
        folder: where it is.
        base: what it was trained on, or of an adapter what it changes: a hub name or a folder; None where
            nothing tells.
        adapter: whether it is a LoRA adapter of the base.
        card: how it came to be; None for a model that isn't of ours.
        hash: of its weights.
    """

    folder: Path
    base: str | None
    adapter: bool
    card: CheckpointCard | None
    hash: str

    @property
    def name(self) -> str:
        """As it is served."""
        return self.folder.name


@dataclass(frozen=True)
class Service:
    """One server with the models that are asked of it.

    Attributes:
        model: whose weights it loads: a hub name or a folder.
        served: the name it has there.
        adapters: folders of adapters it serves beside it.
        plays: names of the models that play, and what their names don't say about them.
        flags: vLLM's, by which its prompts are those that the checkpoint was trained on.
    """

    model: str
    served: str
    adapters: tuple[Path, ...]
    plays: dict[str, dict[str, str]]
    flags: tuple[str, ...] = ()


def read_checkpoint(folder: Path) -> Checkpoint:
    """What a folder holds.

    Raises:
        ConfigurationError: no model and no adapter.
        TrainingError: its card can't be read, or an adapter names no model.
    """
    folder = folder.expanduser().resolve()
    adapter = (folder / ADAPTER).is_file() and not (folder / CONFIG).is_file()
    if not adapter and not (folder / CONFIG).is_file():
        raise ConfigurationError(
            f"{folder} holds no model: neither {CONFIG} nor {ADAPTER} is there. "
            "Train one: kate train sft --help"
        )
    card = load_card(folder) if (folder / CARD).is_file() else None
    base = ((card.adapts if adapter else "") or card.base) if card is not None else None
    if adapter and base is None:
        base = adapted_by(str(folder))
    return Checkpoint(folder, base, adapter, card, weights_hash(folder))


def services(checkpoint: Checkpoint, beside_base: bool) -> list[Service]:
    """The servers to start, one after the other; the base is shown what the checkpoint is.

    Args:
        checkpoint: that is to be scored.
        beside_base: whether its base plays too.
    """
    return [replace(one, flags=template_flags(checkpoint)) for one in _services(checkpoint, beside_base)]


def template_flags(checkpoint: Checkpoint) -> tuple[str, ...]:
    """The template arguments that it was trained with, and its template where that was given to it."""
    card = checkpoint.card
    if card is None:
        return ()
    arguments = card.renderer.get("template_args")
    flags: tuple[str, ...] = ()
    if arguments:
        flags = ("--default-chat-template-kwargs", json.dumps(arguments))
    file = checkpoint.folder / TEMPLATE
    if card.config.get("chat_template") and file.is_file():
        flags += ("--chat-template", str(file))
    return flags


def _services(checkpoint: Checkpoint, beside_base: bool) -> list[Service]:
    own = {checkpoint.name: facts(checkpoint)}
    base = checkpoint.base if beside_base else None
    if checkpoint.adapter:
        assert checkpoint.base is not None
        served = _distinct(checkpoint.base, checkpoint.name)
        plays = ({served: _base_facts(base)} if base else {}) | own
        return [Service(_place(checkpoint.base), served, (checkpoint.folder,), plays)]
    found = [Service(str(checkpoint.folder), checkpoint.name, (), own)]
    if base is not None:
        found.insert(0, _base_service(base, checkpoint.name))
    return found


def _base_service(base: str, other: str) -> Service:
    """The server of a base that has one of its own; an adapter is served with the model that it adapts."""
    folder = Path(base).expanduser()
    if not (folder / ADAPTER).is_file() or (folder / CONFIG).is_file():
        served = _distinct(base, other)
        return Service(_place(base), served, (), {served: _base_facts(base)})
    adapter = read_checkpoint(folder)
    assert adapter.base is not None
    if adapter.name == other:
        raise ConfigurationError(
            f"The checkpoint and the adapter it was trained on, {adapter.folder}, are both named {other}, "
            "and a server gives an adapter its folder's name: rename one of the folders, or give --no-base"
        )
    served = _distinct(adapter.base, adapter.name)
    return Service(_place(adapter.base), served, (adapter.folder,), {adapter.name: _base_facts(base)})


def _base_facts(base: str) -> dict[str, str]:
    """A folder's weights may be others later, a hub name's not."""
    folder = Path(base).expanduser()
    told = {"weights": (weights_hash(folder) if folder.is_dir() else "") or "base"}
    return told | _leaked(load_card(folder) if (folder / CARD).is_file() else None)


def facts(checkpoint: Checkpoint) -> dict[str, str]:
    """What a log must say about a checkpoint beside its name."""
    card = checkpoint.card
    told = {"weights": checkpoint.hash}
    if card is not None:
        told |= {"trainer": card.trainer, "base": card.base, "rows": card.rows_hash}
    return told | _leaked(card)


def _leaked(card: CheckpointCard | None) -> dict[str, str]:
    """By this the report flags the rows of a model that was trained on test entries."""
    return {LEAKED_FACT: ",".join(card.leaked)} if card is not None and card.leaked else {}


def _place(base: str) -> str:
    """A folder in full: a checkpoint keeps its base as it was given."""
    path = Path(base).expanduser()
    return str(path.resolve()) if path.is_dir() else base


def _distinct(base: str, other: str) -> str:
    """The name that a base is served under; another one than the checkpoint's."""
    name = Path(base).name if Path(base).expanduser().is_dir() else base
    return f"base-{name}" if name == other else name
