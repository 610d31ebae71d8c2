"""Nodes of an OPC UA server: their names, reading, writing, calling, and finding them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from readers.opcua_messages import MOST_TEXT, Found, Sample
from readers.ports.opcua_values import BAD, native, sample_of, status_word

BY_URI: Final = "nsu="
_OBJECTS: Final = 85
_SERVER: Final = 2253
_DEEPEST: Final = 6
_MOST_BROWSES: Final = 200
_MOST_QUEUED: Final = 1_000
_HIERARCHICAL: Final = 33
_OBJECT: Final = 1
_VARIABLE: Final = 2
_ALL_FIELDS: Final = 63


class Prepared(NamedTuple):
    """A value with its type, ready to be written."""

    node: Any
    value: Any


class Nodes:
    """The nodes of one session. What it awaits may raise whatever the library raises."""

    def __init__(self, session: Any, ua: Any, namespaces: Sequence[str]) -> None:
        self._session = session
        self._ua = ua
        self._namespaces = namespaces
        self._kinds: dict[str, Any] = {}

    def node_id(self, text: str) -> Any:
        """The node of `ns=2;s=Speed`, or `nsu=http://...;s=Speed`, whose number the server chooses.

        Raises:
            ValueError: it is none, or the server does not have this namespace.
        """
        number, rest = None, text
        if text.startswith(BY_URI):
            uri, _, rest = text.removeprefix(BY_URI).partition(";")
            if uri not in self._namespaces:
                raise ValueError(f"{text}: the server has no namespace {uri}")
            number = self._namespaces.index(uri)
        try:
            return self._ua.NodeId.from_string(rest if number is None else f"ns={number};{rest}")
        except (ValueError, self._ua.UaError) as error:
            raise ValueError(f"{text} is no node: {error}") from error

    async def read(self, texts: Sequence[str]) -> tuple[Sample, ...]:
        """Their values now, one sample for each."""
        found: dict[int, Any] = {}
        for index, text in enumerate(texts):
            try:
                found[index] = self.node_id(text)
            except ValueError:
                continue
        values = await self._session.read_attributes(list(found.values()), self._ua.AttributeIds.Value) if found else []
        samples = dict(zip(found, map(sample_of, values), strict=True))
        unknown = Sample(status="BadNodeIdUnknown", level=BAD)
        return tuple(samples.get(index, unknown) for index in range(len(texts)))

    async def prepare(self, text: str, value: bool | str) -> Prepared:  # noqa: FBT001 - the value itself
        """Make the value to write, of the type that the node has now.

        Raises:
            ValueError: the node is not there, has no type that can be written, or the value does not fit.
        """
        node = self.node_id(text)
        kind = self._kinds.get(text)
        if kind is None:
            (data,) = await self._session.read_attributes([node], self._ua.AttributeIds.Value)
            if data.Value is None or data.Value.Value is None or isinstance(data.Value.Value, list):
                status = status_word(data.StatusCode)
                raise ValueError(f"{text} holds no single value now ({status}), so that its type is not known")
            kind = self._kinds[text] = data.Value.VariantType
        return Prepared(node, self._ua.Variant(native(value, kind.name), kind))

    async def write(self, prepared: Prepared) -> tuple[Sample, ...]:
        """Write the value once, without a status or a time, which many servers refuse."""
        ua = self._ua
        write = ua.WriteValue(
            NodeId=prepared.node, AttributeId=ua.AttributeIds.Value, Value=ua.DataValue(Value=prepared.value)
        )
        (status,) = await self._session.write(ua.WriteParameters(NodesToWrite=[write]))
        return (self._status(status),)

    async def call(self, owner: str, method: str) -> tuple[Sample, ...]:
        """Call a method without arguments once."""
        ua = self._ua
        try:
            request = ua.CallMethodRequest(ObjectId=self.node_id(owner), MethodId=self.node_id(method))
        except ValueError:
            return (Sample(status="BadNodeIdUnknown", level=BAD),)
        (result,) = await self._session.call([request])
        return (self._status(result.StatusCode),)

    async def browse(self, most: int) -> Found:
        """Variables below the folder of objects, without those of the server itself, nearest first."""
        ua = self._ua
        found: list[tuple[str, str]] = []
        queue = deque([(ua.NodeId(_OBJECTS, 0), "", 0)])
        seen = {ua.NodeId(_OBJECTS, 0), ua.NodeId(_SERVER, 0)}
        asked = 0
        while queue and len(found) < most and asked < _MOST_BROWSES:
            node, path, depth = queue.popleft()
            asked += 1
            for reference in await self._children(node):
                child = reference.NodeId
                name = str(reference.BrowseName.Name)[:MOST_TEXT]
                if child in seen or len(queue) > _MOST_QUEUED:
                    continue
                seen.add(child)
                if int(reference.NodeClass) == _VARIABLE and len(found) < most:
                    found.append((str(child.to_string())[:MOST_TEXT], f"{path}{name}"[:MOST_TEXT]))
                if depth < _DEEPEST:
                    queue.append((child, f"{path}{name}/", depth + 1))
        return Found(tuple(found))

    async def _children(self, node: Any) -> Sequence[Any]:
        ua = self._ua
        description = ua.BrowseDescription(
            NodeId=node,
            BrowseDirection=ua.BrowseDirection.Forward,
            ReferenceTypeId=ua.NodeId(_HIERARCHICAL, 0),
            IncludeSubtypes=True,
            NodeClassMask=_OBJECT | _VARIABLE,
            ResultMask=_ALL_FIELDS,
        )
        parameters = ua.BrowseParameters(
            View=ua.ViewDescription(), RequestedMaxReferencesPerNode=_MOST_QUEUED, NodesToBrowse=[description]
        )
        (result,) = await self._session.browse(parameters)
        return result.References or ()

    def _status(self, status: Any) -> Sample:
        return Sample(status=status_word(status), level=min(int(status.value) >> 30, BAD))
