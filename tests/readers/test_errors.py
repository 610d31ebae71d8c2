from __future__ import annotations

import pickle

from readers.errors import FrameError, LinkError, ReaderBusyError, ReaderError


def test_a_frame_error_shows_what_where_and_the_bytes() -> None:
    error = FrameError("checksum", "sum 12 is wrong", bytes([0xBB, 0x01]))
    assert str(error) == "checksum: sum 12 is wrong in BB 01"
    assert str(FrameError("length", "too long")) == "length: too long"


def test_a_long_frame_is_cut() -> None:
    text = str(FrameError("length", "too long", bytes(100)))
    assert text.endswith("00 ...")
    assert text.count("00") == 64


def test_a_frame_error_survives_a_process_border() -> None:
    error = FrameError("length", "too long", b"\x01")
    again = pickle.loads(pickle.dumps(error))
    assert (again.reason, again.detail, again.frame) == ("length", "too long", b"\x01")


def test_a_busy_reader_is_a_link_to_try_again() -> None:
    assert issubclass(ReaderBusyError, LinkError)
    assert issubclass(LinkError, ReaderError)
