"""Makes a tiny chat checkpoint that a real server can serve: for tests, and to try a set-up without a model.

A tokenizer and a Qwen3 of about three million parameters are trained on a file of lines for a minute or two
of CPU. Its English is nonsense; it knows how a turn ends, and that a turn may be a tool call. A line may be
a whole conversation, {"messages": [...], "tools": [...]}: such are learned by heart, so that it can play
them. Runs in an environment with torch and transformers (vLLM's has both), not in ours:

python examples/tiny_checkpoint.py lines.txt tiny --steps 300
python -m vllm.entrypoints.openai.api_server --model tiny --enable-auto-tool-choice --tool-call-parser hermes
"""

import argparse
import json
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, TextIO

Message = dict[str, Any]
"""A chat message as the OpenAI API has it."""

VOCABULARY = 4096
START, END, PAD = "<|im_start|>", "<|im_end|>", "<|pad|>"
TOOL_MARKS = ("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>")
POSITIONS = 32768
"""The longest prompt and answer together, in tokens."""
WINDOW, BATCH = 256, 8
"""Tokens of a training sequence, and sequences of a step."""
BEFORE = 192
"""Tokens of the system message's end that a conversation learned by heart keeps."""
PEAK_RATE = 3e-3
CONVERSATIONS = 6000
BY_HEART = 0.75
"""Share of the training sequences that are of conversations to learn by heart, where there are any."""
MIN_LINES = 100
MIN_STEPS = 20
"""The first tenth warms up, in more than one step."""

CHAT_TEMPLATE = Path(__file__).parents[1] / "kate_eval/endpoints/serve/hermes.jinja"


def library(name: str) -> Any:
    """Import a library that our own environment doesn't have.

    Raises:
        SystemExit: it is not installed here.
    """
    try:
        return import_module(name)
    except ImportError as ex:
        raise SystemExit(
            f"Can't import {name} with {sys.executable}: {ex}. Run this script with the Python of an "
            "environment that has vLLM (`kate serve` makes one, and `make test-vllm` .venv-vllm), or "
            "install torch and transformers."
        ) from ex


@dataclass
class Lines:
    """What there is to learn."""

    prose: list[str] = field(default_factory=list)
    calls: list[Message] = field(default_factory=list)
    """As the OpenAI API has them."""
    by_heart: list[dict[str, Any]] = field(default_factory=list)
    """Whole conversations: {"messages": [...], "tools": [...]}."""


def read_lines(file: TextIO) -> Lines:
    """The lines that are prose, calls (JSON with "name" and "arguments") and conversations ("messages").

    Raises:
        SystemExit: there is too little prose to train on.
    """
    found = Lines()
    for line in filter(None, map(str.strip, file)):
        value = as_object(line)
        if isinstance(value.get("messages"), list):
            found.by_heart.append(value)
        elif isinstance(value.get("name"), str) and "arguments" in value:
            call = {"name": value["name"], "arguments": value["arguments"]}
            found.calls.append({"type": "function", "function": call})
        else:
            found.prose.append(line)
    if len(found.prose) < MIN_LINES:
        raise SystemExit(
            f"Found {len(found.prose)} lines of prose, need at least {MIN_LINES}: give a longer text."
        )
    return found


def as_object(line: str) -> dict[str, Any]:
    """A line as a JSON object; an empty one if it is none."""
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def conversations(
    prose: Sequence[str], calls: Sequence[Message], rng: random.Random
) -> Iterator[list[Message]]:
    """Conversations of lines drawn at random: an answer is prose, or a call, its result and prose."""
    for _ in range(CONVERSATIONS):
        messages: list[Message] = []
        if rng.random() < 0.5:
            messages.append({"role": "system", "content": rng.choice(prose)})
        for _ in range(rng.randint(1, 3)):
            messages.append({"role": "user", "content": rng.choice(prose)})
            if calls and rng.random() < 0.6:
                messages.append({"role": "assistant", "content": "", "tool_calls": [rng.choice(calls)]})
                messages.append({"role": "tool", "content": json.dumps({"result": rng.choice(prose)})})
            messages.append({"role": "assistant", "content": rng.choice(prose)})
        yield messages


def make_tokenizer(texts: Sequence[str]) -> Any:
    """A byte-level BPE tokenizer with the chat's marks and template."""
    tokenizers, transformers = library("tokenizers"), library("transformers")
    bpe = tokenizers.Tokenizer(tokenizers.models.BPE())
    bpe.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(TOOL_MARKS),
        special_tokens=[PAD, START, END],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    # Not special: a server leaves special tokens out of its answers, and the parser must see these.
    bpe.add_tokens([tokenizers.AddedToken(mark, special=False, normalized=False) for mark in TOOL_MARKS])
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=[START],
        model_max_length=POSITIONS,
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = CHAT_TEMPLATE.read_text(encoding="utf-8")
    return tokenizer


