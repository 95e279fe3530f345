"""Malformed HTTP requests to a Triton: each kind a function of a random generator, which gives the bytes to send."""

from __future__ import annotations

import gzip
import json
import random
import struct
import zlib
from collections.abc import Callable
from typing import Any

from tests.fuzz.asked import MODELS, VALUES, mutated, tensor

Make = Callable[[random.Random], bytes]
JSON, LEFT = "json", "left"

SHAPES = [[], [0], [-1, 1], [1], [1, 1, 1], [2, 1], [1] * 200, [1.5, 1], ["1", 1], [None, 1], [1, 3_000_000], {}, 7]


def request(path: str, content: bytes, *headers: str, method: str = "POST") -> bytes:
    """A whole request; Content-Length unless a header frames it otherwise."""
    framed = any(line.lower().startswith(("content-length", "transfer-encoding")) for line in headers)
    lines = [f"{method} {path} HTTP/1.1", "Host: x", *headers, *([] if framed else [f"Content-Length: {len(content)}"])]
    return "\r\n".join(lines).encode("utf-8", "surrogatepass") + b"\r\n\r\n" + content


def infer(r: random.Random, content: bytes | None = None, *headers: str) -> bytes:
    model = r.choice(list(MODELS))
    return request(f"/v2/models/{model}/infer", valid(r, model) if content is None else content, *headers)


def valid(r: random.Random, model: str) -> bytes:
    return json.dumps({"inputs": [tensor(r, spec) for spec in MODELS[model]]}).encode()


def tree(r: random.Random) -> tuple[str, dict[str, Any]]:
    model = r.choice(list(MODELS))
    return model, json.loads(valid(r, model))


def sent(model: str, told: Any) -> bytes:
    return request(f"/v2/models/{model}/infer", json.dumps(told).encode("utf-8", "surrogatepass"))


def cut(r: random.Random) -> bytes:
    whole = valid(r, r.choice(list(MODELS)))
    return infer(r, whole[: r.randrange(len(whole))])


def flipped(r: random.Random) -> bytes:
    whole = bytearray(valid(r, r.choice(list(MODELS))))
    for _ in range(r.randint(1, 8)):
        whole[r.randrange(len(whole))] = r.randrange(256)
    return infer(r, bytes(whole))


def other_values(r: random.Random) -> bytes:
    model, told = tree(r)
    for _ in range(r.randint(1, 3)):
        told = mutated(r, told, VALUES)
    return sent(model, told)


def shapes(r: random.Random) -> bytes:
    model, told = tree(r)
    r.choice(told["inputs"])["shape"] = r.choice(SHAPES)
    return sent(model, told)


def huge_shape(r: random.Random) -> bytes:
    model, told = tree(r)
    r.choice(told["inputs"])["shape"] = r.choice([[2**62], [2**40], [2**31, 2**31], [2**63 - 1, 2], [1, 2**61]])
    return sent(model, told)


def nested(r: random.Random) -> bytes:
    return _nested(r, r.choice([2, 30, 300, 2000]))


def very_nested(r: random.Random) -> bytes:
    return _nested(r, 100_000)


def _nested(r: random.Random, depth: int) -> bytes:
    model, told = tree(r)
    r.choice(told["inputs"])["data"] = "HERE"
    opened, closed = (b"[", b"]") if r.random() < 0.7 else (b'{"a":', b"}")
    inside = opened * depth + b"1" + closed * r.choice([depth, 0])
    return request(f"/v2/models/{model}/infer", json.dumps(told).encode().replace(b'"HERE"', inside))


def binary(r: random.Random) -> bytes:
    """Sizes that lie: of the header, of a tensor, of a string within it."""
    told = {"inputs": [{"name": "text", "shape": [1, 1], "datatype": "BYTES"}]}
    lengths = [0, 1, 5, 9, 255, 2**31, 2**32 - 1]
    data = struct.pack("<I", r.choice(lengths)) + b"hello"
    told["inputs"][0]["parameters"] = {"binary_data_size": r.choice([len(data), 0, 1, -1, 10**6, 2**63, "9", 9.5])}
    if r.random() < 0.5:
        told["outputs"] = [{"name": "text_out", "parameters": {"binary_data": r.choice([True, False, 1, "x"])}}]
    head = json.dumps(told).encode()
    length = r.choice([len(head), 0, 1, len(head) - 1, len(head) + 1, 10**9, -1, "x", 2**64])
    return request("/v2/models/text/infer", head + data, f"Inference-Header-Content-Length: {length}")


