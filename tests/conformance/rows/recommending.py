"""Alternating least squares: ids of every numeric type, known, unknown and impossible."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.conformance.row import INF, NAN, Row, column, doubles, spark

USERS = (1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 0, 2147483647, -2147483647, -7)
ITEMS = (10, 11, 10, 12, 11, 12, 13, 10, 13, 14, 14, 10, 13, 12)
RATINGS = (4.0, 1.1, 3.7, 2.2, 5.0, 1 / 3, 0.1, 2.7, 3.1, 4.4, 1e-3, 2.0, 100.7, 3.3)
FAR = (1, 900_000_001, -900_000_000, 17, 2_000_000_000, 123_456_789, -5, -1_999_999_999, 42, 7_000_000)


def trained(type: str, users: tuple[int, ...] = USERS) -> dict[str, Any]:
    """Ratings of these users, their ids (those that fit) of one type."""
    bits = {"tinyint": 7, "smallint": 15}.get(type, 31)
    fitting = [i for i, user in enumerate(users) if -(2**bits) < user < 2**bits - 1 or (type, bits) == ("int", 31)]
    kind: Any = float if type in ("double", "float") else int
    if type.startswith("decimal"):
        kind = Decimal
    return {
        "user": column(type, *(kind(users[i]) for i in fitting)),
        "item": column(type, *(kind(ITEMS[i % len(ITEMS)]) for i in fitting)),
        "rating": column("float", *(RATINGS[i % len(RATINGS)] for i in fitting)),
    }


def asked(type: str, users: tuple[Any, ...], items: tuple[Any, ...]) -> dict[str, Any]:
    """Every user with every item."""
    return {
        "user": column(type, *(user for user in users for _ in items)),
        "item": column(type, *(item for _ in users for item in items)),
    }


def als(**params: Any) -> Any:
    return spark.ALS(**{"rank": 7, "maxIter": 3, "seed": 11, "numUserBlocks": 3, "numItemBlocks": 2, **params})


ROWS = [
    *(
        Row(
            f"recommending/als-{strategy}",
            (als(coldStartStrategy=strategy),),
            train=trained("int"),
            rows=asked("int", (1, 2147483647, -2147483647, 6, 2147483646, None), (10, 14, 15, None)),
            outputs=("prediction",),
            smoke=True,
        )
        for strategy in ("nan", "drop")
    ),
    *(
        Row(  # the order of the sum shows
            f"recommending/als-rank-{rank}",
            (als(rank=rank, implicitPrefs=implicit, alpha=2.5, nonnegative=rank == 10),),
            train=trained("int"),
            rows=asked("int", tuple(dict.fromkeys(USERS)), (10, 11, 12, 13, 14)),
            outputs=("prediction",),
        )
        for rank, implicit in ((1, False), (10, False), (33, True), (130, False))
    ),
    Row(  # ids far apart: no table of the whole range
        "recommending/als-scattered-ids",
        (als(),),
        train=trained("int", FAR),
        rows=asked("int", (*FAR, 0, 2147483647, -2147483647, 8_000_000), (10, 11, 12, 13, 14, -10)),
        outputs=("prediction",),
    ),
    Row(
        "recommending/als-names",
        (als(userCol="u", itemCol="i", ratingCol="r", predictionCol="score", coldStartStrategy="drop", blockSize=1),),
        train={name[0]: column for name, column in trained("int").items()},
        rows={name[0]: column for name, column in asked("int", (1, 2, 77), (10, 14)).items()},
        outputs=("score",),
    ),
    *(
        Row(
            f"recommending/als-{type.partition('(')[0]}-ids",
            (als(coldStartStrategy="drop" if type == "bigint" else "nan"),),
            train=trained(type),
            rows=asked(type, users, (10, 15)),
            outputs=("prediction",),
        )
        for type, users in (
            ("bigint", (1, 5, 99, None, 2**31 - 1, 2**31, -(2**31) - 1, 2**32 + 1, 2**53 + 1, -(2**63) + 1, 2**63 - 1)),
            ("smallint", (1, 5, 99, None, 32767, -7)),
            ("tinyint", (1, 5, 99, None, 127, -7)),
        )
    ),
    Row(
        "recommending/als-double-ids",
        (als(),),
        train=trained("double"),
        rows={
            "user": doubles(1.0, 0.0, -0.0, 1.5, NAN, None, INF, -INF, 1e308, 2147483646.0, -2147483649.0, 1.0, 1.0, 3.0, -2147483648.0, 2147483647.0, 2147483647.5),
            "item": doubles(10.0, 14.0, 14.0, 10.0, 10.0, 10.0, 10.0, 10.0, 10.0, 10.0, 10.0, 10.1, 5e-324, 12.0, 10.0, 10.0, 10.0),
        },
        outputs=("prediction",),
    ),
    Row(
        "recommending/als-float-ids",
        (als(),),
        train=trained("float", USERS[:11]),
        rows=asked("float", (1.0, -0.0, 2.5, None, 16777216.0), (10.0, 14.0, 1e30)),
        outputs=("prediction",),
    ),
    Row(
        "recommending/als-then-bucketed",
        (als(coldStartStrategy="drop"), spark.Bucketizer(inputCol="prediction", outputCol="b", splits=[-INF, 1.0, 3.0, INF])),
        train=trained("int"),
        rows=asked("int", (1, 2, 3, 77), (10, 14)),
        outputs=("b", "prediction"),
    ),
    Row(  # an id is an int from here on: the sum overflows, and the label has no ".0"
        "recommending/als-ids-are-read-again",
        (
            als(),
            spark.SQLTransformer(statement="SELECT *, user + 2147483647 AS beyond, item AS code FROM __THIS__"),
            spark.StringIndexer(inputCol="code", outputCol="place", stringOrderType="alphabetAsc"),
        ),
        train=trained("double"),
        rows=asked("double", (1.0, -0.0, 5.0, 0.0), (10.0, 14.0)),
        outputs=("prediction", "beyond", "code", "place"),
        conf={"spark.sql.ansi.enabled": "false"},
    ),
    Row(
        "recommending/als-decimal-ids",
        (als(),),
        train=trained("decimal(12,1)"),
        rows=asked("decimal(12,1)", tuple(map(Decimal, ("1", "1.5", "5", "99", "99999999999.9", "-7"))), (Decimal(10), None)),
        outputs=("prediction",),
    ),
]  # fmt: skip
