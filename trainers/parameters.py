"""A training run's parameters: one frozen model per trainer, filled by YAML files and by what was typed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from kate_eval.errors import ConfigurationError

P = TypeVar("P", bound=BaseModel)


def read_parameters(model: type[P], configs: Sequence[Path], given: Mapping[str, Any]) -> P:
    """Parameters of files, the later over the earlier, and over all of them what is given.

    Args:
        model: of the trainer.
        configs: YAML files with its fields as keys.
        given: fields; None: not given.

    Raises:
        ConfigurationError: a file can't be read, or a field is unknown, missing or wrong.
    """
    values: dict[str, Any] = {}
    for config in configs:
        values |= _read(config)
    values |= {name: value for name, value in given.items() if value is not None}
    try:
        return model.model_validate(values)
    except ValidationError as ex:
        raise ConfigurationError("; ".join(_complaint(model, error) for error in ex.errors())) from ex


def _read(config: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(config.read_text(encoding="utf-8"))
    except FileNotFoundError as ex:
        raise ConfigurationError(f"No file {config}: --config takes a YAML file of parameters") from ex
    except (yaml.YAMLError, UnicodeDecodeError) as ex:
        raise ConfigurationError(f"{config} is no YAML: {ex}") from ex
    if not isinstance(values, dict):
        raise ConfigurationError(f"{config} holds no parameters: a line of it is `learning_rate: 3e-5`")
    return {str(name): _number(value) for name, value in values.items()}


def _number(value: Any) -> Any:
    """YAML 1.1 takes 3e-5 for text."""
    if isinstance(value, str) and "e" in value.lower():
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _complaint(model: type[BaseModel], error: Any) -> str:
    name = ".".join(map(str, error["loc"])) or "parameters"
    if error["type"] == "extra_forbidden":
        return f"Unknown parameter {name!r}; there are: {', '.join(sorted(model.model_fields))}"
    if error["type"] == "missing":
        return f"--{name.replace('_', '-')} is needed, or {name} in a --config file"
    return f"{name}: {error['msg'].removeprefix('Value error, ')} (given: {error['input']!r})"
