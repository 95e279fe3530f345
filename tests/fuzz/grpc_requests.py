"""Malformed gRPC requests to a Triton: each kind a function of a random generator, which gives a method and its bytes."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from typing import Any

from tritonclient.grpc import service_pb2 as pb

from tests.fuzz.asked import MODELS

Call = tuple[str, bytes]
Make = Callable[[random.Random], Call]
INFER, STREAM = "ModelInfer", "ModelStreamInfer"
READING = ("ServerLive", "ModelReady", "ModelMetadata", "ModelConfig", "ModelStatistics", "ServerMetadata")
CONTROL = ("RepositoryIndex", "RepositoryModelLoad", "RepositoryModelUnload", "SystemSharedMemoryRegister", "LogSettings",
           "SystemSharedMemoryUnregister", "CudaSharedMemoryRegister", "TraceSetting")  # fmt: skip


def text(*values: bytes) -> bytes:
    return b"".join(struct.pack("<I", len(one)) + one for one in values)


def valid(r: random.Random, model: str | None = None) -> Any:
    model = model or r.choice(list(MODELS))
    asked = pb.ModelInferRequest(model_name=model)
    for name, kind, shape in MODELS[model]:
        asked.inputs.append(pb.ModelInferRequest.InferInputTensor(name=name, datatype=kind, shape=shape))
        values = [r.choice([b"UA", b"\xc3\x9f", b""]) for _ in range(shape[0] * shape[1])]
        number = struct.pack("<q", r.randrange(4)) if kind == "INT64" else struct.pack("<d", r.random())
        asked.raw_input_contents.append(text(*values) if kind == "BYTES" else number)
    return asked


def bytes_of(asked: Any, method: str = INFER) -> Call:
    return method, asked.SerializeToString()


def garbage(r: random.Random) -> Call:
    method = r.choice([INFER, *READING, *CONTROL, "Nothing"])
    return method, bytes(r.randrange(256) for _ in range(r.randrange(300)))


def cut(r: random.Random) -> Call:
    whole = valid(r).SerializeToString()
    return INFER, whole[: r.randrange(len(whole))]


def flipped(r: random.Random) -> Call:
    whole = bytearray(valid(r).SerializeToString())
    for _ in range(r.randint(1, 5)):
        whole[r.randrange(len(whole))] = r.randrange(256)
    return INFER, bytes(whole)


def shapes(r: random.Random) -> Call:
    asked = valid(r)
    one = r.choice(asked.inputs)
    del one.shape[:]
    one.shape.extend(r.choice([[], [0], [-1, 1], [1], [1, 1, 1], [9, 1], [1] * 300, [1, 0], [-(2**63), 1]]))
    return bytes_of(asked)


def huge_shape(r: random.Random) -> Call:
    asked = valid(r)
    one = r.choice(asked.inputs)
    del one.shape[:]
    one.shape.extend(r.choice([[2**62], [2**40], [2**31, 2**31], [2**63 - 1, 2], [1, 2**61]]))
    return bytes_of(asked)


def raw_lengths(r: random.Random) -> Call:
    asked = valid(r)
    at = r.randrange(len(asked.raw_input_contents))
    match r.randrange(4):
        case 0:
            asked.raw_input_contents[at] = asked.raw_input_contents[at][: r.randrange(4)]
        case 1:
            asked.raw_input_contents[at] += bytes(r.randrange(1, 100_000))
        case 2:
            del asked.raw_input_contents[at]
        case _:
            asked.raw_input_contents.extend([b"\0" * 8] * r.choice([1, 1000]))
    return bytes_of(asked)


def string_lengths(r: random.Random) -> Call:
    asked = valid(r, r.choice(["text", "words", "carriers"]))
    lengths = [0, 1, 4, 2**31 - 1, 2**31, 2**32 - 1]
    asked.raw_input_contents[0] = b"".join(struct.pack("<I", r.choice(lengths)) + b"UA" for _ in range(r.randint(1, 4)))
    return bytes_of(asked)


def texts(r: random.Random) -> Call:
    asked = valid(r, "text")
    asked.raw_input_contents[0] = text(r.choice([b"\xff", b"\xed\xa0\x80", b"a\0b", b"\xc0\x80", b"\xf5\x80\x80\x80"]))
    return bytes_of(asked)


def counts(r: random.Random) -> Call:
    asked = valid(r)
    number = r.choice([2, 100, 5000])
    if r.random() < 0.5:
        asked.inputs.extend([asked.inputs[0]] * number)
    else:
        for i in range(number):
            asked.outputs.add().name = r.choice(["doubled", "invalid", f"nothing{i}"])
    return bytes_of(asked)


def contents(r: random.Random) -> Call:
    """Typed contents: of another type, beside the raw ones, or too many."""
    asked = valid(r)
    held = r.choice(asked.inputs).contents
    held.fp64_contents.extend([1.0] * r.choice([1, 3, 1000]))
    if r.random() < 0.5:
        held.bytes_contents.extend([b"a"] * r.choice([1, 3]))
    if r.random() < 0.5:
        del asked.raw_input_contents[:]
    return bytes_of(asked)


def parameters(r: random.Random) -> Call:
    asked = valid(r)
    where = r.choice([asked.parameters, asked.inputs[0].parameters])
    name = r.choice(["priority", "timeout", "sequence_id", "sequence_start", "classification", "shared_memory_region",
                     "shared_memory_byte_size", "binary_data_size", "x" * 500, "triton_x", ""])  # fmt: skip
    match r.randrange(3):
        case 0:
            where[name].int64_param = r.choice([0, -1, 2**62])
        case 1:
            where[name].string_param = r.choice(["", "a" * 5000])
        case _:
            where[name].bool_param = True
    one = asked.outputs.add()
    one.name = r.choice(["doubled", "invalid", "nothing"])
    if r.random() < 0.5:
        one.parameters["classification"].int64_param = r.choice([0, 1, -1, 2**40])
    return bytes_of(asked)


def classified_text(r: random.Random) -> Call:
    asked = valid(r, "text")
    asked.outputs.add().name = "text_out"
    asked.outputs[0].parameters["classification"].int64_param = r.choice([1, 2, 1000])
    return bytes_of(asked)


def names(r: random.Random) -> Call:
    """Models, versions and tensors that are not there; names that are no UTF-8."""
    asked = valid(r)
    asked.model_version = r.choice(["", "0", "-1", "abc", "9" * 30, "1"])
    asked.id = r.choice(["", "a" * 5000])
    asked.inputs[0].name = r.choice(["", "nothing", "text", "a" * 5000])
    asked.inputs[0].datatype = r.choice(["", "BYTES", "FP64", "nothing", "BF16"])
    whole = asked.SerializeToString()
    return INFER, whole.replace(b"text", b"te\xfft") if r.random() < 0.3 else whole


def streams(r: random.Random) -> Call:
    _, content = r.choice([cut, flipped, shapes, raw_lengths, names, string_lengths])(r)
    return STREAM, content


def control(r: random.Random) -> Call:
    """Without the header."""
    asked = pb.RepositoryModelUnloadRequest(model_name="text")
    return r.choice(CONTROL), r.choice([b"", asked.SerializeToString()])


def reading(r: random.Random) -> Call:
    asked = pb.ModelMetadataRequest(name=r.choice(["", "text", "a" * 5000]), version=r.choice(["", "-1", "9" * 30]))
    return r.choice(READING), asked.SerializeToString()


KINDS: dict[str, tuple[Make, int]] = {
    "garbage for a message": (garbage, 60),
    "a message cut short": (cut, 60),
    "a message with bytes flipped": (flipped, 80),
    "a wrong shape": (shapes, 60),
    "raw contents too long, too short, too many": (raw_lengths, 60),
    "lengths of strings that lie": (string_lengths, 60),
    "texts that are none": (texts, 40),
    "thousands of inputs and outputs": (counts, 20),
    "typed contents of another type": (contents, 60),
    "odd parameters": (parameters, 60),
    "odd names and versions": (names, 60),
    "streams": (streams, 40),
    "control without the header": (control, 40),
    "odd questions": (reading, 40),
}
DEADLY: dict[str, Make] = {"a shape of 2^40 and more": huge_shape, "classification of a text": classified_text}
"""What is known, or likely, to end Triton 2.51."""