def chunked(r: random.Random) -> bytes:
    whole = valid(r, r.choice(list(MODELS)))
    if r.random() < 0.5:
        parts = b"".join(b"1\r\n%c\r\n" % byte for byte in whole) + b"0\r\n\r\n"
    else:
        size = r.choice(
            [b"-1", b"ffffffffffffffff", b"7fffffff", b"zz", b"", b"0x5", b"5;a=b", b"000000000000000000005"]
        )
        parts = size + b"\r\n" + whole + b"\r\n0\r\n\r\n"
    return infer(r, parts, "Transfer-Encoding: chunked", *r.choice([[], ["Content-Length: 5"]]))


def many_chunks(r: random.Random) -> bytes:
    return infer(r, b"1\r\n \r\n" * 1_000_000 + b"0\r\n\r\n", "Transfer-Encoding: chunked")


def paths(r: random.Random) -> bytes:
    names = ["text", "x" * r.choice([1, 300, 9000]), "%00", "..%2f..", "ü", "", "a b", "text/versions/" + r.choice(
        ["0", "-1", "abc", "1" * 30, "1"])]  # fmt: skip
    ends = ["infer", "ready", "config", "stats", "", "generate", "generate_stream", "trace/setting", "x" * 50]
    path = r.choice(["/v2/models/{}/{}", "/v2/{}/{}", "/{}{}", "//v2//models/{}//{}", "*{}{}", "http://x/{}/{}"])
    method = r.choice(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "CONNECT", "BREW", ""])
    return request(path.format(r.choice(names), r.choice(ends)), r.choice([b"", b"{}"]), method=method)


def control(r: random.Random) -> bytes:
    """Without the header."""
    path = r.choice([
        "/v2/repository/index", "/v2/repository/models/text/unload", "/v2/repository/models/text/load", "/v2/logging",
        "/v2/trace/setting", "/v2/systemsharedmemory/region/a/register", "/v2/cudasharedmemory/unregister",
        "/v2/repository/models/text/load/", "/V2/repository/models/text/unload", "/v2//repository/models/text/unload",
        "/v2/repository/models/text/unload?x=1", "/v2/repository/models/%74ext/unload",
    ])  # fmt: skip
    content = r.choice([b"{}", b"", b'{"parameters": {"config": "{}", "file:1/model.py": "raise"}}'])
    return request(path, content, *r.choice([[], ["triton-control: guessed"]]), method=r.choice(["POST", "GET"]))


def headers(r: random.Random) -> bytes:
    given = r.choice([
        [f"X-{i}: {i}" for i in range(r.choice([100, 3000]))], ["X: " + "a" * r.choice([9000, 200_000])],
        ["Content-Length: -1"], ["Content-Length: 5", "Content-Length: 50"], ["Content-Length: 99999999999999999999"],
        ["Content-Length: 2147483648"], [": no name"], ["no colon"], ["X: a\0b"], ["X: a\nY: b"], ["Connection: upgrade"],
        ["Expect: 100-continue"], ["Transfer-Encoding: gzip, chunked"], ["Content-Type: \xff"],
        ["Content-Encoding: nothing"], ["Range: bytes=0-"],
    ])  # fmt: skip
    return infer(r, None, *given)


def compressed(r: random.Random) -> bytes:
    whole = valid(r, r.choice(list(MODELS)))
    kind = r.choice(["gzip", "deflate"])
    packed = gzip.compress(whole) if kind == "gzip" else zlib.compress(whole)
    if r.random() < 0.2:
        packed = gzip.compress(b"[" + b"1," * 2_000_000)  # 4 MB out of 4 kB
    elif r.random() < 0.7:
        packed = packed[: r.randrange(len(packed))] + bytes(r.randrange(256) for _ in range(r.randrange(9)))
    return infer(r, packed, f"Content-Encoding: {kind}")


