"""The base model: a tokenizer and a small Qwen3 that has read the rows' prompts, and none of the answers.

As real base models have read the web: what fine-tuning adds is measured from there. Its chat template shows
the last user turn only and no tools, so that a prompt has some 500 tokens instead of 5,000.
"""

import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from kate_eval.trainers.rendering import Rendered, Renderer
from kate_eval.trainers.row import Row

VOCABULARY = 2048
WIDTH, LAYERS, HEAD = 128, 2, 32
POSITIONS = 8192
MARKS = ("<|pad|>", "<|im_start|>", "<|im_end|>")
TEMPLATE = Path(__file__).with_name("template.jinja")
RATE = 4e-3
TOKENS = 3000
"""Of a training batch, padding included."""
THREADS = min(2, os.cpu_count() or 1)
"""So small a model gains by a second (1.7 times), and not by more."""
LONGEST = 900
"""Rows with more tokens are left out."""


def make_tokenizer(rows: Sequence[Row]) -> Any:
    """A byte-level BPE tokenizer of the rows' questions and answers."""
    import tokenizers
    import transformers

    bpe = tokenizers.Tokenizer(tokenizers.models.BPE())
    bpe.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(MARKS),
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = [str(row.messages[-1].get("content")) for row in rows] + [str(row.completion) for row in rows]
    bpe.train_from_iterator(texts, trainer)
    made = transformers.PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        pad_token=MARKS[0],
        eos_token=MARKS[2],
        model_max_length=POSITIONS,
        clean_up_tokenization_spaces=False,
    )
    made.chat_template = TEMPLATE.read_text(encoding="utf-8")
    return made


def make_model(tokenizer: Any, seed: int) -> Any:
    """An untrained model of some 660,000 parameters."""
    import torch
    import transformers

    torch.manual_seed(seed)
    config = transformers.Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=WIDTH * 11 // 4,
        num_hidden_layers=LAYERS,
        num_attention_heads=WIDTH // HEAD,
        num_key_value_heads=WIDTH // HEAD,
        head_dim=HEAD,
        max_position_embeddings=POSITIONS,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.convert_tokens_to_ids(MARKS[1]),
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return transformers.Qwen3ForCausalLM(config)


def make_base(
    rows: Sequence[Row], folder: Path, steps: int, seed: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """Train the base model and save it.

    Returns:
        What the table says of it: parameters, steps, first and last loss.
    """
    tokenizer = make_tokenizer(rows)
    renderer = Renderer(tokenizer)
    examples = [one for one in map(renderer.row, rows) if len(one.prompt) + len(one.completion) <= LONGEST]
    model = make_model(tokenizer, seed)
    losses = train(model, examples, steps, seed, say)
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)
    tenth = max(1, len(losses) // 10)
    return {
        "parameters": model.num_parameters(),
        "steps": steps,
        "first_loss": sum(losses[:tenth]) / tenth,
        "last_loss": sum(losses[-tenth:]) / tenth,
    }


def train(
    model: Any, examples: Sequence[Rendered], steps: int, seed: int, say: Callable[[str], None]
) -> list[float]:
    """Train on every token of the prompts; the loss by step."""
    import torch

    torch.set_num_threads(THREADS)
    rng = random.Random(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps + 1, pct_start=0.05)
    batches = endless(examples, rng)
    losses: list[float] = []
    began = time.monotonic()
    model.train()
    for step in range(1, steps + 1):
        ids_B_T, mask_B_T, weight_B_T = collate(next(batches))
        logits_B_T_V = model(input_ids=ids_B_T, attention_mask=mask_B_T).logits[:, :-1]
        each_B_T = torch.nn.functional.cross_entropy(
            logits_B_T_V.transpose(1, 2), ids_B_T[:, 1:], reduction="none"
        )
        loss = (each_B_T * weight_B_T[:, 1:]).sum() / weight_B_T[:, 1:].sum()
        losses.append(loss.item())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        if step % max(1, steps // 10) == 0:
            recent = losses[-max(1, steps // 10) :]
            mean, seconds = sum(recent) / len(recent), time.monotonic() - began
            say(f"base, step {step}/{steps}: loss {mean:.2f}, {seconds:.0f} s")
    model.eval()
    return losses


def endless(examples: Sequence[Rendered], rng: random.Random) -> Iterator[list[Rendered]]:
    """Batches of examples of like length, epoch after epoch."""
    while True:
        order = sorted(examples, key=lambda one: len(one.prompt) + len(one.completion) + 60 * rng.random())
        batches: list[list[Rendered]] = [[]]
        for one in order:
            longest = len(one.prompt) + len(one.completion)
            if batches[-1] and longest * (len(batches[-1]) + 1) > TOKENS:
                batches.append([])
            batches[-1].append(one)
        rng.shuffle(batches)
        yield from batches


def collate(batch: Sequence[Rendered]) -> tuple[Any, Any, Any]:
    """Ids, attention mask and weights in the loss, each [B, T]."""
    import torch

    longest = max(len(one.prompt) + len(one.completion) for one in batch)
    ids_B_T = torch.zeros((len(batch), longest), dtype=torch.long)
    mask_B_T = torch.zeros_like(ids_B_T)
    weight_B_T = torch.zeros((len(batch), longest))
    for number, one in enumerate(batch):
        start, end = len(one.prompt), len(one.prompt) + len(one.completion)
        ids_B_T[number, :end] = torch.tensor([*one.prompt, *one.completion])
        mask_B_T[number, :end] = 1
        weight_B_T[number, :start] = 1.0
    return ids_B_T, mask_B_T, weight_B_T