def make_model(tokenizer: Any, seed: int) -> Any:
    """An untrained Qwen3: two layers, 256 wide, input and output embeddings shared.

    It attends no further back than it is trained to, or long prompts would turn its answers to rubbish.
    """
    transformers = library("transformers")
    library("torch").manual_seed(seed)
    config = transformers.Qwen3Config(
        vocab_size=VOCABULARY,
        hidden_size=256,
        intermediate_size=704,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=64,
        max_position_embeddings=POSITIONS,
        use_sliding_window=True,
        sliding_window=WINDOW,
        max_window_layers=0,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.convert_tokens_to_ids(START),
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return transformers.Qwen3ForCausalLM(config)


def encode(tokenizer: Any, chats: Iterator[list[Message]]) -> Any:
    """All conversations one after the other, as the server will write them: token ids [N]."""
    texts = [tokenizer.apply_chat_template(chat, tokenize=False) for chat in chats]
    ids = [i for row in tokenizer(texts, add_special_tokens=False)["input_ids"] for i in row]
    return library("torch").tensor(ids)


def encode_by_heart(tokenizer: Any, chats: Sequence[dict[str, Any]]) -> Any:
    """Conversations to learn by heart: token ids [M], of each system message only the end.

    The model sees no further back than a window, so the rest of a long one would only cost time.
    """
    ids: list[int] = []
    for chat in chats:
        text = tokenizer.apply_chat_template(
            chat["messages"], tools=chat.get("tools") or None, tokenize=False
        )
        head, user, rest = text.partition(f"{START}user")
        before = tokenizer(head, add_special_tokens=False)["input_ids"][-BEFORE:]
        ids += before + tokenizer(user + rest, add_special_tokens=False)["input_ids"]
    return library("torch").tensor(ids)


def train(model: Any, ids_N: Any, heart_M: Any, steps: int, seed: int) -> None:
    """Train on random windows of both texts, and say every tenth of the way how it goes."""
    torch = library("torch")
    # So small a model gains little from a second thread, and loses much to it where the cores are busy.
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK_RATE, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_RATE, total_steps=steps, pct_start=0.1)
    model.train()
    began = time.monotonic()
    for step in range(1, steps + 1):
        kinds_B = torch.rand(BATCH, generator=generator).tolist()
        by_heart = BY_HEART if len(heart_M) > WINDOW else 0
        texts_B = [heart_M if kind < by_heart else ids_N for kind in kinds_B]
        starts_B = [int(torch.randint(len(ids) - WINDOW, (), generator=generator)) for ids in texts_B]
        ids_B_T = torch.stack(
            [ids[start : start + WINDOW] for ids, start in zip(texts_B, starts_B, strict=True)]
        )
        loss = model(input_ids=ids_B_T, labels=ids_B_T).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        if step % max(1, steps // 10) == 0:
            print(
                f"step {step}/{steps}: loss {loss.item():.2f}, {time.monotonic() - began:.0f} s", flush=True
            )
    model.eval()


def make_checkpoint(lines: TextIO, output: Path, steps: int, seed: int) -> None:
    """Train a checkpoint on the lines and save it to a folder."""
    found = read_lines(lines)
    texts = [*found.prose, *(json.dumps(call["function"]) for call in found.calls)]
    tokenizer = make_tokenizer([*texts, *map(json.dumps, found.by_heart)])
    ids_N = encode(tokenizer, conversations(found.prose, found.calls, random.Random(seed)))
    heart_M = encode_by_heart(tokenizer, found.by_heart)
    model = make_model(tokenizer, seed)
    print(
        f"{len(found.prose)} lines, {len(found.calls)} calls, {len(found.by_heart)} conversations, "
        f"{len(ids_N)} and {len(heart_M)} tokens, {model.num_parameters()} parameters"
    )
    train(model, ids_N, heart_M, steps, seed)
    tokenizer.save_pretrained(output)
    model.save_pretrained(output)


def parse_arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("text", metavar="TEXT_FILE", type=Path, help="lines to train on; -: standard input")
    parser.add_argument("output", metavar="OUTPUT", type=Path, help="folder to write the checkpoint to")
    parser.add_argument("--steps", type=int, default=300, help="training steps (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    arguments = parser.parse_args()
    if arguments.steps < MIN_STEPS:
        parser.error(f"--steps {arguments.steps}: give at least {MIN_STEPS}")
    return arguments


def main() -> None:
    """Make the checkpoint that the command line asks for."""
    arguments = parse_arguments()
    if str(arguments.text) == "-":
        make_checkpoint(sys.stdin, arguments.output, arguments.steps, arguments.seed)
        return
    try:
        with arguments.text.open(encoding="utf-8") as file:
            make_checkpoint(file, arguments.output, arguments.steps, arguments.seed)
    except FileNotFoundError as ex:
        raise SystemExit(f"No file {arguments.text}: give a text file, one sentence or call a line.") from ex


if __name__ == "__main__":
    main()