def texts(r: random.Random) -> bytes:
    inner = r.choice(
        [b"\xff", b"\xed\xa0\x80", b"\\ud800", b"\\u0000", b"\xc0\x80", b"\xf5\x80\x80\x80", b"\\x", b"\0"]
    )
    content = b'{"inputs":[{"name":"text","shape":[1,1],"datatype":"BYTES","data":["' + inner + b'"]}]}'
    return request("/v2/models/text/infer", content)


def numbers(r: random.Random) -> bytes:
    value = r.choice(["1e400", "-1e400", "9" * 40, "-" + "9" * 40, "1.5", "NaN", "Infinity", "0x10", "01", "1e", "--1"])
    kind = r.choice(["FP64", "INT64", "INT8", "BOOL", "FP16", "BF16", "nothing", "UINT64"])
    content = '{"inputs":[{"name":"%s","shape":[1,1],"datatype":"%s","data":[%s]}]}' % (r.choice("xy"), kind, value)  # noqa: UP031
    return request("/v2/models/carriers/infer", content.encode())


def parameters(r: random.Random) -> bytes:
    model, told = tree(r)
    name = r.choice(["priority", "timeout", "sequence_id", "sequence_start", "binary_data_output", "headers", "x" * 999,
                     "triton_enable_empty_final_response", "triton_x"])  # fmt: skip
    told["parameters"] = {name: r.choice(VALUES)}
    if r.random() < 0.5:
        told["id"] = r.choice(VALUES)
    if r.random() < 0.5:
        asked = {"shared_memory_region": "x", "shared_memory_byte_size": r.choice([8, -1, 2**63, "8"])}
        r.choice(told["inputs"])["parameters"] = asked
    if r.random() < 0.5:
        counted = {"classification": r.choice([0, 1, 2, -1, 10**6, 2**40, "1", 1.5])}
        told["outputs"] = [{"name": r.choice(["doubled", "invalid", "nothing"]), "parameters": counted}]
    return sent(model, told)


def classified_text(r: random.Random) -> bytes:
    asked = [{"name": "text_out", "parameters": {"classification": r.choice([1, 2, 1000])}}]
    return sent("text", {"inputs": [tensor(r, MODELS["text"][0])], "outputs": asked})


def pipelined(r: random.Random) -> bytes:
    return b"".join(r.choice([infer, cut, paths, control])(r) for _ in range(r.randint(2, 6)))


def garbage(r: random.Random) -> bytes:
    return r.choice([
        bytes(r.randrange(256) for _ in range(r.randrange(1, 500))), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0" * 99,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40), b"GET / HTTP/9.9\r\n\r\n", b"\r\n" * 500, b"GET",
        b"GET /v2 HTTP/1.1\n\n", b"A" * 100_000,
    ])  # fmt: skip


def left(r: random.Random) -> bytes:
    """A part of a request: who sends it goes."""
    whole = r.choice([infer, chunked, headers, binary])(r)
    return whole[: r.randrange(1, len(whole))]


KINDS: dict[str, tuple[Make, int]] = {
    "JSON cut short": (cut, 50),
    "JSON with bytes flipped": (flipped, 50),
    "JSON with other values": (other_values, 80),
    "a wrong shape": (shapes, 50),
    "data nested up to 2,000 deep": (nested, 20),
    "binary sizes that lie": (binary, 80),
    "odd chunks": (chunked, 50),
    "odd methods and paths": (paths, 50),
    "control without the header": (control, 50),
    "odd headers": (headers, 50),
    "broken compression": (compressed, 30),
    "texts that are none": (texts, 50),
    "numbers that are none": (numbers, 50),
    "odd parameters": (parameters, 60),
    "several in one": (pipelined, 30),
    "garbage": (garbage, 30),
    "left in the middle": (left, 50),
}
DEADLY: dict[str, Make] = {
    "a shape of 2^40 and more": huge_shape,
    "data nested 100,000 deep": very_nested,
    "1,000,000 chunks of a byte": many_chunks,
    "classification of a text": classified_text,
}
"""What is known to end Triton 2.51."""
