import csv
import io
import json
from pathlib import Path
from urllib.parse import quote

from gateway.console.pages.reads import harmless
from gateway.contract.batches import ReadBatch, TagRead, encode
from tests.support.console import Served, make_console, with_console

SGTIN = "3034257BF7194E4000001A85"
NASTY = '=HYPERLINK("http://evil.example","<script>")'


def a_batch(*reads: TagRead, device: str = "gate-1") -> bytes:
    return encode(ReadBatch(gateway="edge-1", device=device, received_at_us=5, reads=list(reads)))


def a_read(epc: str = SGTIN, **more: object) -> TagRead:
    fields = {"antenna_port": 1, "read_point": "in", "seen_at_us": 7, "rssi_dbm": -60.5, "pc_bits": 0x3000, **more}
    return TagRead(epc, **fields)  # type: ignore[arg-type]  # the fields of the test


def rows(raw: bytes) -> list[dict[str, str]]:
    assert raw.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline="")))


def test_what_matches_goes_out_as_csv_and_as_json_lines(tmp_path: Path) -> None:
    def body(served: Served) -> None:
        served.feed("gate-1/reads", a_batch(a_read(), a_read("AB" * 12, rssi_dbm=-80.0), a_read(seen_at_us=8)))
        answer = served.visitor.ask("GET", f"/api/reads/export?format=csv&mask={quote('3034*')}")
        assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert answer.headers["Content-Disposition"] == 'attachment; filename="reads-site.csv"'
        found = rows(answer.raw)
        assert [row["seen_at_us"] for row in found] == ["7", "8"]
        first = found[0]
        assert (first["epc"], first["rssi_dbm"], first["device"], first["tid"]) == (SGTIN, "-60.5", "gate-1", "")
        answer = served.visitor.ask("GET", "/api/reads/export?format=jsonl&rssi_least_dbm=-70")
        assert [json.loads(line)["epc"] for line in answer.raw.splitlines()] == [SGTIN, SGTIN]
        assert len(rows(served.visitor.ask("GET", "/api/reads/export").raw)) == 3

    with_console(make_console(tmp_path), body)


def test_cells_that_would_be_formulas_are_made_harmless(tmp_path: Path) -> None:
    for text in ("=1", "+1", "-1", "@x", "\t=1", "\r", " =1", "\n=1"):
        assert harmless(text) == f"'{text}"
    for value in ("", "a=1", "gate-1", -60.5, None):
        assert harmless(value) == value

    def body(served: Served) -> None:
        nasty = a_read(read_point=NASTY, tid='a"b\r\nc', user_memory="-2+3")
        served.feed("gate-1/reads", a_batch(nasty, device="@gate"))
        (row,) = rows(served.visitor.ask("GET", "/api/reads/export").raw)
        assert row["read_point"] == f"'{NASTY}"
        assert (row["device"], row["tid"], row["user_memory"]) == ("'@gate", 'a"b\r\nc', "'-2+3")
        assert row["rssi_dbm"] == "-60.5"  # a number, and no text of a device

    with_console(make_console(tmp_path), body)


def test_wrong_filters_and_formats_are_refused_with_text(tmp_path: Path) -> None:
    def body(served: Served) -> None:
        for path in ("/api/reads/check?mask=xyz", "/api/reads/export?mask=xyz"):
            assert "'XYZ' is no EPC mask" in served.refused(path)
        assert served.get("/api/reads/check?mask=3034*&unknown=1") == {}
        assert served.refused("/api/reads/export?format=xls") == "format: 'xls' is none; there are csv, jsonl"

    with_console(make_console(tmp_path), body)


def test_there_is_to_choose_from_what_is_heard(tmp_path: Path) -> None:
    def body(served: Served) -> None:
        assert served.get("/api/reads/choices") == {
            "scheme": ["none"], "device": [], "read_point": [], "antenna_port": [],
        }  # fmt: skip
        served.feed("gate-1/reads", a_batch(a_read(), a_read("FF" * 12, antenna_port=3, read_point="out")))
        assert served.get("/api/reads/choices") == {
            "scheme": ["none", "sgtin-96"], "device": ["gate-1"], "read_point": ["in", "out"], "antenna_port": [1, 3],
        }  # fmt: skip

    with_console(make_console(tmp_path), body)


def test_what_a_tag_says(tmp_path: Path) -> None:
    def body(served: Served) -> None:
        found = served.get(f"/api/reads/tag?epc={SGTIN}&pc_bits=12288")
        uri = "urn:epc:id:sgtin:0614141.812345.6789"  # as the standard has it
        assert found["said"] == {"scheme": "sgtin-96", "uri": uri, "container_code": None}
        assert (found["events"], found["damaged"]) == ([], [])
        assert served.get("/api/reads/tag?epc=no+hex")["said"] is None
        assert "must have 1 to 248 characters" in served.refused("/api/reads/tag")
        assert "must have 1 to 248 characters" in served.refused(f"/api/reads/tag?epc={'A' * 249}")
        assert "pc_bits: 'x' must be a number" in served.refused(f"/api/reads/tag?epc={SGTIN}&pc_bits=x")

    with_console(make_console(tmp_path), body)


def test_without_a_journal_a_tag_still_says_what_it_is(tmp_path: Path) -> None:
    sink = '[[sink]]\nkind = "influxdb"\nname = "main"\nurl = "http://127.0.0.1:1"\n'

    def body(served: Served) -> None:
        found = served.get(f"/api/reads/tag?epc={SGTIN}")
        assert (found["said"]["scheme"], found["events"]) == ("sgtin-96", None)

    with_console(make_console(tmp_path, sink), body)


def test_the_stream_shows_what_the_filter_lets_through(tmp_path: Path) -> None:
    def body(served: Served) -> None:
        served.feed("gate-1/reads", a_batch(a_read(), a_read("AB" * 12)))
        with served.stream(f"parts=reads&reads.mask={quote('3034*')}") as messages:
            first = next(messages)[1]
            assert ([row["epc"] for row in first["rows"]], first["matched"]) == ([SGTIN], 1)
            served.feed("gate-1/reads", a_batch(a_read("AB" * 12)))
            served.feed("gate-1/reads", a_batch(a_read(seen_at_us=9)))
            assert [row["seen_at_us"] for row in next(messages)[1]["rows"]] == [9]

    with_console(make_console(tmp_path), body)
