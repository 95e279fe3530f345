"""Generated trees, asked as Spark's own walk asks them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.errors import ConversionRefused, SourceError
from builder.graph.forests import forest_of
from builder.graph.lowering import lower
from builder.graph.session import in_process
from builder.releases import DEFAULT, OLDEST, Target
from builder.sparkml.reader import read_pipeline
from builder.sparkml.trees import SavedTrees
from builder.stages import all_rules
from builder.types import Field, Servable, Table, VectorType
from tests.forests import Leaf, Nodes, Split, complete, grown, write_trees

WIDTH = 3
THRESHOLDS = (0.1, -2.7, 1 / 3, 1e300, -1e300, 5e-324, 0.0, 3.1, 16777217.0)
VALUES = (
    *THRESHOLDS,
    *(float(np.nextafter(t, end)) for t in THRESHOLDS for end in (-np.inf, np.inf)),
    *map(float, range(8)),
    *(-0.0, -1.0, 0.5, 1.5, 66.0, np.inf, -np.inf, np.nan, 1e30, float(2**63)),
)


def servable(path: Path, target: Target = DEFAULT, proof: bool = False) -> Servable:
    schema = (Field("features", VectorType(WIDTH), False),)
    return lower(read_pipeline(path), schema, all_rules(), proof=proof, target=target)


def walk(node: Split | Leaf, row: np.ndarray) -> tuple[Leaf, int]:
    """The leaf reached and its number, as Node.predictImpl and leafIterator have them."""
    number = 0
    while isinstance(node, Split):
        value = row[node.feature]
        if node.size < 0:
            to_left = bool(value <= node.threshold)
        elif len(node.categories) <= node.size // 2:
            to_left = value in node.categories
        else:
            to_left = value not in set(map(float, range(node.size))) - set(node.categories)
        number += 0 if to_left else leaves(node.left)
        node = node.left if to_left else node.right
    return node, number


def leaves(node: Split | Leaf) -> int:
    return 1 if isinstance(node, Leaf) else leaves(node.left) + leaves(node.right)


@st.composite
def trees(draw: st.DrawFn, depth: int = 5) -> Split | Leaf:
    """Unbalanced, some only a leaf; feature 0 has categories, the others thresholds."""
    if depth == 0 or draw(st.integers(0, 3)) == 0:
        counts = draw(st.lists(st.integers(0, 9), min_size=3, max_size=3))
        return Leaf(draw(st.sampled_from((0.0, 1 / 3, -2.7, 3.1, 1e16))), tuple(c + 0.1 for c in counts))
    left, right = draw(trees(depth - 1)), draw(trees(depth - 1))
    if draw(st.booleans()):
        return Split(draw(st.integers(1, WIDTH - 1)), left, right, threshold=draw(st.sampled_from(THRESHOLDS)))
    size = draw(st.sampled_from((2, 3, 7, 66)))
    some = draw(st.sets(st.integers(0, size - 1), max_size=size))
    return Split(0, left, right, categories=tuple(sorted(map(float, some))), size=size)


rows = st.lists(st.tuples(*[st.sampled_from(VALUES)] * WIDTH), min_size=1, max_size=30).map(np.array)


@pytest.mark.parametrize("target", [DEFAULT, OLDEST], ids=lambda target: target.name)
@settings(max_examples=60, deadline=None)
@given(forest=st.lists(trees(), min_size=1, max_size=4), x=rows)
def test_a_forest_of_any_shape_votes_as_the_walk_does(
    target: Target, forest: list[Split | Leaf], x: np.ndarray
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write_trees(
            Path(folder) / "f", "forest-classifier", grown(forest), features=WIDTH, params={"leafCol": "leaf"}, parts=3
        )
        answers = in_process(servable(path, target))(Table({"features": x}))

    votes = np.zeros((len(x), 3))
    for tree in forest:
        counts = np.array([walk(tree, row)[0].stats for row in x])
        votes = votes + counts / (((counts[:, 0] + counts[:, 1]) + counts[:, 2])[:, None])
    np.testing.assert_array_equal(answers["rawPrediction"], votes)
    np.testing.assert_array_equal(answers["leaf"], [[walk(tree, row)[1] for tree in forest] for row in x])
    np.testing.assert_array_equal(answers["prediction"][:, 0], votes.argmax(axis=1))


@settings(max_examples=20, deadline=None)
@given(st.lists(trees(), min_size=1, max_size=4), rows)
def test_a_row_gets_the_same_bits_alone_and_in_a_batch(forest: list[Split | Leaf], x: np.ndarray) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write_trees(
            Path(folder) / "f", "boosted-regressor", grown(forest), features=WIDTH, weights=[0.1] * len(forest)
        )
        predict = in_process(servable(path))

    together = predict(Table({"features": x}))["prediction"]
    alone = [predict(Table({"features": x[i : i + 1]}))["prediction"] for i in range(len(x))]

    np.testing.assert_array_equal(together, np.concatenate(alone))


def test_a_thousand_trees_are_added_in_order(tmp_path: Path) -> None:
    draw = np.random.default_rng(3)
    values = draw.normal(size=1000) * 10.0 ** draw.integers(-6, 7, 1000)
    forest = [Leaf(value, (1.0, 0.0, 0.0)) for value in values.tolist()]
    path = write_trees(tmp_path / "f", "forest-regressor", grown(forest), features=WIDTH)

    answers = in_process(servable(path))(Table({"features": np.zeros((50, WIDTH))}))

    total = 0.0
    for value in values:
        total += value
    assert set(answers["prediction"][:, 0]) == {total / 1000}


@pytest.mark.parametrize("target", [DEFAULT, OLDEST], ids=lambda target: target.name)
def test_a_tree_as_deep_as_spark_allows_is_led_to_its_end(tmp_path: Path, target: Target) -> None:
    tree: Split | Leaf = Leaf(-1.0, (1.0, 0.0, 0.0))
    for level in range(30, 0, -1):
        tree = Split(1, Leaf(float(level), (1.0, 0.0, 0.0)), tree, threshold=float(level))
    path = write_trees(tmp_path / "t", "tree-regressor", grown([tree]), features=WIDTH)

    x = np.zeros((31, WIDTH))
    x[:, 1] = np.arange(1, 32)
    answers = in_process(servable(path, target))(Table({"features": x}))

    assert answers["prediction"][:, 0].tolist() == [*map(float, range(1, 31)), -1.0]


def test_no_root_has_one_number_for_a_leaf_and_for_a_node() -> None:
    draw = np.random.default_rng(1)
    for _ in range(200):
        forest = [_random(draw, int(draw.integers(0, 5))) for _ in range(6)]

        built = forest_of(_as_saved(grown(forest)), WIDTH).attributes

        roots = built["tree_roots"]
        assert (built["nodes_truenodeids"][roots] != built["nodes_falsenodeids"][roots]).all()  # onnxruntime 1.21


def _random(draw: np.random.Generator, depth: int) -> Split | Leaf:
    if depth == 0 or draw.random() < 0.4:
        return Leaf(0.1, (1.0, 0.0, 0.0))
    return Split(1, _random(draw, depth - 1), _random(draw, depth - 1), threshold=0.1)


def _as_saved(nodes: Nodes) -> SavedTrees:
    starts = np.searchsorted(nodes.tree, np.arange(nodes.trees))[nodes.tree]
    left, right = (np.where(child < 0, -1, child + starts) for child in (nodes.left, nodes.right))
    threshold = np.where(left < 0, np.nan, 0.1)
    return SavedTrees(
        nodes.tree, nodes.feature, left, right, threshold, nodes.prediction, nodes.stats, {}, np.ones(nodes.trees)
    )


def test_names_of_the_tree_metadata_do_not_matter(tmp_path: Path) -> None:
    nodes = complete(3, 4, WIDTH)
    models = [
        servable(write_trees(tmp_path / name, "forest-classifier", nodes, features=WIDTH, names=names)).model
        for name, names in {"old": ("treeID", "metadata", "weights"), "new": ("_1", "_2", "_3")}.items()
    ]

    assert models[0] == models[1]


def test_parts_in_any_order_give_the_same_bytes(tmp_path: Path) -> None:
    nodes = complete(3, 4, WIDTH)
    one = servable(write_trees(tmp_path / "one", "forest-classifier", nodes, features=WIDTH))
    many = servable(write_trees(tmp_path / "many", "forest-classifier", nodes, features=WIDTH, parts=5))

    assert one.model == many.model


def _broken(tmp_path: Path, nodes: Nodes) -> Path:
    return write_trees(tmp_path / "f", "forest-classifier", nodes, features=WIDTH, parts=4)


@pytest.mark.parametrize("lost", [0, 3])
def test_a_missing_part_file_is_told(tmp_path: Path, lost: int) -> None:
    path = _broken(tmp_path, complete(3, 5, WIDTH))
    sorted((path / "data").glob("*.parquet"))[lost].unlink()

    with pytest.raises(SourceError, match=r"lacks node|has no nodes") as told:
        servable(path)

    assert "part file" in told.value.fix


def test_a_doubled_part_file_is_told(tmp_path: Path) -> None:
    path = _broken(tmp_path, complete(3, 5, WIDTH))
    part = next((path / "data").glob("*.parquet"))
    (path / "data" / "part-00009-copy.parquet").write_bytes(part.read_bytes())

    with pytest.raises(SourceError, match="twice"):
        servable(path)


def test_a_lost_tree_is_told(tmp_path: Path) -> None:
    path = write_trees(tmp_path / "f", "forest-classifier", complete(3, 2, WIDTH), features=WIDTH)
    file = next((path / "data").glob("*.parquet"))
    table = pq.read_table(file)
    pq.write_table(table.filter(np.asarray(table["treeID"]) != 1), file)

    with pytest.raises(SourceError, match="tree 1 of 3 has no nodes"):
        servable(path)


def test_a_feature_beyond_the_vector_is_told(tmp_path: Path) -> None:
    path = write_trees(tmp_path / "f", "tree-regressor", complete(1, 6, WIDTH + 5, classes=3), features=WIDTH)

    with pytest.raises(SourceError, match="outside of 0 to 2"):
        servable(path)


def test_a_vector_of_another_width_is_refused(tmp_path: Path) -> None:
    path = write_trees(tmp_path / "f", "tree-regressor", complete(1, 2, WIDTH, classes=3), features=WIDTH + 1)

    with pytest.raises(ConversionRefused, match="width 3; the model was fitted on width 4"):
        servable(path)
