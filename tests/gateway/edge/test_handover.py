import random

from hypothesis import given
from hypothesis import strategies as st

from gateway.config.models import Acknowledge
from gateway.contract.batches import TickBatch
from gateway.contract.flow import Ack, Resume, RulesStatus
from gateway.edge.handover import NO_PROGRESS_S, Handover, Release
from tests.support.rules_peer import Peer

EPOCH = 77


def handover(watermark: int = 0, window: int = 10, acknowledge: Acknowledge = Acknowledge.RULES) -> Handover:
    return Handover(EPOCH, watermark, window, acknowledge, 0.0)


def ack(sequence: int, received: int, session: str = "s1", resend_from: int | None = None, epoch: int = EPOCH) -> Ack:
    return Ack(
        gateway="edge-1",
        epoch=epoch,
        session=session,
        sequence=sequence,
        received=received,
        resend_from=resend_from,
        judged={"reads": sequence},
    )


def send(flow: Handover, count: int) -> None:
    for _ in range(count):
        flow.sent(flow.next, 0.0)


def test_without_rules_everything_is_sent_once() -> None:
    flow = handover(watermark=5)
    assert (flow.next, flow.limit, flow.announce) == (6, None, True)
    send(flow, 1_000)
    assert flow.next == 1_006


def test_rules_online_bound_what_is_sent_ahead() -> None:
    flow = handover()
    flow.heard_rules(RulesStatus(session="s1", online=True), 0.0)
    assert flow.limit == 10
    send(flow, 10)
    assert flow.heard_ack(ack(2, 4), 0.1) == Release(2, "s1", {"reads": 2})
    assert (flow.limit, flow.next, flow.on_their_way_from) == (14, 11, 3)


def test_a_new_session_begins_at_its_watermark() -> None:
    flow = handover()
    flow.heard_rules(RulesStatus(session="s1", online=True), 0.0)
    flow.heard_ack(ack(0, 0), 0.0)
    send(flow, 10)
    flow.heard_ack(ack(4, 9), 0.1)
    flow.announce = False
    flow.heard_rules(RulesStatus(session="s2", online=True), 0.2)
    assert (flow.next, flow.limit, flow.announce) == (5, 14, True)


def test_rules_that_come_back_get_what_was_sent_into_the_void() -> None:
    flow = handover()
    flow.heard_rules(RulesStatus(session="s1", online=True), 0.0)
    send(flow, 5)
    flow.heard_ack(ack(5, 5), 0.1)
    flow.heard_rules(RulesStatus(session="s1", online=False), 0.2)
    send(flow, 100)
    flow.heard_rules(RulesStatus(session="s1", online=True), 0.3)
    assert (flow.next, flow.announce) == (6, True)


def test_an_ack_of_a_session_that_is_gone_is_believed_as_far_as_it_was_durable() -> None:
    flow = handover()
    flow.heard_rules(RulesStatus(session="s2", online=True), 0.0)
    assert flow.heard_ack(ack(3, 8, session="s1"), 0.0) == Release(3, "s1", {"reads": 3})
    assert flow.limit == 10, "what s1 had received but not made durable died with it"


def test_the_retained_ack_of_a_former_session_before_the_status_of_the_new_one() -> None:
    flow = handover()
    flow.heard_ack(ack(3, 8, session="s1"), 0.0)
    flow.heard_rules(RulesStatus(session="s2", online=True), 0.0)
    assert (flow.next, flow.limit) == (4, 13)


def test_a_gap_is_resent_once_for_each_request() -> None:
    flow = handover(window=100)
    flow.heard_rules(RulesStatus(session="s1", online=True), 0.0)
    flow.heard_ack(ack(0, 0), 0.0)
    send(flow, 50)
    flow.heard_ack(ack(9, 9, resend_from=10), 1.0)
    assert flow.next == 10
    send(flow, 30)
    flow.heard_ack(ack(9, 9, resend_from=10), 1.05)
    assert flow.next == 40, "the answer is on its way"
    flow.heard_ack(ack(9, 9, resend_from=10), 2.5)
    assert flow.next == 10, "the answer was lost too"


def test_nothing_below_the_watermark_is_resent() -> None:
    flow = handover(watermark=20)
    flow.heard_rules(RulesStatus(session="s1", online=True), 0.0)
    send(flow, 5)
    flow.heard_ack(ack(0, 0, resend_from=1), 1.0)
    assert flow.next == 21


