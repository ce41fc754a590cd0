"""What a run is given: a typo or a broken file is a line, before torch is loaded or installed."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from kate_eval.cli import main
from kate_eval.errors import TrainingError
from kate_eval.trainers.checkpoint import CheckpointCard
from kate_eval.trainers.checkpoint.adapter import adapted_by
from kate_eval.trainers.inputs import check_base, check_inputs, template_identity
from kate_eval.trainers.outcome import identity_of
from kate_eval.trainers.rows.folder import load_rows
from kate_eval.trainers.run import Run, has_ended
from kate_eval.trainers.run_parameters import RunParameters
from tests.trainers import tiny

Make = Callable[..., RunParameters]


@pytest.fixture
def given(tmp_path: Path) -> Make:
    """Makes parameters of rows and a base that are there, as far as anything but transformers looks."""
    tiny.saved_rows(tmp_path / "rows", learnt=2, held_out=0)
    model = tmp_path / "models" / "tiny"
    model.mkdir(parents=True)
    (model / "config.json").write_text("{}")
    (model / "tokenizer_config.json").write_text('{"chat_template": "{{ messages }}"}')

    def make(**fields: object) -> RunParameters:
        values = {"rows": tmp_path / "rows", "base": str(model), "output": tmp_path / "out"}
        return RunParameters.model_validate({**values, **fields})

    return make


def test_what_is_there_passes(given: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # where rows are, which have a card as checkpoints do
    check_inputs(given(base="gpt2"))
    check_inputs(given())
    check_inputs(given(base="Qwen/Qwen3-8B"))
    check_inputs(given(chat_template="hermes"))


@pytest.mark.parametrize(
    ("base", "said"),
    [
        ("/nowhere/model", r"No folder /nowhere/model; beside it: no checkpoint\. Give a hub name"),
        ("checkpoints/stf", "No folder checkpoints/stf; beside it: sft"),
        ("models", r"models holds no model: neither config\.json nor adapter_config\.json"),
        ("file", "file is a file"),
    ],
)
def test_a_base_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, base: str, said: str
) -> None:
    (tmp_path / "checkpoints/sft").mkdir(parents=True)
    card = CheckpointCard(trainer="sft", kind="full", base="b", root="b", rows_hash="r0", steps=1)
    (tmp_path / "checkpoints/sft/card.json").write_text(card.model_dump_json())
    (tmp_path / "models").mkdir()
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TrainingError, match=said):
        check_base(base)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is no JSON"),
        ("[]", "names no base model: add base_model_name_or_path"),
        ('{"base_model_name_or_path": null}', "names no base model"),
        ('{"base_model_name_or_path": "/gone/model"}', r"adapts: No folder /gone/model"),
    ],
)
def test_an_adapter_s_broken_configuration(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "adapter_config.json").write_text(text)
    with pytest.raises(TrainingError, match=said):
        check_base(str(tmp_path))
    assert adapted_by(str(tmp_path / "none")) is None


def test_a_template_that_is_none(given: Make, tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\xff")
    (tmp_path / "empty").touch()
    for name, said in (
        ("gone", "Can't read"),
        ("binary", "Can't read"),
        (".", "Can't read"),
        ("empty", "empty"),
    ):
        with pytest.raises(TrainingError, match=f"{said}.*one of ours: hermes"):
            check_inputs(given(chat_template=str(tmp_path / name)))
    bare = Path(given().base)
    (bare / "tokenizer_config.json").write_text("{}")
    with pytest.raises(TrainingError, match=r"has no chat template.*--chat-template"):
        check_inputs(given())
    check_inputs(given(chat_template="hermes"))
    (bare / "tokenizer_config.json").write_text("{")
    with pytest.raises(TrainingError, match="is no JSON"):
        check_inputs(given())


def test_a_template_counts_by_what_it_says(given: Make, tmp_path: Path) -> None:
    one, two = tmp_path / "one.jinja", tmp_path / "two.jinja"
    one.write_text("{{ messages }}")
    two.write_text("{{ messages }}")
    assert template_identity(str(one)) == template_identity(str(two)) != template_identity("hermes")
    parameters = given(chat_template=str(one))
    run = Run.of(tmp_path / "out")
    rows = load_rows(parameters.rows)
    run.begin(identity_of(parameters, rows))
    (run.folder / "checkpoint-1").mkdir()
    run.mark(1)
    run.begin(identity_of(parameters, rows))
    one.write_text("{{ messages }} ")
    with pytest.raises(TrainingError, match=r"other parameters .chat_template: 'text .*--restart"):
        run.begin(identity_of(parameters, rows))


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_broken_run_is_said_with_the_remedy(tmp_path: Path, text: str) -> None:
    run = Run.of(tmp_path / "out")
    run.begin({"seed": 0})
    (run.folder / "run.json").write_text(text)
    with pytest.raises(TrainingError, match=r"run\.json .*JSON.*--restart"):
        run.begin({"seed": 0})
    run.begin({"seed": 0}, restart=True)
    state = run.folder / "checkpoint-1"
    state.mkdir()
    for broken in (text, json.dumps({"global_step": 1})):
        (state / "trainer_state.json").write_text(broken)
        with pytest.raises(TrainingError, match=f"Remove {state}"):
            has_ended(state)


@pytest.mark.parametrize("command", ["sft", "grpo"])
def test_a_typo_loads_no_torch_and_makes_no_environment(
    given: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    def never(say: object) -> None:
        raise AssertionError("the environment was wanted")

    monkeypatch.setattr("kate_eval.trainers.environment.require", never)
    parameters = given()
    there = {"--rows": str(parameters.rows), "--base": parameters.base, "-o": str(tmp_path / "out")}
    for option, said in (("--rows", "No rows in"), ("--base", "No folder")):
        options = [part for pair in {**there, option: "/no/where/at/all"}.items() for part in pair]
        found = CliRunner().invoke(main, ["train", command, *options])
        assert found.exit_code == 1 and said in found.output and "Traceback" not in found.output


def test_nothing_is_overwritten_that_is_not_ours(given: Make, tmp_path: Path) -> None:
    """A checkpoint takes the whole folder's place."""
    (tmp_path / "work").mkdir()
    check_inputs(given(output=tmp_path / "work"))
    for name in "abcd":
        (tmp_path / "work" / name).touch()
    with pytest.raises(TrainingError, match=r"work holds other files.*: a, b, c and 1 more\. Choose"):
        check_inputs(given(output=tmp_path / "work"))
    with pytest.raises(TrainingError, match=r"rows holds no checkpoint but something else.*another -o"):
        check_inputs(given(output=tmp_path / "rows"))
    with pytest.raises(TrainingError, match="is a file: choose another -o"):
        check_inputs(given(output=tmp_path / "work" / "a"))


def test_an_export_names_what_is_in_its_way(
    given: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wanted(say: object) -> None:
        raise TrainingError("all was well")

    monkeypatch.setattr("kate_eval.trainers.environment.require", wanted)
    parameters, out = given(), tmp_path / "verl"
    out.mkdir()
    (out / "launch.sh").touch()
    options = ["--rows", str(parameters.rows), "--base", parameters.base, "-o", str(out)]
    assert "all was well" in CliRunner().invoke(main, ["train", "export", *options]).output
    (out / "thesis.tex").touch()
    found = CliRunner().invoke(main, ["train", "export", *options])
    assert found.exit_code == 1 and "holds other files" in found.output and "thesis.tex" in found.output
