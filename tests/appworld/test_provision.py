"""Set-up: what is missing, damaged or of another version is named with its remedy, in seconds."""

import json
import shutil
import socket
import sqlite3
import stat
import subprocess
import tempfile
import threading
import time
import venv
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest
from filelock import FileLock, Timeout

from kate_eval import installation
from kate_eval.appworld import data, places, provision, record, sessions
from kate_eval.appworld.stamp import write_stamp
from kate_eval.errors import ConfigurationError, DatasetError, EngineError, InstallationError, KateError
from kate_eval.installation import CACHE_VARIABLE

ROOT = Path(__file__).parents[2]


def silent(line: str) -> None:
    """Say nothing."""


@pytest.fixture
def damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache folder with the real engine and a copy of the mini world, as set-up leaves it, to damage."""
    places.require("mini")
    engine, world = places.engine_folder(), places.cache() / "mini"
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    (tmp_path / "appworld").mkdir()
    places.engine_folder().symlink_to(engine)
    shutil.copytree(world / "data", places.full_data("mini"))
    provision._agents_copy("mini")
    write_stamp(places.cache() / "mini", provision._stamp("mini"))
    data.load_task.cache_clear()
    for task_id in (i for split in places.SPLITS["mini"] for i in data.task_ids(split)):
        known = {"steps": [], "data_hash": data.data_hash([task_id], "mini")}
        record.folder("mini").mkdir(exist_ok=True)
        (record.folder("mini") / f"{task_id}.json").write_text(json.dumps(known))
    monkeypatch.setattr(provision, "_engine", lambda check, say: None)
    yield places.full_data("mini")
    data.load_task.cache_clear()


def test_what_is_not_set_up_is_named_with_its_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    for split, command in (("mini_test", "kate appworld setup --mini"), ("train", "kate appworld setup")):
        with pytest.raises(DatasetError, match=f"Run: {command}$"):
            data.load(split)


def test_an_unknown_split_is_an_error_with_the_choices() -> None:
    with pytest.raises(ConfigurationError, match="Unknown AppWorld split 'test'; choose from: dev, mini_dev"):
        data.load("test")


def test_a_cache_that_the_engine_would_take_for_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, "/tmp/memory-cards")
    with pytest.raises(ConfigurationError, match="'memory' in its path"):
        places.cache()


def _first(folder: Path) -> Path:
    return folder / "tasks" / data.task_ids("mini_train")[0]


def _of_another_version(folder: Path) -> None:
    file = _first(folder) / "specs.json"
    _overwrite(file, json.dumps(json.loads(file.read_text()) | {"db_version": "0.2.0"}))


def _overwrite(file: Path, text: str) -> None:
    file.chmod(0o644)
    file.write_text(text)


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "split": (lambda folder: (folder / "datasets/mini_dev.txt").unlink(), "incomplete: .*mini_dev.txt"),
    "empty split": (lambda folder: _overwrite(folder / "datasets/mini_dev.txt", ""), "has 0 of 1 tasks"),
    "task": (lambda folder: shutil.rmtree(_first(folder)), "incomplete: .*specs.json"),
    "no JSON": (lambda folder: _overwrite(_first(folder) / "specs.json", "{"), "corrupt: .*specs.json"),
    "no field": (lambda folder: _overwrite(_first(folder) / "specs.json", "{}"), "corrupt"),
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


def _download_from(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = f"from appworld import download\ndownload.S3_BASE_URL = {url!r}\n"
    monkeypatch.setattr(provision, "_DOWNLOAD", elsewhere + provision._DOWNLOAD)


def test_without_network_the_download_fails_in_seconds_with_the_remedy(
    damaged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _download_from("https://127.0.0.1:9/", monkeypatch)
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


def test_what_is_set_up_stays(damaged: Path) -> None:
    said: list[str] = []
    provision.provision("mini", False, said.append)
    assert said == [f"AppWorld's mini tasks are set up in {places.cache() / 'mini'}."]


def _python(folder: Path, lines: str) -> Path:
    """A command in the place of the engine's Python."""
    file = folder / "python"
    file.write_text(f"#!/bin/sh\n{lines}\n")
    file.chmod(0o755)
    return file


