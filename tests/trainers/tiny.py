"""Models small enough to train in seconds, of random weights; their tokenizer knows bytes and marks."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from kate_eval.trainers.rendering import TEMPLATES
from kate_eval.trainers.row import Row
from kate_eval.trainers.rows.card import RowsCard
from kate_eval.trainers.rows.folder import save_rows

MARKS = ("<|pad|>", "<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>")
THINKING = Path(__file__).parent / "thinking.jinja"
POSITIONS = 512
CARD = RowsCard(benchmark="bfcl", split="train", mode="fc", data_hash="0", engine="none", license="none")


def tokenizer(template: str | None = None) -> Any:
    """A byte-level tokenizer with a chat template (by default hermes, of ours)."""
    tokenizers, transformers = import_module("tokenizers"), import_module("transformers")
    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {mark: number for number, mark in enumerate([*MARKS, *alphabet])}
    bpe = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=vocabulary, merges=[]))
    bpe.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = tokenizers.decoders.ByteLevel()
    bpe.add_special_tokens(list(MARKS[:3]))
    bpe.add_tokens([tokenizers.AddedToken(mark, special=False, normalized=False) for mark in MARKS[3:]])
    made = transformers.PreTrainedTokenizerFast(
        tokenizer_object=bpe, eos_token=MARKS[2], pad_token=MARKS[0], clean_up_tokenization_spaces=False
    )
    made.chat_template = TEMPLATES["hermes"].read_text(encoding="utf-8") if template is None else template
    return made


def learnt_tokenizer(texts: Sequence[str], size: int = 1500) -> Any:
    """A tokenizer that has pieces of these texts, for prompts as long as a benchmark's."""
    tokenizers, transformers = import_module("tokenizers"), import_module("transformers")
    bpe = tokenizers.Tokenizer(tokenizers.models.BPE())
    bpe.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = tokenizers.decoders.ByteLevel()
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=size, special_tokens=list(MARKS[:3]), initial_alphabet=alphabet, show_progress=False
    )
    bpe.train_from_iterator(texts, trainer)
    bpe.add_tokens([tokenizers.AddedToken(mark, special=False, normalized=False) for mark in MARKS[3:]])
    made = transformers.PreTrainedTokenizerFast(
        tokenizer_object=bpe, eos_token=MARKS[2], pad_token=MARKS[0], clean_up_tokenization_spaces=False
    )
    made.chat_template = TEMPLATES["hermes"].read_text(encoding="utf-8")
    return made


def model(tokenizer: Any, seed: int = 0, positions: int = POSITIONS, tied: bool = True) -> Any:
    """An untrained Qwen3 of about 25,000 parameters."""
    torch, transformers = import_module("torch"), import_module("transformers")
    torch.manual_seed(seed)
    config = transformers.Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        max_position_embeddings=positions,
        tie_word_embeddings=tied,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return transformers.Qwen3ForCausalLM(config)


def base(folder: Path, template: str | None = None, positions: int = POSITIONS) -> Path:
    """A folder with a tiny base model."""
    made = tokenizer(template)
    made.save_pretrained(folder)
    model(made, positions=positions).save_pretrained(folder)
    return folder


TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "mkdir",
        "description": "Make a folder.",
        "parameters": {"type": "object", "properties": {"dir": {"type": "string"}}, "required": ["dir"]},
    },
}


def call(name: str, arguments: str) -> dict[str, Any]:
    """A tool call as the API has it."""
    return {"id": "call_0", "type": "function", "function": {"name": name, "arguments": arguments}}


def row(number: int, asked: str = "", answer: str | None = None) -> Row:
    """A row that asks for a folder; without an answer, the right one is a call."""
    name = "abcdefgh"[number % 8] * (1 + number // 8 % 3)
    called = {"tool_calls": [call("mkdir", f'{{"dir": "{name}"}}')]} if answer is None else {}
    return Row(
        id=f"entry_{number}/0/0/step",
        benchmark="bfcl",
        entry=f"entry_{number}",
        cluster=f"cluster_{number}",
        turn=0,
        step=0,
        mode="fc",
        messages=({"role": "user", "content": asked or f"Make {name}."},),
        tools=(TOOL,),
        completion={"role": "assistant", "content": answer or "", **called},
    )


def folder_of(row: Row) -> str:
    """The folder that a row's answer makes."""
    return str(row.calls[0].arguments["dir"])


def rows(count: int) -> Sequence[Row]:
    """Rows that differ."""
    return [row(number) for number in range(count)]


def saved_rows(folder: Path, learnt: int, held_out: int) -> Path:
    """A folder of so many rows."""
    made = list(rows(learnt + held_out))
    folder.mkdir(parents=True, exist_ok=True)
    save_rows(folder, made[:learnt], made[learnt:], CARD)
    return folder
