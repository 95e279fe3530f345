"""StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler, Normalizer, ElementwiseProduct."""

from __future__ import annotations

from tests.conformance.row import INF, NAN, UGLY, Row, Stage, dense, doubles, rolled, spark, sparse, vectors, width

# slot 0: no number that float32 holds · 1: constant · 2: all zero · 3: wide · 4: tiny spread far from zero
TRAINED = (
    (1 / 3, 3.1, 0.0, -2.7e6, 1e8 + 0.1),
    (-2.7, 3.1, 0.0, 1e-3, 1e8 + 0.3),
    (3.1, 3.1, 0.0, 5.1e7, 1e8 + 0.7),
    (0.1, 3.1, 0.0, 3.3, 1e8 + 1.9),
    (7.7, 3.1, 0.0, 1 / 7, 1e8 - 0.2),
)
ASKED = (*rolled(UGLY, 5), *TRAINED, *rolled((0.7, -1.1, 2.3, 1e-17, 1e17, 1 / 9, 5e7), 5))
HUGE = ((-1e308, 1e308, 5e-324, -5e-324), (1e308, -1.7e308, 0.0, 1e-310), (3.1, 1.0, 2e-323, 0.3e-310))
SPARSE = (
    sparse(5, {0: 1 / 3}),
    sparse(5, {1: -2.7, 3: 3.1}),
    sparse(5, {}),
    sparse(5, {4: NAN}),
    (0.1, 0.2, 0.3, 0.4, 0.5),
)


def _scaled(name: str, stage: Stage, smoke: bool = False, trained=TRAINED, asked=ASKED, known=None) -> Row:
    return Row(
        f"scaling/{name}",
        (stage,),
        train={"v": vectors(*trained, metadata=known)},
        rows={"v": vectors(*asked, metadata=known)},
        outputs=("o",),
        smoke=smoke,
    )


IO = {"inputCol": "v", "outputCol": "o"}

