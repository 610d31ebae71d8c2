import msgspec

from gateway.console.access.roles import Role
from gateway.console.live import Live
from gateway.console.pages.ledger import PAGE
from gateway.contract.ledger import Account, EdgeLedger


def test_everybody_who_looks_may_see_it_and_all_of_it_comes_by_the_stream() -> None:
    assert PAGE.least is Role.VIEWER
    live = Live("site")
    book = EdgeLedger(
        gateway="edge-1",
        epoch=1,
        at_us=1,
        next_sequence=2,
        watermark=1,
        tag_reads=Account(heard=7, judged=6, waiting=1),
        readings=Account(heard=1),
        signals=Account(),
    )
    live.feed("tagwharf/1/site/ledger/edge-1", msgspec.json.encode(book))
    news = live.parts["ledgers"].follow({}).news()
    assert news is not None
    assert news["rows"]["edge-1"]["tag_reads"]["judged"] == 6
    assert news["rows"]["edge-1"]["balanced"] is False  # a reading was heard and is nowhere
