"""Publications as they may come; the real server is in test_opcua.py."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import asyncua

from readers.opcua_messages import Data, Item, Message, Missed, Watch
from readers.ports.opcua_nodes import Nodes
from readers.ports.opcua_watch import MOST_AT_ONCE, Subscription

ua: Any = asyncua.ua  # its types are stricter than what it takes
StatusCodes = ua.StatusCodes


@dataclass
class Session:
    """Answers requests for subscriptions; knows no deadband, and only nodes below 1000."""

    added: list[list[int]] = field(default_factory=list)
    publish_ms: float = 250.0

    async def create_subscription(self, _parameters: Any, callback: Any) -> Any:
        self.callback = callback
        return ua.CreateSubscriptionResult(
            SubscriptionId=5, RevisedPublishingInterval=self.publish_ms, RevisedMaxKeepAliveCount=10
        )

    async def create_monitored_items(self, parameters: Any) -> list[Any]:
        self.added.append([each.RequestedParameters.ClientHandle for each in parameters.ItemsToCreate])
        return [
            ua.MonitoredItemCreateResult(StatusCode=ua.StatusCode(self._judge(e))) for e in parameters.ItemsToCreate
        ]

    def _judge(self, request: Any) -> Any:
        if isinstance(request.RequestedParameters.Filter, ua.DataChangeFilter):
            return StatusCodes.BadMonitoredItemFilterUnsupported
        known = request.ItemToMonitor.NodeId.Identifier < 1000
        return StatusCodes.Good if known else StatusCodes.BadNodeIdUnknown


@dataclass
class Client:
    session: Session

    @property
    def uaclient(self) -> Client:
        return self


def subscription(session: Session, told: list[Message], clock: Callable[[], float] | None = None) -> Subscription:
    def hand_over(message: Message) -> bool:
        told.append(message)
        return True

    return Subscription(Client(session), ua, Nodes(session, ua, ("urn:0",)), hand_over, clock or (lambda: 0.0))


def publication(number: int, *values: int) -> Any:
    items = [ua.MonitoredItemNotification(each, ua.DataValue(ua.Variant(each))) for each in values]
    data = [ua.DataChangeNotification(MonitoredItems=items)] if values else []
    return ua.PublishResult(
        SubscriptionId=5, NotificationMessage=ua.NotificationMessage(SequenceNumber=number, NotificationData=data)
    )


def test_many_items_go_in_parts_and_a_deadband_that_is_not_known_is_left_out() -> None:
    session = Session()
    items = [Item(number, f"i={number}", 100, 1) for number in range(250)]
    items += [Item(250, "i=1", 100, 1, "0.5"), Item(251, "i=5000", 100, 1, "0.5"), Item(252, "nsu=urn:x;i=1", 1, 1)]
    found = asyncio.run(subscription(session, []).begin(Watch(500, tuple(items))))
    assert [len(part) for part in session.added] == [MOST_AT_ONCE, MOST_AT_ONCE, 52, 2]
    assert found.publish_ms == 250
    assert found.unfiltered == (250,)
    assert found.refused.keys() == {251, 252}
    assert found.refused[251] == "BadNodeIdUnknown"


def test_a_gap_in_the_numbers_of_publications_is_counted() -> None:
    told: list[Message] = []
    watching = subscription(Session(), told)
    watching.published(publication(7, 1))
    watching.published(publication(8, 1))
    watching.published(publication(9))  # that there is nothing has the number of the next, and does not use it up
    watching.published(publication(11, 1))
    assert [each for each in told if isinstance(each, Missed)] == [Missed("publications_lost", 2)]
    assert len([each for each in told if isinstance(each, Data)]) == 3


def test_numbers_that_begin_again_are_no_gap() -> None:
    told: list[Message] = []
    watching = subscription(Session(), told)
    watching.published(publication(0xFFFF_FFFF, 1))
    watching.published(publication(1, 1))
    assert not [each for each in told if isinstance(each, Missed)]


def test_a_long_publication_is_told_in_parts() -> None:
    told: list[Message] = []
    subscription(Session(), told).published(publication(1, *range(250)))
    assert [len(each.changes) for each in told if isinstance(each, Data)] == [MOST_AT_ONCE, MOST_AT_ONCE, 50]


def test_a_subscription_that_the_server_ends_is_over() -> None:
    watching = subscription(Session(), [])
    change = ua.StatusChangeNotification(Status=ua.StatusCode(StatusCodes.BadTimeout))
    watching.published(
        ua.PublishResult(
            SubscriptionId=5, NotificationMessage=ua.NotificationMessage(SequenceNumber=1, NotificationData=[change])
        )
    )
    assert watching.fault() == "the server has ended the subscription: BadTimeout"


def test_a_server_that_does_not_even_say_that_nothing_changed_is_silent() -> None:
    now_s = 1000.0
    watching = subscription(Session(publish_ms=1000.0), [], lambda: now_s)
    asyncio.run(watching.begin(Watch(1000, ())))
    now_s = 1029.0
    assert watching.fault() == ""
    watching.published(publication(1))
    now_s = 1058.0
    assert watching.fault() == ""
    now_s = 1060.0
    assert "has published nothing for 31 s" in watching.fault()
