"""Runs of a few steps on a tiny model: what is learnt, saved, loaded again, refused."""

import math
import shutil
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from kate_eval.errors import TrainingError
from kate_eval.trainers.base_model import identity
from kate_eval.trainers.checkpoint import load_card
from kate_eval.trainers.outcome import Outcome
from kate_eval.trainers.rows.folder import save_rows
from kate_eval.trainers.run import Run
from kate_eval.trainers.sft.parameters import SftParameters
from kate_eval.trainers.sft.train import train_sft
from tests.trainers import tiny

pytestmark = pytest.mark.train
Make = Callable[..., SftParameters]


def silent(line: str) -> None:
    """Nobody listens."""


def run(parameters: SftParameters, restart: bool = False) -> Outcome:
    """A run to its end."""
    return train_sft(parameters, silent, restart)


def saved(parameters: SftParameters) -> Any:
    """The saved model."""
    return import_module("transformers").AutoModelForCausalLM.from_pretrained(parameters.output)


@pytest.fixture(scope="module")
def full(base: Path, rows: Path, tmp_path_factory: pytest.TempPathFactory) -> SftParameters:
    """Of a run of all weights that has come to its end."""
    output = tmp_path_factory.mktemp("full") / "out"
    made = SftParameters(
        rows=rows,
        base=str(base),
        output=output,
        device="cpu",
        threads=1,
        batch_size=4,
        accumulation=1,
        max_steps=30,
        learning_rate=1e-2,
        eval_steps=10,
        exact_rows=2,
        exact_tokens=8,
    )
    run(made)
    return made


def test_the_loss_falls_and_the_card_says_how(full: SftParameters) -> None:
    card = load_card(full.output)
    assert (card.trainer, card.kind, card.steps, card.base, card.root) == (
        "sft",
        "full",
        30,
        full.base,
        full.base,
    )
    losses = [value for _, value in card.curves["loss"]]
    assert len(losses) == 30 and losses[-1] < losses[0] / 2
    assert [step for step, _ in card.curves["eval_loss"]] == [0, 10, 20, 30]
    assert card.evaluation["loss"] == card.curves["eval_loss"][-1][1] < card.curves["eval_loss"][0][1]
    assert card.evaluation["exact_call_n"] == 2 and card.evaluation["rows"] == 3
    assert card.rows_hash and card.rows["used"]["rows"] == 12 and card.config["learning_rate"] == 1e-2
    assert card.renderer["template_hash"] and card.versions["trl"] and card.hardware["seconds"] >= 0


