"""Parameters come from YAML files and the command line; what is wrong is named with its choices."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from kate_eval.cli import main
from kate_eval.errors import ConfigurationError
from kate_eval.trainers.parameters import read_parameters
from kate_eval.trainers.sft.parameters import SftParameters

NEEDED = {"rows": Path("r"), "base": "b", "output": Path("o")}


def test_what_is_typed_counts_over_files_and_these_in_order(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("learning_rate: 3e-4\nepochs: 1\nlora: true\ntemplate_args: {a: 0}\n")
    (tmp_path / "b.yaml").write_text("epochs: 2\n")
    configs = [tmp_path / "a.yaml", tmp_path / "b.yaml"]
    read = read_parameters(SftParameters, configs, {**NEEDED, "lora": False, "seed": None})
    assert (read.learning_rate, read.epochs, read.lora, read.seed) == (3e-4, 2, False, 0)
    assert read.template_args == {"a": 0}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rate: 1", r"Unknown parameter 'rate'; there are: accumulation, attention, "),
        ("epochs: many", r"epochs: .*\(given: 'many'\)"),
        ("epochs: 0", r"epochs: Input should be greater than 0"),
        ("keep: 1", r"keep: Input should be greater than or equal to 2"),
        ("- a", r"holds no parameters"),
        ("a: [", r"is no YAML"),
    ],
)
def test_a_file_that_is_wrong_says_where(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match=said):
        read_parameters(SftParameters, [tmp_path / "a.yaml"], NEEDED)


def test_a_missing_file_and_a_missing_parameter_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No file"):
        read_parameters(SftParameters, [tmp_path / "a.yaml"], NEEDED)
    with pytest.raises(ConfigurationError, match="--base is needed, or base in a --config file"):
        read_parameters(SftParameters, [], {"rows": "r", "output": "o"})


def test_every_parameter_is_an_option_with_help() -> None:
    shown = CliRunner().invoke(main, ["train", "sft", "--help"]).output
    for name, field in SftParameters.model_fields.items():
        assert f"--{name.replace('_', '-')}" in shown and field.description, name


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--attention", "none"], "'none' is not one of 'auto', 'eager', 'sdpa'"),
        (["--template-args", "x"], "is no JSON object"),
        (["--seed", "x"], "'x' is not a valid integer"),
    ],
)
def test_an_option_that_is_wrong_names_the_choices(arguments: list[str], said: str) -> None:
    done = CliRunner().invoke(main, ["train", "sft", *arguments])
    assert done.exit_code == 2 and said in done.output
