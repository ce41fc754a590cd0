"""The task: what it plays, what it says in the log, and how it refuses bad parameters."""

import importlib.metadata
from typing import Any

import pytest

from kate_eval.bfcl import categories, data, engine
from kate_eval.bfcl.play import BfclEpisode
from kate_eval.errors import ConfigurationError, DatasetError
from kate_eval.tasks.bfcl import bfcl
from tests.conftest import Scripted, assistant, now, output


def test_groups_and_categories_expand_in_official_order_without_duplicates() -> None:
    assert categories.parse_categories("live,multi_turn_base,live_simple") == (
        *categories.LIVE,
        "multi_turn_base",
    )
    assert len(categories.parse_categories(["all"])) == 17


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_halves_hold_for_every_category(split: Any) -> None:
    for category in categories.CATEGORIES:
        parity = 0 if split == "train" else 1
        assert {e.index % 2 for e in data.load([category], split)} == {parity}
    assert len(bfcl(split=split).dataset) == 400


def test_all_seventeen_categories_make_samples_in_both_modes() -> None:
    assert len(bfcl(categories="all", split="all").dataset) == 4441
    assert len(bfcl(categories="all", split="all", mode="prompt").dataset) == 4441


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"categories": "multi_turn_basic"}, "Unknown category 'multi_turn_basic'.*multi_turn_base"),
        ({"categories": ""}, "Unknown category"),
        ({"split": "dev"}, "Unknown split 'dev'; choose from: all, test, train"),
        ({"mode": "chat"}, "Unknown mode 'chat'; choose from: fc, prompt"),
    ],
)
def test_bad_parameters_are_named_with_the_choices(arguments: Any, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        bfcl(**arguments)


def test_a_missing_or_different_bfcl_eval_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2020.1.1")
    with pytest.raises(DatasetError, match=r"2020.1.1 is installed.*kate bfcl setup"):
        bfcl()

    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    with pytest.raises(DatasetError, match=r"not installed. Run: kate bfcl setup"):
        bfcl()


def test_the_log_says_what_the_score_depends_on(run: Any) -> None:
    script = Scripted(lambda messages, config: output("Done."))
    log = run(bfcl(categories="multi_turn_base"), script.model(), limit=1)
    assert log.eval.task_version == "3-A"
    assert log.eval.metadata["bfcl_eval_version"] == engine.BFCL_EVAL_VERSION
    assert log.eval.metadata["data_hash"] == data.data_hash(("multi_turn_base",))
    solver = log.samples[0].store["kate:solver"]
    assert solver["parameters"]["width"] == 1 and len(solver["prompts_hash"]) == 16


def test_held_out_functions_are_offered_from_their_turn_on_with_the_fixed_sentence() -> None:
    entry = data.load_entry("multi_turn_miss_func_0")
    for mode in ("fc", "prompt"):
        episode = BfclEpisode(entry, mode)
        texts = []
        for turn in range(4):
            assert ("sort" in {doc["name"] for doc in episode.docs}) is False
            started = episode.next_turn()
            assert started is not None and started.index == turn
            texts.append(started.messages[-1].text)
            now(episode.step(episode.encode([], "Done."))) if turn < 3 else None
        assert "sort" in {doc["name"] for doc in episode.docs}
        assert texts[3].endswith(engine.official().more_functions_fc)
        assert ("'name': 'sort'" in texts[3]) == (mode == "prompt")


def test_prompting_mode_describes_the_functions_and_offers_no_tools() -> None:
    episode = BfclEpisode(data.load_entry("multi_turn_base_1"), "prompt")
    turn = episode.next_turn()
    assert turn is not None and not episode.tools
    assert turn.messages[0].role == "system" and '"name": "ls"' in turn.messages[0].text
    observation = now(episode.step(episode.decode(assistant("[pwd(), ls(a=True)]"))))
    assert "{'role': 'tool', 'name': 'ls(a=True)'" in observation.messages[0].text


def test_single_turn_entries_end_after_one_answer() -> None:
    episode = BfclEpisode(data.load_entry("simple_python_0"), "fc")
    assert episode.next_turn() is not None
    assert now(episode.step(episode.decode(assistant("No.")))).turn_over
    assert episode.next_turn() is None and episode.over


def test_schemas_are_the_official_ones() -> None:
    tool = BfclEpisode(data.load_entry("simple_java_1"), "fc").tools[0]
    assert "." not in tool.name and tool.description.endswith("in Java 8 SDK syntax.")
    assert {p.type for p in tool.parameters.properties.values()} == {"string"}
    math = next(t for t in BfclEpisode(_math_entry(), "fc").tools if t.name == "add")
    assert math.parameters.properties["a"].format == "float"
    assert (math.parameters.properties["a"].description or "").endswith("This is a float type value.")


def _math_entry() -> data.Entry:
    return next(e for e in data.load_category("multi_turn_base") if "MathAPI" in e.classes)