def test_a_checkpoint_is_a_hugging_face_folder(full: SftParameters) -> None:
    tokenizer = import_module("transformers").AutoTokenizer.from_pretrained(full.output)
    assert tokenizer.chat_template == tiny.tokenizer().chat_template
    assert saved(full).num_parameters() > 20_000
    assert (full.output / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert f"base_model: {full.base!r}".replace("'", '"') in (full.output / "README.md").read_text()
    assert list(Run.of(full.output).folder.glob("tensorboard/events.*"))


def test_a_finished_run_is_not_trained_again(full: SftParameters) -> None:
    before = (full.output / "model.safetensors").stat().st_mtime_ns
    assert run(full).card == load_card(full.output)
    assert (full.output / "model.safetensors").stat().st_mtime_ns == before
    assert not Run.of(full.output).states()


def test_a_checkpoint_is_trained_on_with_the_same_prompts(full: SftParameters, parameters: Make) -> None:
    given = parameters(base=str(full.output), template_args={"enable_thinking": False}, exact_rows=0)
    with pytest.raises(
        TrainingError, match=r"trained with the template's arguments \{\}.*--template-args '\{\}'"
    ):
        run(given)


def test_a_finished_adapter_is_not_taken_for_a_merged_one(parameters: Make) -> None:
    adapter = parameters(lora=True, max_steps=1, exact_rows=0)
    run(adapter)
    with pytest.raises(TrainingError, match=r"already, of kind adapter, and full is wanted.*--restart"):
        run(adapter.model_copy(update={"merge": True}))


def test_a_base_that_was_trained_again_is_another(full: SftParameters, parameters: Make) -> None:
    """Its files have the same names and sizes."""
    first = parameters(max_steps=3, exact_rows=0, output=full.output.with_name("sft"))
    second = parameters(max_steps=1, exact_rows=0, base=str(first.output))
    run(first)
    run(second)
    run(first.model_copy(update={"learning_rate": 1e-2}), restart=True)
    with pytest.raises(TrainingError, match=r"other parameters \(base: 'weights .*--restart"):
        run(second)


def test_a_folder_of_others_is_known_by_its_weights(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    found = set()
    for place in (0, 40_000_000, 79_999_999):
        with file.open("wb") as stream:
            stream.truncate(80_000_000)
            stream.seek(place)
            stream.write(b"1" * (80_000_000 - place))
        found.add(identity(str(tmp_path)))
    assert len(found) == 3 and identity("hub/name") == "hub/name"


def test_a_checkpoint_can_be_the_next_base(full: SftParameters, parameters: Make) -> None:
    card = run(parameters(base=str(full.output), max_steps=1, exact_rows=0)).card
    assert card and card.base == str(full.output) and card.root == full.base
    assert card.stages == (f"sft:{card.rows_hash}",)


def test_an_adapter_loads_and_merges_to_the_same(base: Path, parameters: Make) -> None:
    torch, peft = import_module("torch"), import_module("peft")
    adapter = parameters(lora=True, learning_rate=1e-2, lora_dropout=0.1, exact_rows=0)
    merged = adapter.model_copy(update={"merge": True, "output": adapter.output.with_name("merged")})
    cards = [run(p).card for p in (adapter, merged)]
    assert [card.kind for card in cards if card] == ["adapter", "full"]
    plain = import_module("transformers").AutoModelForCausalLM.from_pretrained(base)
    whole = saved(merged)
    adapted = peft.PeftModel.from_pretrained(plain, adapter.output)
    ids = torch.tensor([[1, 5, 9, 40]])
    with torch.no_grad():
        assert torch.allclose(adapted(ids).logits, whole(ids).logits, atol=1e-5)
        with adapted.disable_adapter():
            assert not torch.allclose(adapted(ids).logits, whole(ids).logits, atol=1e-3)


def test_an_adapter_is_trained_on(base: Path, parameters: Make, tmp_path: Path) -> None:
    """It stays an adapter of the same model; training all weights begins from both."""
    torch, peft = import_module("torch"), import_module("peft")
    first = parameters(lora=True, lora_rank=4, learning_rate=1e-2, exact_rows=0)
    second = first.model_copy(update={"base": str(first.output), "output": tmp_path / "second"})
    third = second.model_copy(update={"lora": False, "output": tmp_path / "third", "learning_rate": 1e-9})
    cards = [run(p).card for p in (first, second, third)]
    assert [card.adapts for card in cards if card] == [str(base), str(base), ""]
    assert {card.root for card in cards if card} == {str(base)}
    ids, logits = torch.tensor([[1, 5, 9, 40]]), []
    with torch.no_grad():
        for given in (first, second):
            model = peft.AutoPeftModelForCausalLM.from_pretrained(given.output)
            assert model.peft_config["default"].r == 4
            logits.append(model(ids).logits)
        whole = saved(third)(ids).logits
    assert not torch.allclose(logits[0], logits[1], atol=1e-3)
    assert torch.allclose(logits[0], whole, atol=1e-4)


def test_rows_beyond_the_length_are_left_out_and_counted(rows: Path, parameters: Make) -> None:
    lines: list[str] = []
    shortest = parameters(max_length=384, max_steps=1, exact_rows=0)
    card = train_sft(shortest, lines.append).card
    assert card and 0 < card.rows["used"]["left_out"] < 12
    assert card.rows["used"]["rows"] + card.rows["used"]["left_out"] == 12
    assert any(f"{card.rows['used']['left_out']} left out, longer than 384 (up to " in line for line in lines)
    with pytest.raises(TrainingError, match=r"All 12 rows are longer than 9 tokens \(the longest has \d+\)"):
        run(parameters(max_length=9), restart=True)
    with pytest.raises(TrainingError, match="--max-length 1000 is more than the model's context of 512"):
        run(parameters(max_length=1000), restart=True)


def test_a_run_of_other_parameters_is_not_gone_on_with(parameters: Make) -> None:
    there = Run.of(parameters().output)
    there.begin({**parameters().identity(), "rows": "x", "base": "y"})
    (there.folder / "checkpoint-1").mkdir()
    there.mark(1)
    with pytest.raises(TrainingError, match=r"other parameters .*learning_rate: 0.001, now 0.002.*--restart"):
        run(parameters(learning_rate=2e-3))


def test_no_loss_names_the_rows_of_its_batch(rows: Path, tmp_path: Path, parameters: Make) -> None:
    torch = import_module("torch")
    made = [tiny.row(1), tiny.row(2, "~"), tiny.row(3)]
    (tmp_path / "rows").mkdir()
    save_rows(tmp_path / "rows", made, [], tiny.CARD)
    tokenizer, model = tiny.tokenizer(), tiny.model(tiny.tokenizer(), tied=False)
    with torch.no_grad():
        model.get_input_embeddings().weight[tokenizer("~")["input_ids"][0]] = math.nan
    for part in (tokenizer, model):
        part.save_pretrained(tmp_path / "base")
    given = parameters(rows=tmp_path / "rows", base=str(tmp_path / "base"), batch_size=1, accumulation=3)
    with pytest.raises(TrainingError, match=r"loss is nan at step 1, on the rows entry_2/0/0/step\. "):
        run(given)
    assert not given.output.exists()


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"precision": "bf16"}, r"precision bf16 needs an NVIDIA GPU.*--precision fp32"),
        ({"device": "cuda"}, r"device cuda needs an NVIDIA GPU.*--device cpu"),
        ({"attention": "flash_attention_2"}, r"flash_attention_2 needs an NVIDIA GPU.*--attention sdpa"),
    ],
)
def test_what_needs_a_gpu_is_refused_without_one(parameters: Make, asked: Any, message: str) -> None:
    if import_module("torch").cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(TrainingError, match=message):
        run(parameters(**{"device": "auto", **asked}))


