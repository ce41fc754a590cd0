"""The scenarios in the order of their splits; a new one is a file here and a line in this list."""

from kate_engine.mini.scenario import Scenario
from kate_engine.mini.scenarios import (
    collect_shares,
    genre_count,
    like_old_songs,
    like_payments,
    month_total,
    overdue_tasks,
    record_bill,
    sort_files,
    star_mail,
    todo_file,
)

_TRAIN = (genre_count, month_total, overdue_tasks, sort_files, collect_shares)
_DEV = (star_mail,)
_TEST = (like_old_songs, like_payments, todo_file, record_bill)
SCENARIOS: tuple[Scenario, ...] = tuple(module.SCENARIO for module in (*_TRAIN, *_DEV, *_TEST))
