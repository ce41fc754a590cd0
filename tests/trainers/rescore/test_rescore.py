"""A checkpoint and its base play the same samples, once; the card gets the scores."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kate_eval.endpoints.serve.options import Options as ServeOptions
from kate_eval.errors import ConfigurationError, TrainingError
from kate_eval.grid.cell import Grid
from kate_eval.grid.options import Options
from kate_eval.grid.plan import Plan
from kate_eval.report.leaderboard import leaderboard
from kate_eval.report.read import read_runs
from kate_eval.trainers.checkpoint import CheckpointCard, load_card, save_checkpoint
from kate_eval.trainers.checkpoint.card import card_text
from kate_eval.trainers.rescore import play
from kate_eval.trainers.rescore.checkpoint import read_checkpoint, services
from tests.endpoints.openai.server import said, serving


def make(folder: Path, base: str, adapter: bool, weights: bytes = b"weights") -> Path:
    """A checkpoint of ours, as far as anything but a server looks."""

    def write(place: Path) -> None:
        name = "adapter_config.json" if adapter else "config.json"
        (place / name).write_text(json.dumps({"base_model_name_or_path": base, "r": 8}))
        (place / f"{'adapter_' if adapter else ''}model.safetensors").write_bytes(weights)

    kind = "adapter" if adapter else "full"
    card = CheckpointCard(trainer="sft", kind=kind, base=base, root=base, rows_hash="r0", steps=1)  # type: ignore[arg-type]
    save_checkpoint(folder, card, write)
    return folder


def test_an_adapter_and_its_base_share_a_server(tmp_path: Path) -> None:
    base = make(tmp_path / "m", "hub/model", adapter=False)
    found = read_checkpoint(make(tmp_path / "other", str(base), adapter=True))
    [service] = services(found, beside_base=True)
    assert service.model == str(base) and service.adapters == (found.folder,)
    assert list(service.plays) == ["m", "other"]
    assert service.plays["other"]["weights"] == found.hash != ""
    [alone] = services(found, beside_base=False)
    assert list(alone.plays) == ["other"]


def test_all_weights_have_a_server_of_their_own(tmp_path: Path) -> None:
    found = read_checkpoint(make(tmp_path / "mine", "hub/model", adapter=False))
    base, own = services(found, beside_base=True)
    assert (base.model, base.served) == ("hub/model", "hub/model")
    assert (own.model, own.served, own.adapters) == (str(found.folder), "mine", ())
    assert services(found, beside_base=False) == [own]


def test_a_base_of_the_same_name_is_served_under_another(tmp_path: Path) -> None:
    base = make(tmp_path / "a/model", "hub/x", adapter=False)
    found = read_checkpoint(make(tmp_path / "b/model", str(base), adapter=True))
    [service] = services(found, beside_base=True)
    assert list(service.plays) == ["base-model", "model"]


def test_all_weights_that_were_trained_on_an_adapter_have_it_served_as_one(tmp_path: Path) -> None:
    sft = make(tmp_path / "sft", "hub/model", adapter=True)
    found = read_checkpoint(make(tmp_path / "rl", str(sft), adapter=False))
    base, own = services(found, beside_base=True)
    assert (base.model, base.served, base.adapters) == ("hub/model", "hub/model", (sft,))
    assert (list(base.plays), list(own.plays), own.adapters) == (["sft"], ["rl"], ())
    alike = read_checkpoint(make(tmp_path / "b/sft", str(sft), adapter=False))
    with pytest.raises(ConfigurationError, match=r"both named sft.*rename one of the folders"):
        services(alike, beside_base=True)


def test_a_base_that_was_trained_again_is_played_again(tmp_path: Path) -> None:
    found = read_checkpoint(make(tmp_path / "rl", str(tmp_path / "sft"), adapter=False))
    plays = []
    for weights in (b"one", b"two"):
        make(tmp_path / "sft", "hub/model", adapter=False, weights=weights)
        plays.append(services(found, beside_base=True)[0].plays)
    assert plays[0] != plays[1]


def test_servers_show_what_the_checkpoint_was_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make(tmp_path / "mine", "hub/model", adapter=True)
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    card = load_card(folder).model_copy(
        update={
            "renderer": {"template_args": {"enable_thinking": False}},
            "config": {"chat_template": "hermes"},
        }
    )
    (folder / "card.json").write_text(card_text(card))
    [service] = services(read_checkpoint(folder), beside_base=True)
    assert service.flags == (
        *("--default-chat-template-kwargs", '{"enable_thinking": false}'),
        *("--chat-template", str(folder / "chat_template.jinja")),
    )
    asked: list[ServeOptions] = []

    @contextmanager
    def start(options: ServeOptions, say: Any) -> Iterator[Any]:
        asked.append(options)
        yield SimpleNamespace(base_urls=[])

    monkeypatch.setattr(play, "serving", start)
    with play._served(service, {"flags": ("--max-model-len", "9")}, print):
        assert asked[0].flags == ("--served-model-name", "hub/model", *service.flags, "--max-model-len", "9")


def test_scores_of_a_model_that_was_trained_on_test_entries_are_flagged(
    tmp_path: Path, served: list[str]
) -> None:
    folder = make(tmp_path / "mine", "hub/model", adapter=True)
    (folder / "card.json").write_text(card_text(load_card(folder).model_copy(update={"leaked": ("bfcl",)})))
    rescored(folder, tmp_path / "logs")
    found = {row.run.model: row.flags for row in leaderboard(read_runs(tmp_path / "logs"))}
    flags = {model: [flag.text for flag in found[model] if flag.code == "leaked"] for model in found}
    assert flags == {"kate/hub/model": [], "kate/mine": ["LEAKED: the model was trained on test entries"]}


def test_an_adapter_made_elsewhere_names_its_base_itself(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text('{"base_model_name_or_path": "hub/model"}')
    found = read_checkpoint(tmp_path)
    assert (found.base, found.card, found.adapter) == ("hub/model", None, True)
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(TrainingError, match="names no base model"):
        read_checkpoint(tmp_path)


def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="holds no model"):
        read_checkpoint(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "card.json").write_text('{"schema_version": 7}')
    with pytest.raises(TrainingError, match="can't be read"):
        read_checkpoint(tmp_path)


def test_tasks_and_solvers_are_cells() -> None:
    found = play.cells(["bfcl", "appworld"], ["baseline", "kate"])
    assert [(cell.label, cell.task) for cell in found] == [
        ("baseline", "bfcl"),
        ("kate", "bfcl"),
        ("baseline, test_normal", "appworld"),
        ("baseline, test_challenge", "appworld"),
        ("kate, test_normal", "appworld"),
        ("kate, test_challenge", "appworld"),
    ]
    with pytest.raises(ConfigurationError, match="Unknown task 'bfcl3'"):
        play.cells(["bfcl3"], ["baseline"])


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """In place of vLLM a server that always replies; the models that it was started for."""
    started: list[str] = []
    with serving(lambda request, number: said("Done.")) as fake:

        @contextmanager
        def serve(service: Any, options: Any, say: Any) -> Iterator[list[str]]:
            started.append(service.served)
            yield [fake.url]

        monkeypatch.setattr(play, "_served", serve)
        yield started


def rescored(folder: Path, logs: Path) -> list[Plan]:
    grid = Grid(title="Rescored", cells=play.cells(["bfcl"], ["baseline"]))
    options = Options(log_dir=logs, limit=1)
    return play.rescore(read_checkpoint(folder), grid, options, {}, True, lambda line: None)


def test_it_plays_beside_its_base_once(tmp_path: Path, served: list[str]) -> None:
    base = make(tmp_path / "m", "hub/model", adapter=False)
    folder = make(tmp_path / "other", str(base), adapter=True)
    [plan] = rescored(folder, tmp_path / "logs")
    assert [(s.row.model_name, s.kind, s.row.planned) for s in plan.states] == [
        ("kate/m", "finished", 4),
        ("kate/other", "finished", 4),
    ]
    [score] = load_card(folder).scores
    assert (score.solver, score.metric, score.samples, score.value) == ("baseline", "multi_turn", 4, 0.0)
    assert served == ["m"]

    rescored(folder, tmp_path / "logs")
    assert served == ["m"], "all was there, and a server was started"

    make(folder, str(base), adapter=True, weights=b"trained further")
    [plan] = rescored(folder, tmp_path / "logs")
    assert served == ["m", "m"], "other weights under the same name were taken for scored"
    assert [state.kind for state in plan.states] == ["finished", "finished"]
