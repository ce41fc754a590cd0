"""Names of official files and ids, of V3 and V4."""

from pathlib import Path

import pytest

from kate_eval.bfcl.categories import CATEGORIES
from kate_eval.bfcl.data import load_category
from kate_eval.bfcl.interchange.layout import category_named, current_id, result_file, result_files
from kate_eval.errors import ConfigurationError

from .writing import write_lines


def test_every_category_s_file_is_found_again_under_its_name() -> None:
    assert [category_named(result_file(category).name) for category in CATEGORIES] == list(CATEGORIES)
    assert str(result_file("simple_java")) == "non_live/BFCL_v4_simple_java_result.json"
    assert result_file("live_simple").parent.name == "live"
    assert result_file("multi_turn_base").parent.name == "multi_turn"


@pytest.mark.parametrize(
    ("name", "category"),
    [
        ("BFCL_v3_simple_result.json", "simple_python"),
        ("BFCL_v3_java_result.json", "simple_java"),
        ("BFCL_v3_javascript_result.json", "simple_javascript"),
        ("BFCL_v3_multi_turn_miss_func_result.json", "multi_turn_miss_func"),
        ("BFCL_v3_live_parallel_multiple_result.json", "live_parallel_multiple"),
        ("BFCL_v3_parallel.json", "parallel"),
        ("BFCL_v4_memory_kv_result.json", "memory_kv"),
        ("BFCL_v3_simple_score.json", None),
        ("kate.json", None),
        ("BFCL_v4__result.json", None),
    ],
)
def test_names_of_files(name: str, category: str | None) -> None:
    assert category_named(name) == category


def test_ids_of_v3_are_those_of_v4_under_another_name() -> None:
    assert current_id("simple_12") == "simple_python_12"
    assert current_id("java_3") == "simple_java_3"
    assert current_id("javascript_0") == "simple_javascript_0"
    for category in CATEGORIES:
        assert current_id(load_category(category)[-1].id) == load_category(category)[-1].id


def test_flat_and_grouped_folders_are_read_in_official_order(tmp_path: Path) -> None:
    for name in (
        "BFCL_v3_multi_turn_base_result.json",
        "BFCL_v3_simple_result.json",
        "live/BFCL_v4_live_simple_result.json",
    ):
        write_lines(tmp_path / name, [])
    write_lines(tmp_path / "agentic/memory/kv/BFCL_v4_memory_kv_result.json", [])
    write_lines(tmp_path / "BFCL_v3_simple_score.json", [])
    files, skipped = result_files(tmp_path)
    assert [file.category for file in files] == ["simple_python", "live_simple", "multi_turn_base"]
    assert [file.name for file in skipped] == ["BFCL_v4_memory_kv_result.json"]
    [alone], _ = result_files(tmp_path / "BFCL_v3_simple_result.json")
    assert alone.category == "simple_python"


def test_what_is_no_model_s_folder_is_refused_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such folder"):
        result_files(tmp_path / "none")
    with pytest.raises(ConfigurationError, match="called BFCL_v4_CATEGORY_result"):
        result_files(tmp_path)
    for model in ("a", "b"):
        write_lines(tmp_path / model / "BFCL_v4_multiple_result.json", [])
    with pytest.raises(ConfigurationError, match=r"2 files of multiple .* Name the folder of one model"):
        result_files(tmp_path)
