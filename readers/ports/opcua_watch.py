"""One subscription of an OPC UA session: what it watches, what it publishes, and whether it still does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from readers.opcua_messages import Change, Data, Item, Message, Missed, Watch, Watched
from readers.ports.opcua_nodes import Nodes
from readers.ports.opcua_values import sample_of, status_word

KEEPALIVE_S: Final = 5.0
SILENT_AFTER: Final = 3.0
"""Times that a publication, or the sign that there is none, may be overdue."""
MOST_AT_ONCE: Final = 100
"""Items in one request, and changes in one message."""
_NO_FILTER: Final = frozenset(
    {"BadMonitoredItemFilterUnsupported", "BadMonitoredItemFilterInvalid", "BadDeadbandFilterInvalid"}
    | {"BadFilterNotAllowed"}
)
_MOST_SEQUENCE: Final = 0xFFFF_FFFF
_ABSOLUTE: Final = 1


class Subscription:
    """Watches nodes; `hand_over` takes what is published, and says whether there was room for it."""

    def __init__(
        self, client: Any, ua: Any, nodes: Nodes, hand_over: Callable[[Message], bool], monotonic_s: Callable[[], float]
    ) -> None:
        self._session = client.uaclient.session
        self._ua = ua
        self._nodes = nodes
        self._hand_over = hand_over
        self._silent_s = 0.0
        self._monotonic_s = monotonic_s
        self._last_s = monotonic_s()
        self._sequence = 0
        self._ended = ""
        self._dropped = 0

    async def begin(self, wanted: Watch) -> Watched:
        """Have the server watch the nodes. May raise whatever the library raises."""
        ua = self._ua
        keepalive = max(1, round(KEEPALIVE_S * 1000 / wanted.publish_ms))
        parameters = ua.CreateSubscriptionParameters(
            RequestedPublishingInterval=float(wanted.publish_ms),
            RequestedMaxKeepAliveCount=keepalive,
            RequestedLifetimeCount=keepalive * 10,
            MaxNotificationsPerPublish=MOST_AT_ONCE * 10,
            PublishingEnabled=True,
            Priority=0,
        )
        made = await self._session.create_subscription(parameters, self.published)
        every_ms = float(made.RevisedPublishingInterval)
        self._silent_s = SILENT_AFTER * max(KEEPALIVE_S, every_ms * int(made.RevisedMaxKeepAliveCount) / 1000)
        self._last_s = self._monotonic_s()
        refused: dict[int, str] = {}
        again: list[Item] = []
        for item, status in await self._add(made.SubscriptionId, wanted.items, refused):
            if item.deadband and status in _NO_FILTER:
                again.append(item)
            else:
                refused[item.handle] = status
        plain = [Item(item.handle, item.node, item.sampling_ms, item.queue) for item in again]
        for item, status in await self._add(made.SubscriptionId, plain, refused):
            refused[item.handle] = status
        return Watched(round(every_ms), refused, tuple(item.handle for item in again if item.handle not in refused))

    def published(self, result: Any) -> None:
        """A publication has come: changes, or the sign that there are none."""
        self._last_s = self._monotonic_s()
        notification = result.NotificationMessage
        if not notification.NotificationData:
            return
        number = int(notification.SequenceNumber)
        if self._sequence and (missing := (number - self._sequence - 1) % _MOST_SEQUENCE):
            self._hand_over(Missed("publications_lost", missing))
        self._sequence = number
        for each in notification.NotificationData:
            if isinstance(each, self._ua.DataChangeNotification):
                changes = [Change(int(one.ClientHandle), sample_of(one.Value)) for one in each.MonitoredItems]
                self._tell(changes)
            elif isinstance(each, self._ua.StatusChangeNotification):
                self._ended = f"the server has ended the subscription: {status_word(each.Status)}"

    def fault(self) -> str:
        """Why it is over; empty while it is not."""
        silent_s = self._monotonic_s() - self._last_s
        if not self._ended and self._silent_s and silent_s > self._silent_s:
            self._ended = f"the server has published nothing for {silent_s:.0f} s, not even that there is nothing"
        return self._ended

    def _tell(self, changes: Sequence[Change]) -> None:
        for start in range(0, len(changes), MOST_AT_ONCE):
            part = tuple(changes[start : start + MOST_AT_ONCE])
            if self._dropped and self._hand_over(Missed("overflow", self._dropped)):
                self._dropped = 0
            if not self._hand_over(Data(part)):
                self._dropped += len(part)

    async def _add(self, subscription: int, items: Sequence[Item], refused: dict[int, str]) -> list[tuple[Item, str]]:
        """Add items, and return those that the server did not take, with the word why."""
        found = []
        for part in _parts(list(self._known(items, refused))):
            requests = [self._request(item, node) for item, node in part]
            parameters = self._ua.CreateMonitoredItemsParameters(
                SubscriptionId=subscription,
                TimestampsToReturn=self._ua.TimestampsToReturn.Both,
                ItemsToCreate=requests,
            )
            results = await self._session.create_monitored_items(parameters)
            for (item, _), result in zip(part, results, strict=True):
                if not result.StatusCode.is_good():
                    found.append((item, status_word(result.StatusCode)))
        return found

    def _known(self, items: Sequence[Item], refused: dict[int, str]) -> Iterator[tuple[Item, Any]]:
        for item in items:
            try:
                yield item, self._nodes.node_id(item.node)
            except ValueError as error:
                refused[item.handle] = str(error)

    def _request(self, item: Item, node: Any) -> Any:
        ua = self._ua
        parameters = ua.MonitoringParameters(
            ClientHandle=item.handle,
            SamplingInterval=float(item.sampling_ms),
            QueueSize=item.queue,
            DiscardOldest=True,
        )
        if item.deadband:
            parameters.Filter = ua.DataChangeFilter(
                Trigger=ua.DataChangeTrigger.StatusValue, DeadbandType=_ABSOLUTE, DeadbandValue=float(item.deadband)
            )
        return ua.MonitoredItemCreateRequest(
            ItemToMonitor=ua.ReadValueId(NodeId=node, AttributeId=ua.AttributeIds.Value),
            MonitoringMode=ua.MonitoringMode.Reporting,
            RequestedParameters=parameters,
        )


def _parts(items: Sequence[tuple[Item, Any]]) -> Iterator[Sequence[tuple[Item, Any]]]:
    for start in range(0, len(items), MOST_AT_ONCE):
        yield items[start : start + MOST_AT_ONCE]
