"""How Spark writes a call inside the name of a column: most by the name they are called by, some by another.

A function that is not here has no known name: aggregates and what Spark's parser or analyzer rewrites.
Source: FunctionRegistry.expressions (FUNC_ALIAS), prettyName and sql of catalyst/expressions/*.scala; measured on 3.5 and 4.3
"""

from __future__ import annotations

from collections.abc import Sequence

_WHOLE = "2147483647"
_CASTS = frozenset(
    {
        "boolean", "tinyint", "smallint", "int", "bigint", "float", "double", "decimal", "date", "timestamp", "binary",
        "string",
    }
)  # fmt: skip  # functions, which are no casts to the name: it is their argument's
_UPPER = frozenset(
    {
        "exp", "expm1", "log2", "log10", "log1p", "power", "sqrt", "signum", "degrees", "radians", "pi", "e", "cbrt", "sin",
        "cos", "tan", "cot", "sec", "csc", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh",
        "atan2", "hypot", "rlike", "regexp", "regexp_like",
    }
)  # fmt: skip
_SAME = frozenset(
    {
        "abs", "add_months", "ascii", "base64", "bin", "bit_length", "bround", "btrim", "ceiling", "char", "char_length",
        "character_length", "chr", "coalesce", "concat", "concat_ws", "contains", "crc32", "date_add", "date_diff",
        "date_format", "date_part", "date_sub", "date_trunc", "datediff", "day", "dayofmonth", "dayofweek", "dayofyear",
        "decode", "elt", "endswith", "equal_null", "factorial", "format_number", "format_string", "from_utc_timestamp",
        "greatest", "hash", "hex", "hour", "ifnull", "initcap", "instr", "isnan", "last_day", "lcase", "least", "left",
        "len", "length", "levenshtein", "ln", "lower", "make_date", "md5", "minute", "mod", "month", "nanvl", "negative",
        "next_day", "nullif", "nvl", "nvl2", "octet_length", "pmod", "pow", "quarter", "repeat", "reverse", "right",
        "rint", "round", "second", "sha", "sha1", "sha2", "shiftleft", "sign", "soundex", "startswith", "to_date",
        "to_timestamp", "translate", "trunc", "try_add", "try_divide", "try_multiply", "try_subtract", "typeof", "ucase",
        "unix_date", "unix_seconds", "upper", "weekday", "weekofyear", "width_bucket", "xxhash64", "year",
    }
)  # fmt: skip
_MODERN = frozenset({"between", "dayname", "monthname", "zeroifnull", "nullifzero"})  # of Spark 4
_FILLED = {  # what Spark adds where an argument is left out: function, arguments given → the missing ones
    ("round", 1): ("0",),
    ("bround", 1): ("0",),
    ("substr", 2): (_WHOLE,),
    ("substring", 2): (_WHOLE,),
    ("replace", 2): ("",),
    ("lpad", 2): (" ",),
    ("rpad", 2): (" ",),
    ("regexp_replace", 3): ("1",),
    ("locate", 2): ("1",),
    ("position", 2): ("1",),
    ("split", 2): ("-1",),
    ("months_between", 2): ("true",),
}
_FILLED_WHOLE = {"substr": 3, "substring": 3, "replace": 3, "lpad": 3, "rpad": 3, "locate": 3, "split": 3}
_TRIMS = {"trim": "BOTH", "ltrim": "LEADING", "rtrim": "TRAILING"}


def function_title(name: str, arguments: Sequence[str], modern: bool) -> str | None:
    """The call, as Spark writes it; None where that is not known. `name` in lower case; `modern`: Spark 4.0 or newer."""
    count = len(arguments)
    match name, count:
        case "if", 3:
            return f"(IF({', '.join(arguments)}))"
        case "isnull", 1:
            return f"({arguments[0]} IS NULL)"
        case "isnotnull", 1:
            return f"({arguments[0]} IS NOT NULL)"
        case "positive", 1:
            return f"(+ {arguments[0]})"
        case "log", 1:
            return f"LOG(E(), {arguments[0]})"
        case "log", 2:
            return f"LOG({', '.join(arguments)})"
        case "like", 2:
            return f"{arguments[0]} LIKE {arguments[1]}"
        case "datepart", 2:
            return f"datepart({arguments[0]} FROM {arguments[1]})"
        case (("floor" | "ceil"), (1 | 2)):
            return f"{name.upper() if count == 1 else name}({', '.join(arguments)})"
        case (("trim" | "ltrim" | "rtrim"), 1):
            return f"{name}({arguments[0]})"
        case (("trim" | "ltrim" | "rtrim"), 2):
            return f"TRIM({_TRIMS[name]} {arguments[0]} FROM {arguments[1]})"
    if name in _CASTS:
        return arguments[0] if count == 1 else None
    if (name, count) in _FILLED:
        return f"{name}({', '.join([*arguments, *_FILLED[name, count]])})"
    if name in _UPPER:
        return f"{name.upper()}({', '.join(arguments)})"
    if name in _SAME or _FILLED_WHOLE.get(name) == count or (modern and name in _MODERN):
        return f"{name}({', '.join(arguments)})"
    return None
