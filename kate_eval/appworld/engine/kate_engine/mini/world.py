"""The base databases, the API documents, and the databases of one task (with the engine's own models)."""

import random
from pathlib import Path
from typing import Any

from appworld.apps import get_all_apps
from appworld.collections.api_docs import ApiDocCollection
from appworld.collections.models import ModelCollection
from appworld.common.constants import CANARY_STRING

from kate_engine.mini.messages import add_messages
from kate_engine.mini.music import add_music
from kate_engine.mini.paperwork import add_paperwork
from kate_engine.mini.payments import add_payments
from kate_engine.mini.people import ACCOUNT_APPS, Person, add_people, card
from kate_engine.mini.shop import add_shop
from kate_engine.mini.task_files import write_json


def build_base(data: Path) -> None:
    """Write base_dbs/ and api_docs/ below the data folder."""
    random.seed(0)  # the engine's models draw invitation codes
    home = ":memory:mini_base"
    models = ModelCollection.load(
        to_db_home_path=home, from_db_home_path=home, load_apps=get_all_apps(), create_db=True
    )
    _add_api_docs(models, data / "api_docs" / "standard")
    for add in (add_people, add_music, add_payments, add_paperwork, add_messages, add_shop):
        add(models)
    models.save(str(data / "base_dbs"), "full", app_names=get_all_apps(), vaccum=True)


def _add_api_docs(models: Any, folder: Path) -> None:
    apps = tuple(get_all_apps(skip_admin=True))
    docs = ApiDocCollection.build(load_apps=apps)
    for app in apps:
        write_json(
            folder / f"{app}.json", {k: {**v, "canary_string": CANARY_STRING} for k, v in docs[app].items()}
        )
        for doc in docs[app].values():
            fields = dict(doc)
            models.api_docs.ApiDoc.create_save(app_name_=fields.pop("app_name"), **fields)


def open_task(data: Path, task_id: str, supervisor: Person, instruction: str) -> Any:
    """A copy of the base databases in memory, with the supervisor's own rows added."""
    models = ModelCollection.load(
        to_db_home_path=f":memory:mini_task-{task_id}",
        from_db_home_path=str(data / "base_dbs"),
        load_apps=get_all_apps(),
    )
    rows = models.supervisor
    rows.Supervisor.create_save(
        first_name=supervisor.first_name,
        last_name=supervisor.last_name,
        email=supervisor.email,
        phone_number=supervisor.phone_number,
        birthday=supervisor.birthday,
        sex=supervisor.sex,
    )
    rows.Task.create_save(supervisor_id=1, instruction=instruction)
    for app in ACCOUNT_APPS:
        rows.AccountPassword.create_save(supervisor_id=1, account_name=app, password=supervisor.password(app))
    rows.PaymentCard.create_save(supervisor_id=1, **card(supervisor))
    rows.Address.create_save(
        supervisor_id=1,
        name="Home",
        street_address=f"{10 + supervisor.id} Ferry Lane",
        city="Larkhaven",
        state="Oregon",
        country="United States",
        zip_code=97100 + supervisor.id,
    )
    return models


def save_task(models: Any, folder: Path) -> None:
    """Write a task's dbs/: what changed against the base databases, one file an app."""
    models.save(str(folder / "dbs"), "changes", app_names=get_all_apps())
    models.close()
