from __future__ import annotations

import contextlib
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.errors import FrameError
from simulator.llrp.codec import (
    HEADER,
    LARGEST_MESSAGE_BYTES,
    Bits,
    Decoder,
    Frame,
    Node,
    RefusedError,
    Status,
    Value,
    decode,
    encode,
    encode_parameter,
    header,
    message_name,
    node,
    success,
)
from simulator.llrp.shapes import MESSAGES, PARAMETERS, Shape

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "simulator" / "llrp.json").read_text())


def as_json(tree: Node) -> dict[str, Any]:
    def plain(value: Value) -> Any:
        if isinstance(value, Bits):
            return [value.length, value.data.hex()]
        if isinstance(value, bytes):
            return value.hex()
        return list(value) if isinstance(value, tuple) else value

    fields = {name: plain(value) for name, value in tree.fields.items()}
    return {"name": tree.name, "fields": fields, "children": [as_json(child) for child in tree.children]}


def frame_of(data: bytes) -> Frame:
    (frame,) = Decoder().feed(data)
    return frame


@pytest.mark.parametrize("vector", VECTORS["messages"], ids=lambda vector: vector["name"])
def test_what_another_implementation_wrote_is_read_and_written_alike(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["hex"])
    frame = frame_of(data)
    tree = decode(frame)
    assert as_json(tree) == vector["tree"]
    assert encode(tree, frame.message_id, frame.version) == data


def value(kind: str, rng: random.Random) -> Value:
    if kind == "utf8":
        return "".join(rng.choices("aé中", k=rng.randrange(9)))
    if kind in {"bits", "rest"}:
        data = rng.randbytes(rng.randrange(9))
        return data if kind == "rest" else Bits(8 * len(data), data)
    width = int(kind[1:])
    if kind[0] == "a":
        return tuple(rng.getrandbits(width) for _ in range(rng.randrange(4)))
    return rng.getrandbits(width) - ((1 << width - 1) if kind[0] == "s" else 0)


def tree_of(shape: Shape, rng: random.Random, depth: int = 0) -> Node:
    """A random tree of that shape."""
    fields = {name: value(kind, rng) for name, kind in shape.fields if not kind.startswith("_")}
    children = []
    for slot in shape.slots:
        most = slot.least if depth > 3 else max(slot.least, min(slot.most or 2, 2))
        chosen = [PARAMETERS[rng.choice(slot.names)] for _ in range(rng.randint(slot.least, most))]
        children += [tree_of(each, rng, depth + 1) for each in chosen]
    return Node(shape.name, fields, children)


WELL_FORMED = sorted(set(MESSAGES) - {"CUSTOM_MESSAGE"})


@given(st.sampled_from(WELL_FORMED), st.integers(), st.integers(0, 0xFFFFFFFF))
def test_every_message_comes_back(name: str, seed: int, message_id: int) -> None:
    tree = tree_of(MESSAGES[name], random.Random(seed))
    frame = frame_of(encode(tree, message_id))
    assert (frame.message_id, frame.version) == (message_id, 1)
    assert without_known_custom(decode(frame)) == without_known_custom(tree)


def without_known_custom(tree: Node) -> Node:
    """A Custom parameter that happens to carry a known vendor's number comes back under its own name."""
    children = [without_known_custom(child) for child in tree.children if PARAMETERS[child.name].number != 1023]
    return Node(tree.name, tree.fields, children)


@given(st.binary(max_size=200), st.sampled_from(sorted(MESSAGES)))
def test_noise_in_a_body_is_refused_in_llrps_own_terms(body: bytes, name: str) -> None:
    frame = Frame(1, MESSAGES[name].number, 1, body)
    try:
        tree = decode(frame)
    except RefusedError as refused:
        status = refused.status(name)
        assert status.number("StatusCode") in set(Status)
        assert frame_of(encode(node("ERROR_MESSAGE", status), 1))
    else:
        assert tree.name in MESSAGES


@given(st.binary(max_size=300), st.lists(st.integers(1, 20), max_size=40))
def test_noise_in_the_stream_raises_nothing_but_frame_error(noise: bytes, sizes: list[int]) -> None:
    decoder, at = Decoder(), 0
    with contextlib.suppress(FrameError):
        for size in sizes:
            list(decoder.feed(noise[at : at + size]))
            at += size


