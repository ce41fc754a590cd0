"""What rows need before they are played: their banks, and the runs that banks are made of."""

from functools import partial

from kate_eval.errors import EndpointError
from kate_eval.grid.bank import GridBank
from kate_eval.grid.cell import Grid, appworld, bfcl
from kate_eval.grid.plan import Plan, make_plan, renewed
from kate_eval.grid.run import Say, alone, run_missing, sweep
from kate_eval.knowledge.acquire.write import Tick


def supplied(plan: Plan, display: str, say: Say, tick: Tick | None = None) -> Plan:
    """The plan as things are once its banks are built: each once, whatever the number of rows.

    Args:
        plan: of the rows.
        display: Inspect's, for runs that are played: rich, or none.
        say: shows a line.
        tick: told of each item that is written.

    Raises:
        BankError: nothing came of a bank.
        EndpointError: the writing model failed, or runs could not be played; what is done is kept.
    """
    missing = [bank for bank in plan.banks.values() if bank.ready is None]
    for bank in missing:
        if bank.of_runs:
            _play_runs(plan, bank, display, say)
        bank.build(tick)
    return renewed(plan)


def _play_runs(plan: Plan, bank: GridBank, display: str, say: Say) -> None:
    runs = _runs_plan(plan, bank)
    with alone(bank.runs):
        run_missing(runs, display, say)
        runs = renewed(runs)
        sweep(runs.states)
    if runs.to_run:
        raise EndpointError(
            f"The runs that {', '.join(bank.of_runs)} are made of are not all played "
            f"({runs.to_run[0].note or runs.to_run[0].kind}): run the same command again to go on"
        )


def _runs_plan(plan: Plan, bank: GridBank) -> Plan:
    """The writer's runs of what the bank is made of, by the plain solver."""
    declare = bfcl if bank.task == "bfcl" else partial(appworld, split=bank.split)
    task = {"split": bank.split} if bank.task == "bfcl" else {}
    grid = Grid(title=f"Runs of {bank.split}", cells=(declare("runs", "baseline", task=task),))
    writer = plan.options.writer or plan.options.models[0]
    update = {"models": (writer,), "variants": (), "log_dir": bank.runs, "bank": None, "epochs": 1}
    return make_plan(plan.name, grid, plan.options.model_copy(update=update))
