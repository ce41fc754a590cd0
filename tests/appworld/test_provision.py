"""Set-up: what is missing, damaged or of another version is named with its remedy, in seconds."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kate_eval.appworld import data, places, provision
from kate_eval.errors import ConfigurationError, DatasetError, KateError


@pytest.fixture
def damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache folder with the real engine and a copy of the mini world's data, to damage."""
    places.require("mini")
    engine, world = places.engine_folder(), places.cache() / "mini"
    monkeypatch.setenv(places.CACHE_VARIABLE, str(tmp_path))
    (tmp_path / "appworld").mkdir()
    places.engine_folder().symlink_to(engine)
    shutil.copytree(world / "data", places.full_data("mini"))
    (places.cache() / "mini" / ".done").write_text("whole\n")
    data.load_task.cache_clear()
    yield places.full_data("mini")
    data.load_task.cache_clear()


def test_what_is_not_set_up_is_named_with_its_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(places.CACHE_VARIABLE, str(tmp_path))
    for split, command in (("mini_test", "kate appworld setup --mini"), ("train", "kate appworld setup")):
        with pytest.raises(DatasetError, match=f"Run: {command}$"):
            data.load(split)


def test_an_unknown_split_is_an_error_with_the_choices() -> None:
    with pytest.raises(ConfigurationError, match="Unknown AppWorld split 'test'; choose from: dev, mini_dev"):
        data.load("test")


def test_a_cache_that_the_engine_would_take_for_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(places.CACHE_VARIABLE, "/tmp/memory-cards")
    with pytest.raises(ConfigurationError, match="'memory' in its path"):
        places.cache()


def _first(folder: Path) -> Path:
    return folder / "tasks" / data.task_ids("mini_train")[0]


def _of_another_version(folder: Path) -> None:
    file = _first(folder) / "specs.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"db_version": "0.2.0"}))


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "split": (lambda folder: (folder / "datasets/mini_dev.txt").unlink(), "incomplete: .*mini_dev.txt"),
    "empty split": (lambda folder: (folder / "datasets/mini_dev.txt").write_text(""), "has 0 of 1 tasks"),
    "task": (lambda folder: shutil.rmtree(_first(folder)), "incomplete: .*specs.json"),
    "no JSON": (lambda folder: (_first(folder) / "specs.json").write_text("{"), "corrupt: .*specs.json"),
    "no field": (lambda folder: (_first(folder) / "specs.json").write_text("{}"), "corrupt"),
    "databases": (lambda folder: shutil.rmtree(_first(folder) / "dbs"), "has no databases"),
    "base": (lambda folder: (folder / "base_dbs/venmo.db").unlink(), "has 11 of 12 databases"),
    "version": (_of_another_version, "db_version '0.2.0'; appworld 0.1.3.post1 needs 0.1.0"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_data_is_named(damaged: Path, name: str) -> None:
    damage, message = DAMAGES[name]
    provision.verify("mini")
    damage(damaged)
    with pytest.raises(DatasetError, match=message) as caught:
        provision.verify("mini")
    assert "kate appworld setup" in str(caught.value)


def test_without_network_the_download_fails_in_seconds_with_the_remedy(
    damaged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = "from appworld import download\ndownload.S3_BASE_URL = 'https://127.0.0.1:9/'\n"
    monkeypatch.setattr(provision, "_DOWNLOAD", closed + provision._DOWNLOAD)
    monkeypatch.setattr(provision, "_engine", lambda say: None)
    start = time.monotonic()
    with pytest.raises(KateError, match=r"can't be reached(?s:.)*kate appworld setup --mini"):
        provision.provision("real", False, lambda line: None)
    assert time.monotonic() - start < 20
    assert not (places.cache() / "real" / ".done").exists()


def test_the_agents_data_is_the_same_without_ground_truth(damaged: Path) -> None:
    provision._agents_copy("mini")
    agents = places.agents_data("mini")
    names = {path.relative_to(agents).as_posix() for path in agents.rglob("*") if path.is_file()}
    full = {path.relative_to(damaged).as_posix() for path in damaged.rglob("*") if path.is_file()}
    assert names == {name for name in full if "ground_truth" not in name and "__pycache__" not in name}
    assert len(names) < len(full)
    assert not any(path.is_symlink() for path in agents.rglob("*"))  # a link would name the full data


def test_what_is_set_up_stays(damaged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provision, "_engine", lambda say: None)
    said: list[str] = []
    provision.provision("mini", False, said.append)
    assert said == [f"AppWorld's mini tasks are set up in {places.cache() / 'mini'}."]
