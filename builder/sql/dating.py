"""Parts of dates, and of moments in the session's time zone.

A date is days since 1970-01-01, a moment microseconds since then in UTC; the calendar is the Gregorian one, also before 1582.
Source: catalyst/expressions/datetimeExpressions.scala, util/DateTimeUtils.scala (Spark 4.0.1)
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache

import numpy as np
import spox.opset.ai.onnx.v21 as op
from spox import Var

from builder.errors import Refused
from builder.graph.idioms import constant, count, to_index, wrapped
from builder.graph.sharing import shared
from builder.sql.values import INTEGER, LONG, Kind, Value, any_null, known, long, strict_fails

DATE = Kind("date")
_SECOND, _DAY = 1_000_000, 86_400_000_000
_FROM, _TO = datetime(1850, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_ERA = 146_097  # days of 400 years


_WALL = Kind("timestamp_ntz")
_MOMENTS = (Kind("timestamp"), _WALL)


def literal_date(text: str) -> Value:
    """DATE '2020-01-31'."""
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise Refused(f"{text!r} is no date that is written year-month-day.") from error
    return known(DATE, np.int64((day - date(1970, 1, 1)).days))


def as_date(a: Value, zone: str | None) -> Value:
    """The day that a date is, or that a moment falls on in the session's time zone."""
    if a.kind == DATE:
        return a
    local = _local(a, zone)
    return Value(DATE, _floor(local.var, _DAY), local.nulls, local.fails)


def part(name: str, a: Value, zone: str | None) -> Value:
    """year, quarter, month, day, dayofweek (Sunday is 1), weekday (Monday is 0), dayofyear, hour, minute, second."""
    if name in _CLOCK:
        if a.kind not in _MOMENTS:
            raise Refused(f"{name} of a {a.kind}.", fix="give it a timestamp column.")
        local, (unit, size) = _local(a, zone), _CLOCK[name]
        return Value(INTEGER, wrapped(_floor(local.var, unit), size), local.nulls, local.fails)
    day = as_date(a, zone)
    return Value(INTEGER, _CALENDAR[name](day.var), day.nulls, day.fails)


def days_between(end: Value, start: Value, zone: str | None) -> Value:
    """datediff(end, start)."""
    end, start = as_date(end, zone), as_date(start, zone)
    return Value(INTEGER, op.sub(end.var, start.var), any_null(end, start), strict_fails(end, start))


def _floor(x: Var, unit: int) -> Var:
    """Towards minus infinity."""
    return op.div(op.sub(x, wrapped(x, unit)), long(unit))


@shared
def _civil(day: Var) -> tuple[Var, Var, Var]:
    """Year, month, day of month; years counted from March within 400-year eras (Hinnant's days_from_civil, turned round)."""
    shifted = op.add(day, long(719_468))
    era, rest = _floor(shifted, _ERA), wrapped(shifted, _ERA)
    leap = op.sub(
        op.add(op.sub(rest, op.div(rest, long(1460))), op.div(rest, long(36_524))), op.div(rest, long(_ERA - 1))
    )
    year = op.div(leap, long(365))
    before = op.sub(op.add(op.mul(year, long(365)), op.div(year, long(4))), op.div(year, long(100)))
    of_year = op.sub(rest, before)
    march = op.div(op.add(op.mul(of_year, long(5)), long(2)), long(153))
    of_month = op.add(op.sub(of_year, op.div(op.add(op.mul(march, long(153)), long(2)), long(5))), long(1))
    month = op.where(op.less(march, long(10)), op.add(march, long(3)), op.sub(march, long(9)))
    late = op.where(op.less_or_equal(month, long(2)), long(1), long(0))
    return op.add(op.add(year, op.mul(era, long(400))), late), month, of_month


def _day_of_year(day: Var) -> Var:
    year, month, of_month = _civil(day)
    before = op.gather(
        constant(np.array([0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334])), op.sub(month, long(1))
    )

    def by(n: int) -> Var:
        return op.equal(wrapped(year, n), long(0))

    leap = op.and_(op.or_(op.and_(by(4), op.not_(by(100))), by(400)), op.greater(month, long(2)))
    return op.add(op.add(before, of_month), op.where(leap, long(1), long(0)))


