"""Where the trainers run: here, where a variable says, or in an environment that is made for them."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from importlib.metadata import Distribution
from pathlib import Path

import pytest

from kate_eval import installation
from kate_eval.errors import ConfigurationError, InstallationError
from kate_eval.trainers import environment, interpreter
from kate_eval.trainers.environment import own, source
from kate_eval.trainers.interpreter import VARIABLE, named

STANDS_IN = """
#!{python}
import json, os, signal, sys, time
if "-c" in sys.argv:
    print("a site's greeting", json.dumps({versions}), sep="\\n")
    sys.exit(0)
print("given", sys.argv[1:], os.environ.get("KATE_EVAL_TRAINING"), flush=True)
if "wait" in sys.argv:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(17))
    print("waiting", flush=True)
    time.sleep(60)
sys.exit(5)
"""
HIDES = "import importlib.util as u; f = u.find_spec; u.find_spec = lambda n, *a: n != 'trl' and f(n, *a); "
ASKS = "from kate_eval.trainers.environment import require; require(print); print('here')"


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """An environment whose Python only tells how it was called."""
    python = tmp_path / "env" / "bin" / "python"
    python.parent.mkdir(parents=True)
    stand_in(python, {})
    return python


def stand_in(python: Path, versions: Mapping[str, str]) -> None:
    """Write a Python that says it has these versions, those that are wanted or others."""
    told = {name: f"{wanted[-1]}.9" for name, wanted in environment._wanted().items()} | dict(versions)
    text = textwrap.dedent(STANDS_IN).strip()
    python.write_text(text.format(python=sys.executable, versions=told))
    python.chmod(0o755)


def asking(python: Path, *arguments: str) -> "subprocess.Popen[str]":
    """A process that needs the trainers' environment, without torch."""
    code = f"import sys; sys.argv[1:] = {list(arguments)!r}; {ASKS}"
    return subprocess.Popen(
        [sys.executable, "-c", HIDES + code],
        env={**os.environ, VARIABLE: str(python.parents[1])},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_command_goes_on_in_the_environment_that_is_named(elsewhere: Path) -> None:
    process = asking(elsewhere, "train", "sft", "--rows", "a b")
    said, _ = process.communicate(timeout=60)
    assert said == "given ['-m', 'kate_eval.trainers', 'train', 'sft', '--rows', 'a b'] 1\n"
    assert process.returncode == 5


def test_signals_reach_it(elsewhere: Path) -> None:
    process = asking(elsewhere, "wait")
    assert process.stdout
    assert [process.stdout.readline() for _ in range(2)][-1] == "waiting\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 17


def test_an_environment_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert named() is None
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with pytest.raises(ConfigurationError, match=f"{VARIABLE} names .*bin/python, which doesn't exist"):
        named()


@pytest.mark.parametrize(
    ("versions", "said"),
    [
        ({"python": "3.9.1"}, r"it has python 3\.9\.1, where 3\.11 or 3\.12 is needed"),
        ({"python": "3.110.1"}, r"it has python 3\.110\.1, where"),
        (
            {"torch": "1.13.0", "trl": "0.9.0"},
            r"it has torch 1\.13\.0, where 2 is needed; trl 0\.9\.0, where",
        ),
        ({"trl": ""}, r"it has trl .*where"),
    ],
)
def test_an_environment_that_can_t_train_is_refused(
    monkeypatch: pytest.MonkeyPatch, elsewhere: Path, versions: dict[str, str], said: str
) -> None:
    monkeypatch.setattr(environment, "here", lambda: False)
    monkeypatch.setenv(VARIABLE, str(elsewhere))
    stand_in(elsewhere, versions)
    with pytest.raises(ConfigurationError, match=f"{said}.*kate train setup"):
        environment.require(print)


def test_of_two_versions_the_one_that_is_imported_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in ("2.13.0", "1.13.0"):
        (tmp_path / number / f"torch-{number}.dist-info").mkdir(parents=True)
        (tmp_path / number / f"torch-{number}.dist-info/METADATA").write_text(
            f"Name: torch\nVersion: {number}\n"
        )
    code = f"import sys; sys.path[:0] = {[str(tmp_path / n) for n in ('2.13.0', '1.13.0')]!r}; "
    found = subprocess.run(
        [sys.executable, "-c", code + interpreter._ASK], capture_output=True, text=True, check=True
    )
    assert json.loads(found.stdout)["torch"] == "2.13.0"


@pytest.mark.parametrize(
    "text", ["#!/bin/sh\necho no such option >&2; exit 2", "#!/bin/sh\necho 7", "nothing"]
)
def test_what_is_no_python_is_refused(monkeypatch: pytest.MonkeyPatch, elsewhere: Path, text: str) -> None:
    monkeypatch.setattr(environment, "here", lambda: False)
    monkeypatch.setenv(VARIABLE, str(elsewhere))
    elsewhere.write_text(text)
    with pytest.raises(ConfigurationError, match=r"(doesn't run as a Python|can't train).*kate train setup"):
        environment.require(print)
    elsewhere.chmod(0o644)
    with pytest.raises(ConfigurationError, match=r"doesn't run as a Python .*denied"):
        environment.require(print)


def test_an_entered_environment_without_torch_is_not_entered_again(
    monkeypatch: pytest.MonkeyPatch, elsewhere: Path
) -> None:
    monkeypatch.setattr(environment, "here", lambda: False)
    monkeypatch.setenv("KATE_EVAL_TRAINING", "1")
    monkeypatch.setenv(VARIABLE, str(elsewhere))
    with pytest.raises(InstallationError, match="has no torch and TRL, though it should"):
        environment.require(print)


class Installed(Distribution):
    """A distribution with this direct_url.json."""

    def __init__(self, origin: object) -> None:
        self._origin = origin

    def read_text(self, filename: str) -> str | None:
        if filename == "direct_url.json":
            return json.dumps(self._origin) if self._origin else None
        return "Metadata-Version: 2.1\nName: kate-eval\nVersion: 1.2.3\n" if filename == "METADATA" else None

    def locate_file(self, path: object) -> Path:
        raise NotImplementedError


def test_the_same_kate_eval_is_installed(tmp_path: Path) -> None:
    """As it was itself: from its source, its wheel, a repository, or by version."""
    place = tmp_path / "a b"
    place.mkdir()
    url = place.as_uri()
    assert "%20" in url
    assert source(Installed({"url": url, "dir_info": {"editable": True}})) == ("--editable", str(place))
    assert source(Installed({"url": url, "dir_info": {}})) == (str(place),)
    assert source(Installed(None)) == ("kate-eval==1.2.3",)
    git = {"url": "https://host/r.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}}
    assert source(Installed(git)) == ("kate-eval @ git+https://host/r.git@abc",)
    gone = {"url": (tmp_path / "k-1-py3-none-any.whl").as_uri(), "archive_info": {}}
    with pytest.raises(InstallationError, match=r"k-1-py3-none-any\.whl, which is gone"):
        source(Installed(gone))


def test_ours_is_made_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ran: list[list[str]] = []

    def run(command: list[str], variables: object, remedy: str, hear: object = None) -> None:
        ran.append(command)
        if "-c" in command and callable(hear) and command[1] == "-c":
            hear("cpu")

    monkeypatch.setenv("KATE_EVAL_CACHE", str(tmp_path))
    monkeypatch.setattr(environment, "has_gpu", lambda: False)
    monkeypatch.setattr(environment, "_supported", lambda build: None)
    monkeypatch.setattr(installation, "create", lambda folder: folder.mkdir(parents=True))
    monkeypatch.setattr(installation, "run", run)
    lines: list[str] = []
    python = own(lines.append)
    assert python.is_relative_to(tmp_path / "train") and own(lines.append) == python
    pips = [command[3:] for command in ran if command[1:3] == ["-m", "pip"]]
    assert len(pips) == 2 and "--no-deps" in pips[0] and "-c" in pips[1]
    assert ran[-1][1:] == ["bfcl", "setup"]
    assert len([line for line in lines if line.startswith("Installing the trainers (cpu)")]) == 1
    pins = Path(pips[1][pips[1].index("-c") + 1]).read_text()
    assert "torch==" in pins and "#" not in pins


def test_where_there_is_a_gpu_pip_finds_what_its_build_needs(tmp_path: Path) -> None:
    build = environment._build(True, ("kate-eval==1",), tmp_path / "pins")
    [step] = build.steps
    assert "--no-deps" not in step and step[-1] == "kate-eval==1"
    assert any(pin.startswith("torch==") for pin in step) and any(pin.startswith("trl==") for pin in step)
