"""The split: by scenario, from the seed, the same whatever the rows are made of."""

from hypothesis import given
from hypothesis import strategies as st

from kate_eval.trainers.rows.split import held_out, split_rows
from tests.trainers.rows.making import row

CLUSTERS = st.sets(st.text(min_size=1, max_size=6), min_size=1, max_size=40)


@given(CLUSTERS, st.floats(0, 0.95), st.integers())
def test_the_share_is_held_out_and_something_is_left(clusters: set[str], share: float, seed: int) -> None:
    away = held_out(clusters, share, seed)
    assert away < clusters
    if share == 0 or len(clusters) == 1:
        assert not away
    else:
        assert len(away) == min(max(1, round(share * len(clusters))), len(clusters) - 1)
    assert away == held_out([*sorted(clusters), *clusters], share, seed)


def test_rows_go_with_their_scenario_and_keep_their_order() -> None:
    rows = [row(number, cluster=f"c{number % 10}") for number in range(40)]
    train, away = split_rows(rows, 0.3, 5)
    assert len({one.cluster for one in away}) == 3 and len(train) == 28
    assert not {one.cluster for one in train} & {one.cluster for one in away}
    assert sorted([*train, *away], key=lambda one: one.turn) == rows and train == [
        r for r in rows if r in train
    ]
    # Rows of another kind of the same scenarios are split alike.
    others = [row(number, cluster=f"c{number % 10}", mode="prompt", tools=()) for number in range(10)]
    assert {one.cluster for one in split_rows(others, 0.3, 5)[1]} == {one.cluster for one in away}
    assert {one.cluster for one in split_rows(rows, 0.3, 6)[1]} != {one.cluster for one in away}