def test_a_base_that_is_none_is_refused(parameters: Make, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"holds no model: .*folder with config\.json"):
        run(parameters(base=str(tmp_path)))


def test_a_base_without_a_template_takes_ours(base: Path, parameters: Make, tmp_path: Path) -> None:
    bare = shutil.copytree(base, tmp_path / "bare")
    (bare / "chat_template.jinja").unlink()
    given = parameters(base=str(bare), max_steps=1, exact_rows=0)
    with pytest.raises(TrainingError, match=r"has no chat template.*--chat-template"):
        run(given)
    card = run(given.model_copy(update={"chat_template": "hermes"}), restart=True).card
    assert card and (given.output / "chat_template.jinja").is_file()


def test_rows_of_test_entries_are_never_learnt_in_silence(parameters: Make, tmp_path: Path) -> None:
    made = list(tiny.rows(4))
    (tmp_path / "rows").mkdir()
    save_rows(tmp_path / "rows", made, [], tiny.CARD.model_copy(update={"leaked": True}))
    lines: list[str] = []
    given = parameters(rows=tmp_path / "rows", max_steps=1)
    outcome = train_sft(given, lines.append)
    assert lines[0].startswith("LEAKED: trained on entries of the test half of bfcl")
    assert outcome.card is not None and outcome.card.leaked == ("bfcl",)
    again = train_sft(parameters(base=str(given.output), max_steps=1, output=tmp_path / "two"), lines.append)
    assert again.card is not None and again.card.leaked == ("bfcl",)


def test_a_base_with_broken_files_is_refused_in_a_line(base: Path, parameters: Make, tmp_path: Path) -> None:
    broken = shutil.copytree(base, tmp_path / "broken")
    (broken / "model.safetensors").write_bytes((base / "model.safetensors").read_bytes()[:1000])
    with pytest.raises(TrainingError, match=r"Can't load the model of .*broken: .*\. Give a hub name"):
        run(parameters(base=str(broken)))
    adapter = shutil.copytree(base, tmp_path / "adapter")
    (adapter / "adapter_config.json").write_text(f'{{"base_model_name_or_path": "{base}"}}')
    with pytest.raises(TrainingError, match=r"Can't load the adapter of .*adapter: .*\. Give a hub name"):
        run(parameters(base=str(adapter)), restart=True)