def test_no_progress_goes_back_to_what_was_received() -> None:
    flow = handover()
    flow.heard_rules(RulesStatus(session="s1", online=True), 0.0)
    flow.heard_ack(ack(0, 0), 0.0)
    flow.check_progress(NO_PROGRESS_S * 3)
    assert flow.rewinds == 0, "nothing is outstanding"
    for sequence in range(1, 6):
        flow.sent(sequence, 100.0)
    flow.heard_ack(ack(2, 3), 101.0)
    flow.check_progress(101.0 + NO_PROGRESS_S - 0.1)
    assert flow.next == 6
    flow.check_progress(101.0 + NO_PROGRESS_S)
    assert (flow.next, flow.announce, flow.rewinds) == (4, True, 1)


def test_another_epoch_is_not_ours() -> None:
    flow = handover()
    assert flow.heard_ack(ack(50, 50, epoch=EPOCH - 1), 0.0) is None
    assert flow.next == 1


def test_an_ack_beyond_what_was_sent_in_this_connection() -> None:
    flow = handover()
    flow.heard_ack(ack(30, 35), 0.0)
    assert flow.next == 36


def test_the_broker_releases_what_it_acknowledged_without_a_gap() -> None:
    flow = handover(acknowledge=Acknowledge.BROKER)
    flow.heard_rules(RulesStatus(session="s1", online=True), 0.0)
    assert flow.limit is None
    for sequence in (1, 2, 5, 6):  # 3 and 4 were shed
        flow.sent(sequence, 0.0)
    assert flow.acknowledged(2) is None
    assert flow.acknowledged(1) == Release(2, "broker", None)
    assert flow.acknowledged(5) == Release(5, "broker", None)
    assert flow.heard_ack(ack(0, 0), 0.0) is None
    assert handover().acknowledged(1) is None


@given(st.integers(0, 2**32), st.integers(1, 20), st.integers(1, 120))
def test_whatever_is_lost_everything_is_judged_once(seed: int, window: int, rows: int) -> None:
    """Edge and judge over a link that loses messages both ways, reconnects, and a judge that is killed."""
    rng = random.Random(seed)
    peer = Peer("site", "edge-1")
    peer.epoch = EPOCH
    released = 0
    flow: Handover | None = None
    sessions = 1
    for turn in range(4_000):
        now_s = turn * 0.25
        quiet = turn > 400  # the trouble ends, so that the end is reached
        if flow is None or (not quiet and rng.random() < 0.01):
            flow = Handover(EPOCH, released, window, Acknowledge.RULES, now_s)
            flow.heard_rules(RulesStatus(session=peer.session, online=True), now_s)
        if not quiet and rng.random() < 0.01:
            sessions += 1
            peer.restart(f"s{sessions}")
            flow.heard_rules(RulesStatus(session=peer.session, online=True), now_s)
        for _ in range(rng.randint(1, 5)):
            limit = flow.limit
            assert limit is not None
            if flow.next > min(rows, limit):
                break
            if flow.announce:
                flow.announce = False
                if quiet or rng.random() > 0.2:
                    peer.resume(Resume(gateway="edge-1", epoch=EPOCH, from_sequence=flow.next))
            batch = TickBatch(
                gateway="edge-1", device="edge-1", epoch=EPOCH, sequence=flow.next, received_at_us=0, watched=[]
            )
            flow.sent(flow.next, now_s)
            if quiet or rng.random() > 0.1:
                peer.take(batch)
        flow.check_progress(now_s)
        word = peer.commit()
        if quiet or rng.random() > 0.3:
            release = flow.heard_ack(word, now_s)
            if release is not None:
                assert released <= release.sequence <= peer.durable
                released = release.sequence
        if released == rows:
            break
    assert released == rows
    assert [batch.sequence for batch in peer.batches] == list(range(1, rows + 1))
    assert peer.skipped == 0


def test_what_was_sent_before_it_went_back_is_still_on_its_way() -> None:
    flow = handover()
    flow.heard_rules(RulesStatus(session="s1", online=True), 0.0)
    flow.heard_ack(ack(0, 0), 0.0)
    send(flow, 10)
    flow.heard_ack(ack(2, 4, resend_from=5), 0.1)
    assert (flow.next, flow.on_their_way_from, flow.on_their_way_to) == (5, 3, 14)
    flow.sent(40, 0.2)  # beyond a hole
    flow.heard_rules(RulesStatus(session="s2", online=True), 0.3)
    assert (flow.next, flow.on_their_way_to) == (3, 40)
    flow.heard_rules(RulesStatus(session="s2", online=False), 0.4)
    assert flow.on_their_way_to == 0  # nobody is there to judge it