_CALENDAR: dict[str, Callable[[Var], Var]] = {
    "year": lambda day: _civil(day)[0],
    "quarter": lambda day: op.div(op.add(_civil(day)[1], long(2)), long(3)),
    "month": lambda day: _civil(day)[1],
    "day": lambda day: _civil(day)[2],
    "dayofmonth": lambda day: _civil(day)[2],
    "dayofyear": _day_of_year,
    "dayofweek": lambda day: op.add(wrapped(op.add(day, long(4)), 7), long(1)),
    "weekday": lambda day: wrapped(op.add(day, long(3)), 7),
}
_CLOCK = {"hour": (3600 * _SECOND, 24), "minute": (60 * _SECOND, 60), "second": (_SECOND, 60)}
PARTS = (*_CALENDAR, *_CLOCK)


def _local(a: Value, zone: str | None) -> Value:
    """A moment as the zone's clocks show it, in microseconds; outside of 1850 to 2200 a zone with rules fails."""
    if a.kind == _WALL:
        return Value(LONG, a.var, a.nulls, a.fails)
    if a.kind not in _MOMENTS:
        raise Refused(f"it takes a {a.kind} for a date.", fix="give it a date or timestamp column.")
    if zone is None:
        raise Refused(
            "it hangs on the session's time zone, which no saved model tells.",
            fix="give --timezone, as spark.sql.session.timeZone is where the model is used.",
        )
    if not _offsets(zone)[0]:
        return Value(LONG, op.add(a.var, long(_offsets(zone)[1][0])), a.nulls, a.fails)
    local, far = _shown(a.var, zone)
    return Value(LONG, local, a.nulls, a.fails).failing(far, "the moment lies outside of 1850 to 2200")


@shared
def _shown(moment: Var, zone: str) -> tuple[Var, Var]:
    """A moment by the clocks of a zone with rules, and whether it is one that they are known for."""
    moments, offsets = _offsets(zone)
    passed = count(op.greater_or_equal(moment, constant(np.array([moments], dtype=np.int64))))
    offset = op.gather(constant(np.array(offsets, dtype=np.int64)), to_index(passed, len(offsets)))
    far = op.or_(op.less(moment, long(_micros(_FROM))), op.greater_or_equal(moment, long(_micros(_TO))))
    return op.add(moment, offset), far


@lru_cache(maxsize=8)
def _offsets(zone: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Moments at which the zone's offset from UTC changes, and the offsets before, between and behind them (microseconds)."""
    rules = _zone(zone)

    def offset(at: datetime) -> timedelta:
        told = at.astimezone(rules).utcoffset()
        assert told is not None, "a zone has an offset"
        return told

    moments, offsets, at = [], [offset(_FROM)], _FROM
    while at < _TO:
        after = at + timedelta(days=7)
        if offset(after) != offsets[-1]:
            low, high = at, after
            while high - low > timedelta(seconds=1):
                middle = (low + (high - low) / 2).replace(microsecond=0)
                low, high = (middle, high) if offset(middle) == offsets[-1] else (low, middle)
            moments.append(_micros(high))
            offsets.append(offset(high))
            at = high
        else:
            at = after
    return tuple(moments), tuple(round(each.total_seconds()) * _SECOND for each in offsets)


def _micros(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _zone(name: str) -> tzinfo:
    """As java.time.ZoneId reads it: a region, UTC, or an offset such as +02:00. Raises Refused."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    found = re.fullmatch(r"(?:UTC|GMT|UT|Z)?(?:([+-])(\d{1,2})(?::?(\d{2}))?)?", name)
    if found and name:
        sign, hours, minutes = found.groups()
        shift = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
        return timezone(-shift if sign == "-" else shift)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Refused(
            f"there is no time zone {name!r}.", fix="name a region such as Europe/Berlin, or +02:00."
        ) from error
