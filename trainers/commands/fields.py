"""Command-line options made of a parameter model's fields: one place says name, type, default and help."""

import json
from collections.abc import Callable
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import click
from pydantic import BaseModel
from pydantic.fields import FieldInfo

F = TypeVar("F", bound=Callable[..., Any])
SHORT = {"output": "-o"}
"""Fields with a short option."""


class _Json(click.ParamType):
    """A JSON object."""

    name = "json"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            read = json.loads(value) if isinstance(value, str) else value
        except ValueError:
            read = None
        if not isinstance(read, dict):
            self.fail(f'{value!r} is no JSON object; an example: {{"enable_thinking": false}}', param, ctx)
        return read


def field_options(model: type[BaseModel]) -> Callable[[F], F]:
    """A decorator: an option for each field, and --config; what is not typed is None.

    Args:
        model: its fields have descriptions.
    """

    def decorate(command: F) -> F:
        for name, field in reversed(model.model_fields.items()):
            command = _option(name, field)(command)
        return click.option(
            "--config",
            "configs",
            type=click.Path(path_type=Path),
            multiple=True,
            help="YAML with these parameters (learning_rate: 3e-5); may be given again, the later counts; "
            "what is typed counts most.",
        )(command)

    return decorate


def _option(name: str, field: FieldInfo) -> Callable[[F], F]:
    flag = f"--{name.replace('_', '-')}"
    kind = _plain(field.annotation)
    text = (field.description or "") + _default(field)
    if kind is bool:
        return click.option(f"{flag}/--no-{flag[2:]}", name, default=None, help=text)
    flags = (SHORT[name], flag) if name in SHORT else (flag,)
    return click.option(*flags, name, type=_type(kind), default=None, help=text)


def _plain(annotation: Any) -> Any:
    """Without "or None"."""
    if get_origin(annotation) in (Union, UnionType):
        [kind] = [kind for kind in get_args(annotation) if kind is not NoneType]
        return kind
    return annotation


def _type(kind: Any) -> Any:
    if get_origin(kind) is Literal:
        return click.Choice(get_args(kind))
    if kind is Path:
        return click.Path(path_type=Path)
    return kind if kind in (int, float, str) else _Json()


def _default(field: FieldInfo) -> str:
    if field.is_required() or field.default in (None, False) or field.default_factory:
        return ""
    return f"  [default: {field.default}]"
