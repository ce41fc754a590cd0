"""Models as commands name them: by Inspect's names, with arguments and prices."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kate_eval.errors import ConfigurationError, one_line

if TYPE_CHECKING:
    from inspect_ai.model import Model

PROVIDERS = "https://inspect.aisi.org.uk/providers.html"


def named_model(name: str, **settings: Any) -> "Model":
    """One of Inspect's models.

    Raises:
        ConfigurationError: it can't be used; the message says what its provider lacks.
    """
    from inspect_ai.model import get_model

    try:
        return get_model(name, **settings)
    except Exception as ex:  # providers raise their own types
        raise ConfigurationError(
            f"The model {name!r} can't be used: {one_line(ex).rstrip('.')}. "
            f"What its provider needs: {PROVIDERS}"
        ) from ex


def model_arguments(given: Sequence[str]) -> dict[str, Any]:
    """A model's arguments, from NAME=VALUE with values in YAML.

    Raises:
        ConfigurationError: one is not written so.
    """
    return {name: _value(name, text) for name, text in map(_pair, given)}


def _pair(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise ConfigurationError(f"-M {text}: write it as NAME=VALUE")
    return name, value


def _value(name: str, text: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as ex:
        said = " ".join(str(ex).split())
        raise ConfigurationError(f"-M {name}={text}: it is no YAML value: {said}") from ex


def read_price(text: str | None) -> tuple[float, float] | None:
    """Dollars per million tokens in and out, from "IN,OUT".

    Raises:
        ConfigurationError: they are no two numbers.
    """
    if text is None:
        return None
    try:
        [read, written] = (float(part) for part in text.split(","))
        if not (0 <= read < math.inf and 0 <= written < math.inf):
            raise ValueError("a price is a number from 0")
    except ValueError as ex:
        raise ConfigurationError(f"--price {text}: write dollars per million tokens as IN,OUT (2,8)") from ex
    return read, written
