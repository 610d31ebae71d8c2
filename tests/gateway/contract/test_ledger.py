import msgspec
from hypothesis import given
from hypothesis import strategies as st

from gateway.contract.batches import ITEM_KINDS
from gateway.contract.ledger import Account, EdgeLedger, PointAccount, decode_edge_ledger

COUNT = st.integers(0, 10**9)


@given(COUNT, st.dictionaries(st.sampled_from(["a", "b"]), COUNT), COUNT, COUNT)
def test_an_account_balances_exactly_when_everything_is_somewhere(
    judged: int, dropped: dict[str, int], waiting: int, unjudged: int
) -> None:
    heard = judged + sum(dropped.values()) + waiting + unjudged
    account = Account(heard=heard, judged=judged, dropped=dropped, waiting=waiting, unjudged=unjudged)
    assert account.balanced
    assert account.queued == waiting + unjudged
    assert not Account(heard=heard + 1, judged=judged, dropped=dropped, waiting=waiting, unjudged=unjudged).balanced


@given(COUNT, COUNT, COUNT)
def test_points_balance(stored: int, refused: int, queued: int) -> None:
    made = stored + refused + queued
    assert PointAccount(made=made, stored=stored, refused=refused, queued=queued).balanced
    assert not PointAccount(made=made + 1, stored=stored, refused=refused, queued=queued).balanced


def test_an_edge_accounts_for_every_kind_and_one_that_knows_no_cards_is_understood() -> None:
    one = Account(heard=1, judged=1)
    ledger = EdgeLedger(
        gateway="edge-1", epoch=1, at_us=0, next_sequence=2, watermark=1, tag_reads=one, readings=one, signals=one
    )
    assert tuple(ledger.accounts) == ITEM_KINDS
    older = msgspec.json.decode(msgspec.json.encode(ledger))
    del older["cards"]
    assert decode_edge_ledger(msgspec.json.encode(older)) == ledger