ROWS = [
    *(
        _scaled(f"standard-mean-{mean}-std-{std}", spark.StandardScaler(withMean=mean, withStd=std, **IO), smoke=mean)
        for mean in (True, False)
        for std in (True, False)
    ),
    *(
        _scaled(f"robust-center-{center}-scale-{scale}",
                spark.RobustScaler(withCentering=center, withScaling=scale, lower=0.2, upper=0.8, **IO),
                smoke=center and scale)
        for center in (True, False)
        for scale in (True, False)
    ),
    _scaled("robust-default", spark.RobustScaler(**IO)),
    _scaled("minmax-default", spark.MinMaxScaler(**IO), smoke=True),
    _scaled("minmax-range", spark.MinMaxScaler(min=-1.7, max=2.3, **IO), smoke=True),
    _scaled("minmax-thirds", spark.MinMaxScaler(min=1 / 3, max=2 / 3, **IO)),
    _scaled("minmax-overflow", spark.MinMaxScaler(min=-1.7, max=2.3, **IO), trained=HUGE, asked=(*HUGE, *rolled(UGLY, 4))),
    _scaled("minmax-huge-range", spark.MinMaxScaler(min=-1e308, max=1.1e308, **IO)),
    _scaled("maxabs", spark.MaxAbsScaler(**IO), smoke=True),
    _scaled("maxabs-overflow", spark.MaxAbsScaler(**IO), trained=HUGE, asked=(*HUGE, *rolled(UGLY, 4))),
    _scaled("standard-overflow", spark.StandardScaler(withMean=True, **IO), trained=HUGE, asked=(*HUGE, *rolled(UGLY, 4))),
    _scaled("standard-nan-trained", spark.StandardScaler(withMean=True, **IO), trained=((NAN, 1.0), (1.0, 2.5), (3.0, INF)),
            asked=rolled(UGLY, 2)),
    *(
        _scaled(f"{name}-sparse", stage, asked=SPARSE)
        for name, stage in {
            "standard": spark.StandardScaler(**IO),
            "standard-mean": spark.StandardScaler(withMean=True, **IO),
            "minmax": spark.MinMaxScaler(min=-1.7, max=2.3, **IO),
            "maxabs": spark.MaxAbsScaler(**IO),
            "robust": spark.RobustScaler(withCentering=True, **IO),
            "product": spark.ElementwiseProduct(scalingVec=dense(1 / 3, -2.7, 0.0, 3.1, 5e-324), **IO),
        }.items()
    ),
    *(
        Row(
            f"scaling/normalizer-{p}",
            (spark.Normalizer(p=p, **IO),),
            rows={"v": vectors(*rolled(UGLY, 3), (0.0, -0.0, 0.0), (1 / 3, -2.7, 3.1), (1e-200, 1e-200, 0.0),
                               (1e200, -1e200, 1.0), (0.1, 0.2, 0.3), (-7.7, 1 / 7, 1e-3), (NAN, 0.0, 0.0), (5e-324, 0.0, -5e-324), metadata=width(3))},
            outputs=("o",),
            word="elementary" if p not in (1.0, 2.0, INF) else "bit",
            smoke=p in (2.0, 3.0),
        )
        for p in (1.0, 2.0, 3.0, 1.5, INF)
    ),
    Row(  # the root of their squares' sum is another than its power of ½
        "scaling/normalizer-root",
        (spark.Normalizer(**IO),),
        rows={"v": vectors((0.1, 2.7, 1.4), (0.1, 3.0, 0.5), (0.1, 3.0, 2.4), (0.2, 0.9, 2.9), metadata=width(3))},
        outputs=("o",),
    ),
    Row(
        "scaling/normalizer-wide",
        (spark.Normalizer(**IO),),
        rows={"v": vectors(*(tuple((7 * i + 3 * j) % 11 / 7 - 0.7 for j in range(33)) for i in range(9)), metadata=width(33))},
        outputs=("o",),
    ),
    Row(
        "scaling/product",
        (spark.ElementwiseProduct(scalingVec=dense(1 / 3, -2.7, 0.0, 3.1, 1e308), **IO),),
        rows={"v": vectors(*ASKED)},
        outputs=("o",),
        smoke=True,
    ),
    Row(
        "scaling/product-sparse-vector",
        (spark.ElementwiseProduct(scalingVec=sparse(5, {1: -2.7, 4: 1 / 3}), **IO),),
        rows={"v": vectors(*ASKED)},
        outputs=("o",),
    ),
    Row(  # VectorAssembler stores mostly-zero rows as sparse vectors: 0 · ∞ is not computed there
        "scaling/product-assembled-infinity",
        (
            spark.VectorAssembler(inputCols=["a", "b", "c", "d"], outputCol="v", handleInvalid="keep"),
            spark.ElementwiseProduct(scalingVec=dense(INF, NAN, 1 / 3, -INF), **IO),
        ),
        rows={"a": doubles(0.0, 1.0, 0.0, -0.0, 1.0), "b": doubles(0.0, 1.0, 0.0, 0.0, 0.0),
              "c": doubles(0.0, 3.1, 3.1, NAN, 1.0), "d": doubles(0.0, -1.0, 0.0, 0.0, 1.0)},
        outputs=("o",),
    ),
    Row(  # and a NaN beside zeros leaves them zeros
        "scaling/normalizer-assembled-nan",
        (
            spark.VectorAssembler(inputCols=["a", "b", "c", "d"], outputCol="v", handleInvalid="keep"),
            spark.Normalizer(**IO),
        ),
        rows={
            "a": doubles(0.0, 1.0, 0.0, -0.0, 1.0, NAN, INF),
            "b": doubles(0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0),
            "c": doubles(0.0, 3.1, 3.1, NAN, 1.0, 2.0, 0.0),
            "d": doubles(0.0, -1.0, 0.0, 0.0, NAN, 3.0, 0.0),
        },
        outputs=("o",),
    ),
    Row(  # likewise 0 · (1 / 5e-324)
        "scaling/maxabs-assembled-subnormal",
        (
            spark.VectorAssembler(inputCols=["a", "b", "c", "d"], outputCol="v"),
            spark.MaxAbsScaler(**IO),
        ),
        train={name: doubles(5e-324, -5e-324, 0.0) for name in "abcd"},
        rows={"a": doubles(0.0, 1.0, 0.0, -0.0, 1.0), "b": doubles(0.0, 1.0, 0.0, 0.0, 0.0),
              "c": doubles(0.0, 3.1, 3.1, 2.5, 1.0), "d": doubles(0.0, -1.0, 0.0, 0.0, 1.0)},
        outputs=("o",),
    ),
]  # fmt: skip
