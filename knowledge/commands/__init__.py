"""`kate knowledge ...`: a file for each kind of command. Heavy imports happen inside the commands."""

import click

from kate_eval.knowledge.commands.audit import audit
from kate_eval.knowledge.commands.build import build
from kate_eval.knowledge.commands.change import embed, merge
from kate_eval.knowledge.commands.look import search, show
from kate_eval.knowledge.commands.published import import_


@click.group()
def knowledge() -> None:
    """Knowledge banks: build, look into, search, embed, merge, import, audit."""


for _command in (audit, build, embed, import_, merge, search, show):
    knowledge.add_command(_command)
