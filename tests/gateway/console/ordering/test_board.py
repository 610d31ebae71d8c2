from decimal import Decimal

from gateway.config.models import SiteFile
from gateway.console.ordering.board import Board, OrderTold
from gateway.contract.batches import Reading, ReadingBatch, Signal, SignalBatch
from gateway.contract.events import Event, Evidence
from tests.support.console import told

SITE = SiteFile.model_validate(
    {
        "site": {"name": "site"},
        "reader": [{"name": "io", "driver": "modbus_io", "port": "tcp://127.0.0.1:1"}],
        "control": {
            "point": [
                {
                    "device": "io",
                    "point": "feeder",
                    "actions": ["on"],
                    "roles": ["operator"],
                    "interlocks": ["signal lane loop = false", "reading m1 current:a < 5", "current_a < 5"],
                },
                {"device": "m2", "point": "relay", "actions": ["trip"], "roles": ["operator"]},
            ]
        },
    }
)
HEADER = {"gateway": "edge-1", "epoch": 1, "sequence": 1, "ordinal": 0}
ORDER = OrderTold(id="a" * 32, device="io", point="feeder", action="on", by="anna", user="anna", state="armed", at_us=5)


def signals(device: str, *found: Signal, at_us: int = 7) -> SignalBatch:
    return SignalBatch(**HEADER, device=device, received_at_us=at_us, signals=list(found))  # type: ignore[arg-type]  # the header is mixed


def readings(device: str, *found: Reading) -> ReadingBatch:
    return ReadingBatch(**HEADER, device=device, received_at_us=8, readings=list(found))  # type: ignore[arg-type]  # the header is mixed


def test_it_keeps_what_points_and_their_interlocks_are_about() -> None:
    board = Board(SITE)
    board.take(signals("io", Signal("feeder", value=True), Signal("other", value=True)))
    board.take(signals("lane", Signal("loop", value=False)))
    board.take(signals("stranger", Signal("loop", value=True)))
    board.take(
        readings(
            "m1",
            Reading("current", "31.7.0", Decimal("4.20"), "A", phase="a"),
            Reading("current", "51.7.0", Decimal(9), "A", phase="b"),
        )
    )
    board.take(readings("m2", Reading("active_power", "1.7.0", Decimal(1200), "W")))
    rows = told(board.follow({}))["rows"]
    assert rows["io/feeder"]["values"] == {
        "signal io feeder": {"value": True, "unit": None, "at_us": 7},
        "signal lane loop": {"value": False, "unit": None, "at_us": 7},
        "reading m1 current:a": {"value": "4.20", "unit": "A", "at_us": 8},
    }
    assert rows["m2/relay"]["values"] == {"reading m2 active_power": {"value": "1200", "unit": "W", "at_us": 8}}


def test_readings_of_one_tariff_and_absent_ones_are_told_apart() -> None:
    board = Board(SITE)
    board.take(readings("m2", Reading("active_power", "1.7.0", Decimal(1200), "W")))
    board.take(readings("m2", Reading("active_power", "1.7.0", Decimal(7), "W", tariff=1)))
    assert told(board.follow({}))["rows"]["m2/relay"]["values"]["reading m2 active_power"]["value"] == "1200"
    board.take(readings("m2", Reading("active_power", "1.7.0", None, "W", quality="absent")))
    assert told(board.follow({}))["rows"]["m2/relay"]["values"]["reading m2 active_power"]["value"] is None


def test_a_follower_hears_of_orders_until_they_are_over() -> None:
    board = Board(SITE)
    cursor = board.follow({})
    assert set(told(cursor)["rows"]) == {"io/feeder", "m2/relay"}
    board.show(ORDER)
    row = told(cursor)["rows"]["io/feeder"]
    assert (row["order"]["state"], row["last"]) == ("armed", None)
    over = OrderTold(
        **{**{name: getattr(ORDER, name) for name in ORDER.__struct_fields__}, "state": "verified", "is_over": True}
    )
    board.show(over)
    row = told(cursor)["rows"]["io/feeder"]
    assert (row["order"], row["last"]["state"]) == (None, "verified")
    assert not {"nonce", "reason", "signature"} & set(row["last"])


def test_what_is_of_no_point_changes_nothing() -> None:
    board = Board(SITE)
    cursor = board.follow({})
    told(cursor)
    board.take(
        Event(
            id="e",
            type="t",
            subject="s",
            at_us=1,
            evidence=Evidence(gateway="edge-1", epoch=1, sequence_from=1, sequence_to=1),
        )
    )
    board.take(signals("io", Signal("other", value=True)))
    board.show(OrderTold(id="b" * 32, device="io", point="gone", action="on", by="anna", state="armed", at_us=5))
    assert cursor.news() is None
