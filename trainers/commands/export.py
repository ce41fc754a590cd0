"""`kate train export`."""

from pathlib import Path
from typing import Any

import click

from kate_eval.trainers.commands.fields import field_options
from kate_eval.trainers.commands.terminal import say
from kate_eval.trainers.export.parameters import ExportParameters


@click.command()
@field_options(ExportParameters)
def export(configs: tuple[Path, ...], **given: Any) -> None:
    """Write rows, configuration and a launch script for verl, which trains on many nodes."""
    from kate_eval.trainers.environment import require
    from kate_eval.trainers.export.parameters import OWN
    from kate_eval.trainers.inputs import check_base
    from kate_eval.trainers.parameters import read_parameters
    from kate_eval.trainers.room import require_room
    from kate_eval.trainers.rows.folder import read_card

    parameters = read_parameters(ExportParameters, configs, given)
    read_card(parameters.rows)
    check_base(parameters.base)
    require_room(parameters.output, OWN)
    require(say)
    from kate_eval.trainers.base_model import load_renderer
    from kate_eval.trainers.checkpoint.leak import leaked_by, warning
    from kate_eval.trainers.export.verl import export_verl
    from kate_eval.trainers.rows.folder import load_rows

    rows = load_rows(parameters.rows)
    if leaked := leaked_by(rows.card, parameters.base):
        say(f"{warning(leaked)}.")
    starts = export_verl(rows, load_renderer(parameters.base), parameters)
    for part, chosen in starts.items():
        say(f"{part}: {chosen}")
    say(f"Written: {parameters.output}. On the first node: {parameters.output / 'launch.sh'}")
