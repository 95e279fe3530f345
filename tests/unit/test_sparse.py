"""Vectors of few entries: each operation is what it would be with all slots there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnxruntime as ort
import pytest
from spox import Tensor, Var, argument, build

from builder.graph.sparse import Sparse, counted, entries_of, side_by_side, summed

WIDTH, ROWS, LENGTH = 9, 60, 12
DRAW = np.random.default_rng(5)
SLOTS = DRAW.integers(0, WIDTH, (ROWS, LENGTH))
THERE = DRAW.random((ROWS, LENGTH)) < np.linspace(0, 1, ROWS)[:, None]
VALUES = DRAW.choice([0.1, 1 / 3, -2.7, 3.1, 0.0, 1e16], (ROWS, LENGTH))
WEIGHTS = DRAW.normal(size=(WIDTH, 3))


def dense_counts() -> np.ndarray:
    found = np.zeros((ROWS, WIDTH))
    for row in range(ROWS):
        np.add.at(found[row], SLOTS[row][THERE[row]], 1.0)
    return found


def asked(of: Callable[[Var, Var, Var], dict[str, Var]]) -> dict[str, np.ndarray]:
    slots, there, values = (argument(Tensor(kind, ("N", "T"))) for kind in (np.int64, np.bool_, np.float64))
    answers = of(slots, there, values)
    model = build({"slots": slots, "there": there, "values": values}, answers, drop_unused_inputs=True)
    model.ir_version = 10
    session = ort.InferenceSession(model.SerializeToString())
    given = {"slots": SLOTS, "there": THERE, "values": VALUES}
    feed = {one.name: given[one.name] for one in session.get_inputs()}
    return dict(zip(answers, session.run([*answers], feed), strict=True))


def counts(slots: Var, there: Var, _: Var) -> Sparse:
    return counted(slots, there, WIDTH)


def test_slots_are_counted():
    answers = asked(lambda *x: {"dense": counts(*x).dense(), "stored": counts(*x).stored()})

    np.testing.assert_array_equal(answers["dense"], dense_counts())
    np.testing.assert_array_equal(answers["stored"], dense_counts() > 0)


def test_binary_counts_are_one():
    answers = asked(lambda slots, there, _: {"dense": counted(slots, there, WIDTH, binary=True).dense()})

    np.testing.assert_array_equal(answers["dense"], dense_counts() > 0)


def test_entries_ascend_and_none_is_there_twice():
    entries = asked(lambda *x: {"at": counts(*x).indices, "held": counts(*x).there, "counts": counts(*x).values})

    for indices, there, values in zip(entries["at"], entries["held"], entries["counts"], strict=True):
        assert (np.diff(indices[there]) > 0).all()
        assert (values[~there] == 0).all()
        assert ((indices >= 0) & (indices < WIDTH)).all()


def test_values_of_one_slot_are_added_in_their_order():
    wanted = np.zeros((ROWS, WIDTH))
    held = np.zeros((ROWS, WIDTH), bool)
    for row in range(ROWS):
        for at in np.flatnonzero(THERE[row]):
            wanted[row, SLOTS[row, at]] += VALUES[row, at]
            held[row, SLOTS[row, at]] = True

    def of(slots: Var, there: Var, values: Var) -> dict[str, Var]:
        found = summed(slots, values, there, WIDTH, finite=True)
        return {"dense": found.dense(), "stored": found.stored()}

    answers = asked(of)

    assert answers["dense"].tobytes() == wanted.tobytes()
    np.testing.assert_array_equal(answers["stored"], held)


@pytest.mark.parametrize("chosen", [[0], [8], [1, 4, 5], list(range(WIDTH))])
def test_a_few_slots_are_taken_out(chosen):
    def of(*x: Var) -> dict[str, Var]:
        few = counts(*x)
        narrow = few.picked(np.array(chosen))
        return {
            "at": few.at(np.array(chosen)),
            "stored": few.stored_at(np.array(chosen)),
            "picked": narrow.dense(),
            "dot": narrow.dot(WEIGHTS[chosen]),
        }

    answers = asked(of)

    wanted = dense_counts()[:, chosen]
    np.testing.assert_array_equal(answers["at"], wanted)
    np.testing.assert_array_equal(answers["picked"], wanted)
    np.testing.assert_array_equal(answers["stored"], wanted > 0)
    np.testing.assert_allclose(answers["dot"], wanted @ WEIGHTS[chosen], rtol=1e-13, atol=1e-13)


def test_a_sum_is_added_slot_after_slot():
    wanted = np.zeros((ROWS, 3))
    for slot in range(WIDTH):
        wanted += dense_counts()[:, [slot]] * WEIGHTS[slot]

    answers = asked(lambda *x: {"all": counts(*x).dot(WEIGHTS), "one": counts(*x).dot(WEIGHTS[:, :1])})

    assert answers["all"].tobytes() == wanted.tobytes()
    assert answers["one"].tobytes() == np.ascontiguousarray(wanted[:, :1]).tobytes()


def test_an_infinite_weight_adds_nothing_where_no_entry_is():
    endless = WEIGHTS.copy()
    endless[4] = np.inf

    answers = asked(lambda *x: {"sum": counts(*x).dot(endless)})

    np.testing.assert_array_equal(np.isinf(answers["sum"][:, 0]), dense_counts()[:, 4] > 0)


def test_vectors_stand_side_by_side():
    def of(slots: Var, there: Var, values: Var) -> dict[str, Var]:
        both = side_by_side([counts(slots, there, values), entries_of(values, LENGTH), counts(slots, there, values)])
        return {"dense": both.dense(), "stored": both.stored()}

    answers = asked(of)

    wanted = np.concatenate([dense_counts(), VALUES, dense_counts()], axis=1)
    np.testing.assert_array_equal(answers["dense"], wanted)
    np.testing.assert_array_equal(answers["stored"], wanted != 0)
