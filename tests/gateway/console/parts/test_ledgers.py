import msgspec

from gateway.console.parts.ledgers import LEDGERS_MOST, Ledgers
from gateway.contract.ledger import Account, EdgeLedger

BOOK = EdgeLedger(
    gateway="edge-1", epoch=1, at_us=1, next_sequence=2, watermark=1, tag_reads=Account(), readings=Account(),
    signals=Account(),
)  # fmt: skip


def test_a_ledger_says_whether_it_balances() -> None:
    ledgers = Ledgers()
    ledgers.take(BOOK)
    lost = Account(heard=5, journalled=5, judged=4)
    ledgers.take(msgspec.structs.replace(BOOK, gateway="edge-2", tag_reads=lost))
    assert {name: book["balanced"] for name, book in ledgers.whole().items()} == {"edge-1": True, "edge-2": False}


def test_what_strangers_publish_is_bounded() -> None:
    ledgers = Ledgers()
    for number in range(LEDGERS_MOST + 5):
        ledgers.take(msgspec.structs.replace(BOOK, gateway=f"edge-{number}"))
    assert len(ledgers.whole()) == LEDGERS_MOST
