"""`kate probe MODEL`: what the endpoint does, and which solvers can work with it."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

if TYPE_CHECKING:
    from kate_eval.endpoints.probe.needs import Need

Needs = Callable[[], "Mapping[str, Sequence[Need]]"]
WIDTH = 160
"""Columns of a table that goes to a pipe."""


def probe_command(needs: Needs) -> click.Command:
    """The command, for the solvers whose needs it is given (called only when it runs)."""

    @click.command("probe")
    @click.argument("model")
    @click.option("--model-base-url", help="The server's base URL, usually ending in /v1.")
    @click.option(
        "-M", "arguments", multiple=True, metavar="NAME=VALUE", help="A model argument, as of inspect."
    )
    @click.option("--json", "output", type=click.Path(path_type=Path), help="Also write the findings here.")
    @click.option("--seconds", default=8.0, show_default=True, help="Time that each check may take.")
    def probe(
        model: str,
        model_base_url: str | None,
        arguments: tuple[str, ...],
        output: Path | None,
        seconds: float,
    ) -> None:
        """Say what the endpoint of MODEL really does, and which solvers can work with it.

        Exits with 1 unless a solver, other than `nearest`, is seen to be able to.
        """
        _run(needs(), model, model_base_url, arguments, output, seconds)

    return probe


def _run(
    needs: "Mapping[str, Sequence[Need]]",
    name: str,
    base_url: str | None,
    arguments: Sequence[str],
    output: Path | None,
    seconds: float,
) -> None:
    import anyio

    from kate_eval.endpoints.probe.needs import verdict
    from kate_eval.endpoints.probe.run import probe
    from kate_eval.endpoints.probe.table import as_data, findings_table, verdicts_table

    console = Console()
    model = make_model(name, base_url, arguments)
    start = time.perf_counter()
    with console.status(f"Probing {name}"):
        findings = anyio.run(probe, model, base_url, seconds)
    took = time.perf_counter() - start
    verdicts = {solver: verdict(of, findings) for solver, of in needs.items()}
    screen = console if console.is_terminal else Console(width=WIDTH)
    screen.print(findings_table(f"{name}, {took:.1f} s", findings))
    screen.print(verdicts_table(verdicts))
    if output:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(json.dumps(as_data(name, took, findings, verdicts), indent=2), encoding="utf-8")
    if all(found.state in ("lacks", "unsure") for solver, found in verdicts.items() if needs[solver]):
        raise SystemExit(1)


def make_model(name: str, base_url: str | None, arguments: Sequence[str]) -> Any:
    """The Inspect model, made as `inspect eval` makes it.

    Raises:
        ConfigurationError: there is no such provider, or an argument is not NAME=VALUE or not taken.
    """
    import yaml
    from inspect_ai.model import get_model

    from kate_eval.errors import ConfigurationError

    values: dict[str, Any] = {}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not equals:
            raise ConfigurationError(f"-M {argument!r} is not NAME=VALUE")
        values[key.replace("-", "_")] = yaml.safe_load(value)
    base_url = base_url or values.pop("base_url", None)
    try:
        return get_model(name, base_url=base_url, memoize=False, **values)
    except Exception as ex:  # providers raise what they like; all of it is about what the user passed
        raise ConfigurationError(f"Can't make the model {name!r}: {' '.join(str(ex).split())}") from ex
