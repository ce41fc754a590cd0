"""Tools as Inspect sees them."""

from kate_eval.bfcl.data import load_entry
from kate_eval.bfcl.play import BfclEpisode


def test_copies_of_a_tool_share_its_parameters_and_nothing_else() -> None:
    tool = BfclEpisode(load_entry("multi_turn_base_0"), "fc").tools[0]
    copied = tool.model_copy(deep=True)
    assert copied.parameters is tool.parameters
    assert copied.model_dump() == tool.model_dump()
    copied.description = "changed"
    assert tool.description != "changed"