@pytest.mark.parametrize("length", [0, 9, LARGEST_MESSAGE_BYTES + 1, 0xFFFFFFFF])
def test_an_impossible_length_is_a_frame_error(length: int) -> None:
    with pytest.raises(FrameError, match=f"a message of {length} bytes; allowed are 10 to {LARGEST_MESSAGE_BYTES}"):
        list(Decoder().feed(header(20, length, 1)))


@given(st.integers(1, 60))
def test_slicing_never_matters(size: int) -> None:
    stream = b"".join(bytes.fromhex(vector["hex"]) for vector in VECTORS["messages"])
    decoder = Decoder()
    frames = [frame for at in range(0, len(stream), size) for frame in decoder.feed(stream[at : at + size])]
    assert len(frames) == len(VECTORS["messages"])
    assert (
        b"".join(HEADER.pack(f.version << 10 | f.type, 10 + len(f.body), f.message_id) + f.body for f in frames)
        == stream
    )


CONTINUED = encode_parameter(node("KeepaliveSpec", KeepaliveTriggerType=1, PeriodicTriggerValue=5))
FAULTS = {
    "unknown parameter": ("SET_READER_CONFIG", b"\x00" + bytes.fromhex("03000004"), Status.M_UNKNOWN_PARAMETER),
    "unknown TV": ("SET_READER_CONFIG", b"\x00\xff", Status.P_UNKNOWN_PARAMETER),
    "twice": ("SET_READER_CONFIG", b"\x00" + CONTINUED * 2, Status.M_DUPLICATE_PARAMETER),
    "missing": ("ADD_ROSPEC", b"", Status.M_MISSING_PARAMETER),
    "out of place": ("ADD_ROSPEC", CONTINUED, Status.M_MISSING_PARAMETER),
    "not wanted": ("GET_ROSPECS", CONTINUED, Status.M_UNEXPECTED_PARAMETER),
    "not wanted here": ("SET_READER_CONFIG", b"\x00" + encode_parameter(success()), Status.M_UNEXPECTED_PARAMETER),
    "cut field": ("DELETE_ROSPEC", b"\x00\x00", Status.M_FIELD_ERROR),
    "length lies": ("SET_READER_CONFIG", b"\x00" + bytes.fromhex("00DC00FF01"), Status.M_PARAMETER_ERROR),
    "length zero": ("SET_READER_CONFIG", b"\x00" + bytes.fromhex("00DC0000"), Status.M_PARAMETER_ERROR),
    "half a header": ("SET_READER_CONFIG", b"\x00\x00\xdc", Status.M_FIELD_ERROR),
}


@pytest.mark.parametrize(("name", "body", "code"), FAULTS.values(), ids=FAULTS.keys())
def test_a_malformed_message_is_refused_with_the_right_code(name: str, body: bytes, code: Status) -> None:
    with pytest.raises(RefusedError) as refused:
        decode(Frame(1, MESSAGES[name].number, 1, body))
    assert refused.value.code is code


def test_parameters_may_not_nest_without_end() -> None:
    error = node("ParameterError", ParameterType=1, ErrorCode=200)
    for _ in range(40):
        error = node("ParameterError", error, ParameterType=1, ErrorCode=200)
    message = node("ERROR_MESSAGE", node("LLRPStatus", error, StatusCode=100, ErrorDescription=""))
    with pytest.raises(RefusedError, match="nest deeper than 16"):
        decode(frame_of(encode(message, 1)))


def test_a_refusal_names_the_way_to_the_fault() -> None:
    refused = RefusedError(Status.A_OUT_OF_RANGE, "too much", ("ROSpec", "AISpec"), "AntennaIDs")
    status = refused.status("ADD_ROSPEC")
    outer = status.need("ParameterError")
    inner = outer.need("ParameterError")
    assert (status.number("StatusCode"), status.fields["ErrorDescription"]) == (Status.M_PARAMETER_ERROR, "too much")
    assert (outer.number("ParameterType"), outer.number("ErrorCode")) == (177, Status.P_PARAMETER_ERROR)
    assert (inner.number("ParameterType"), inner.number("ErrorCode")) == (183, Status.P_FIELD_ERROR)
    assert inner.need("FieldError").fields == {"FieldNum": 0, "ErrorCode": Status.A_OUT_OF_RANGE}


def test_a_message_has_a_name_by_its_type_alone() -> None:
    assert message_name(Frame(1, 20, 1, b"")) == "ADD_ROSPEC"
    assert message_name(Frame(1, 999, 1, b"")) is None
    with pytest.raises(RefusedError, match="message type 999 is not supported"):
        decode(Frame(1, 999, 1, b""))