def _answers(server: socket.socket, replies: list[bytes | None]) -> None:
    """Answer each request in turn; None takes it and stays silent."""
    kept = []
    for reply in replies:
        connection, _ = server.accept()
        kept.append(connection)
        connection.recv(65536)
        if reply is not None:
            connection.sendall(reply)
            connection.close()
    time.sleep(20)


def test_a_stalled_download_ends_and_what_it_says_is_shown(
    damaged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        ok = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        threading.Thread(target=_answers, args=(server, [ok, None]), daemon=True).start()
        _download_from(url, monkeypatch)
        monkeypatch.setattr(provision, "STALL_SECONDS", 2)
        said: list[str] = []
        with pytest.raises(InstallationError, match=r"timed out(?s:.)*kate appworld setup --mini"):
            provision._download(damaged.parent, True, said.append)
    assert any("Downloading data." in line for line in said)


def test_a_proxy_is_used_and_a_finished_download_is_not_repeated(
    damaged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _download_from("http://appworld.invalid/", monkeypatch)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(InstallationError, match="ProxyError"):
        provision._download(damaged.parent, True, silent)
    provision._download(damaged.parent, False, silent)
    assert damaged.is_dir()


def _build_of(version: str, calls: list[bool]) -> Callable[..., None]:
    def build(folder: Path, force: bool, say: installation.Say) -> None:
        calls.append(force)
        marker = folder / "data" / "MINI.json"
        _overwrite(marker, json.dumps(json.loads(marker.read_text()) | {"version": int(version)}))

    return build


def test_a_world_of_another_version_is_built_anew(damaged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[bool] = []
    monkeypatch.setattr(places, "wanted_version", lambda world: "99")
    monkeypatch.setattr(provision, "_mini", _build_of("99", calls))
    with pytest.raises(DatasetError, match=r"of version 1; needed is 99\. Run: kate appworld setup --mini"):
        places.require("mini")
    provision.provision("mini", False, silent)
    assert calls == [True]
    provision.provision("mini", False, silent)
    assert calls == [True]
    places.require("mini")


def test_a_stamp_of_an_earlier_kind_lets_the_builder_decide(
    damaged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[bool] = []
    (damaged.parent / ".done").write_text("whole\n")
    monkeypatch.setattr(provision, "_mini", _build_of("1", calls))
    provision.provision("mini", False, silent)
    assert calls == [False]
    places.require("mini")


def test_the_version_that_is_wanted_is_the_builder_s() -> None:
    code = "from kate_engine.mini.build import VERSION; print(VERSION)"
    done = subprocess.run(
        [places.engine_python(), "-c", code],
        env=places.engine_environment(ROOT),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == places.wanted_version("mini")


@pytest.mark.parametrize("tree", [places.full_data, places.agents_data])
def test_a_database_that_was_changed_since_set_up_is_noticed(
    damaged: Path, monkeypatch: pytest.MonkeyPatch, tree: Callable[[str], Path]
) -> None:
    file = tree("mini") / "base_dbs" / "venmo.db"
    file.chmod(0o644)
    size = file.stat().st_size
    with closing(sqlite3.connect(file)) as database:
        database.execute("UPDATE users SET password = 'mine' WHERE id = 1")
        database.commit()
    assert file.stat().st_size == size
    with pytest.raises(DatasetError, match=r"was changed since set-up.*kate appworld setup --mini --force"):
        places.require("mini")
    calls: list[bool] = []
    monkeypatch.setattr(provision, "_mini", _build_of("1", calls))
    provision.provision("mini", False, silent)
    assert calls == [True]


def test_changed_tasks_are_no_complete_build(damaged: Path) -> None:
    ask = (
        "import sys, pathlib; from kate_engine.mini.build import existing;"
        "print(existing(pathlib.Path(sys.argv[1])))"
    )

    def found() -> str:
        return subprocess.run(
            [places.engine_python(), "-c", ask, damaged.parent],
            env=places.engine_environment(damaged.parent),
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    assert found() != "None"
    _overwrite(_first(damaged) / "specs.json", "{}")
    assert found() == "None"
    _overwrite(damaged / "MINI.json", "{")
    assert found() == "None"


def test_the_real_world_s_databases_are_checked_by_their_times(
    damaged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the mini world's databases, which have the same layout."""
    real = places.cache() / "real"
    shutil.copytree(damaged / "base_dbs", real / "data/base_dbs")
    shutil.copytree(damaged / "datasets", real / "data/datasets")
    monkeypatch.setattr(provision, "verify", lambda world: None)
    monkeypatch.setattr(record, "RECORDED", {"real": ()})
    provision.provision("real", False, silent)
    places.require("real")
    (real / "data/base_dbs/venmo.db").touch()
    places._check_unchanged.cache_clear()
    with pytest.raises(DatasetError, match=r"was changed since set-up.*kate appworld setup --force"):
        places.require("real")
    loads: list[bool] = []
    monkeypatch.setattr(provision, "_download", lambda folder, force, say: loads.append(force))
    provision.provision("real", False, silent)  # the content is the same
    places.require("real")
    _overwrite(real / "data/base_dbs/venmo.db", "other")
    provision.provision("real", False, silent)
    assert loads == [False, True]


def test_both_copies_are_apart_read_only_and_can_be_made_anew(damaged: Path) -> None:
    provision._read_only(damaged)
    for _ in range(2):
        provision._agents_copy("mini")
    agents = places.agents_data("mini")
    for path in (path for path in agents.rglob("*") if path.is_file()):
        other = damaged / path.relative_to(agents)
        assert path.stat().st_ino != other.stat().st_ino
        assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(other.stat().st_mode) == 0o444


def test_a_python_without_ensurepip_is_named_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def create(*args: Any, **options: Any) -> None:
        raise subprocess.CalledProcessError(1, ["python", "-m", "ensurepip"])

    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    monkeypatch.setattr(venv, "create", create)
    with pytest.raises(InstallationError, match="apt install python3-venv"):
        provision.provision("mini", False, silent)


@pytest.mark.slow
def test_force_finds_an_environment_that_only_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert provision._works(provision._STARTS) and provision._works(provision._RUNS)
    without = "import sys; sys.modules['appworld.apps.venmo.apis'] = None; exec(sys.argv[1])"
    python = _python(tmp_path, f'exec {places.engine_python()} -c "{without}" "$2"')
    monkeypatch.setattr(places, "engine_python", lambda: python)
    assert provision._works(provision._STARTS) and not provision._works(provision._RUNS)
    checks: list[str] = []
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    monkeypatch.setattr(provision, "_engine", lambda check, say: checks.append(check))
    monkeypatch.setattr(provision, "_world", lambda world, force, say: None)
    monkeypatch.setattr(record, "RECORDED", {"mini": ()})
    for force in (False, True):
        provision.provision("mini", force, silent)
    assert checks == [provision._STARTS, provision._RUNS]


def test_a_talkative_builder_does_not_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step = json.dumps({"progress": "verified", "done": 1, "total": 2})
    talk = f"head -c 300000 /dev/zero | tr '\\0' 'x'; echo; echo '{step}' >&2"
    python = _python(tmp_path, talk)
    monkeypatch.setattr(places, "engine_python", lambda: python)
    said: list[str] = []
    provision._mini(tmp_path, False, said.append)
    assert "  verified 1/2" in said
    broken = _python(tmp_path, f"echo '{step}'; echo out of luck; exit 3")
    monkeypatch.setattr(places, "engine_python", lambda: broken)
    failed = r"exit code 3\): out of luck\nThe mini world could not be built"
    with pytest.raises(InstallationError, match=failed):
        provision._mini(tmp_path, False, silent)


def test_engine_commands_get_only_what_they_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "PYTHONSTARTUP", "https_proxy", "PIP_INDEX_URL", "LD_LIBRARY_PATH"):
        monkeypatch.setenv(name, "x")
    plain = places.engine_environment(tmp_path)
    assert plain["HOME"] == str(tmp_path) and plain["PYTHONPATH"] == str(places.ENGINE_CODE)
    assert {"HOME", "PATH", "PYTHONPATH", "LD_LIBRARY_PATH"} <= set(plain) <= {*plain, "TMPDIR"}
    assert set(provision._environment(tmp_path)) - set(plain) <= {
        "APPWORLD_CACHE",
        "APPWORLD_ROOT",
        "LANG",
        "PYTHONUTF8",
    }
    online = provision._online(tmp_path)
    assert online["https_proxy"] == online["PIP_INDEX_URL"] == "x" and online["HOME"] != str(tmp_path)
    assert not {"OPENAI_API_KEY", "PYTHONSTARTUP"} & set(online)
    assert not {"https_proxy", "PIP_INDEX_URL"} & set(provision._environment(tmp_path))


def test_scratch_folders_are_placed_where_the_engine_can_use_them(
    damaged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "memory" not in str(places.scratch())
    (tmp_path / "memory").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "memory"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "memory"))
    assert places.scratch() == places.cache() / "scratch"
    assert "memory" not in places.engine_environment(tmp_path)["TMPDIR"]
    (tmp_path / "experiments/outputs/long-memory").mkdir(parents=True)
    with pytest.raises(ConfigurationError, match=r"Rename .*long-memory"):
        provision.run_official("mini", tmp_path / "experiments", ["evaluate", "long-memory", "mini_test"])
    python = _python(
        tmp_path, 'test -d "$APPWORLD_ROOT/data" && case "$PWD" in *memory*) exit 9;; *) exit 4; esac'
    )
    monkeypatch.setattr(places, "engine_python", lambda: python)
    assert provision.run_official("mini", tmp_path / "experiments", ["verify", "x"]) == 4


def recorded(task_id: str) -> dict[str, Any]:
    """What the file of a demonstration says."""
    return record.load_demonstration("mini", task_id)


def recording(monkeypatch: pytest.MonkeyPatch, fails: dict[str, Exception]) -> list[str]:
    """Record the dev split; the tasks that were asked for."""
    asked: list[str] = []

    async def demonstrate(world: str, task_id: str) -> dict[str, Any]:
        asked.append(task_id)
        if task_id in fails:
            raise fails[task_id]
        return {"id": 1, "steps": [{"code": "print(1)", "output": "1"}], "apps": [], "success": True}

    monkeypatch.setattr(record, "demonstrate", demonstrate)
    anyio.run(record.record, "mini", ["mini_dev"], silent)
    return asked


def test_a_demonstration_of_other_data_is_recorded_anew(
    damaged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = data.task_ids("mini_dev")[0]
    assert recording(monkeypatch, {}) == []
    _overwrite(damaged / "tasks" / first / "ground_truth/answer.json", "7")
    assert recording(monkeypatch, {}) == [first]
    assert recorded(first)["success"] and "id" not in recorded(first)
    assert recording(monkeypatch, {}) == []


def test_only_the_engine_s_own_verdict_is_kept(damaged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(record.folder("mini"))
    broken, killed, _ = ids = data.task_ids("mini_dev")
    fails: dict[str, Exception] = {
        broken: EngineError("AppWorld: SyntaxError: invalid syntax (<unknown>, line 3)"),
        killed: EngineError("The AppWorld engine gave no answer within 180 s"),
    }
    with pytest.raises(EngineError, match=rf"1 AppWorld tasks.*{killed} \(.*no answer"):
        recording(monkeypatch, fails)
    assert not recorded(broken)["success"] and "SyntaxError" in recorded(broken)["failure"]
    assert recorded(ids[2])["success"]
    assert recording(monkeypatch, {}) == [killed]
    shutil.rmtree(record.folder("mini"))
    with pytest.raises(OSError, match="disk"):
        recording(monkeypatch, {killed: OSError("the disk is full")})


@pytest.mark.slow
def test_a_solution_that_does_not_parse_is_told_apart_by_the_engine(damaged: Path) -> None:
    task_id = data.task_ids("mini_dev")[0]
    _overwrite(damaged / "tasks" / task_id / "ground_truth/compiled_solution.py", "def solution(:\n")
    sessions.stop_engines()
    try:
        anyio.run(record.record, "mini", ["mini_dev"], silent)
    finally:
        sessions.stop_engines()
    assert "SyntaxError" in recorded(task_id)["failure"]


def test_two_set_ups_at_once_record_one_after_the_other(
    damaged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def at_work(world: str, splits: Any, say: installation.Say) -> None:
        with pytest.raises(Timeout):
            FileLock(places.cache() / ".lock").acquire(timeout=0)
        say("recorded")

    monkeypatch.setattr(record, "record", at_work)
    said: list[str] = []
    provision.provision("mini", False, said.append)
    assert said[-1] == "recorded"


def test_make_sets_up_again_when_a_scenario_changes() -> None:
    done = subprocess.run(["make", "-pn", "lock"], cwd=ROOT, capture_output=True, text=True, check=False)
    [rule] = [line for line in done.stdout.splitlines() if line.startswith(".venv/.mini:")]
    assert "mini/scenarios/star_mail.py" in rule and "mini/build.py" in rule
