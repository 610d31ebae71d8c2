"""AccessSpecs: what ADD_ACCESSSPEC may ask for, and which one a tag in an inventory is worked on by.

    ADD ──► Disabled ◄──DISABLE / ENABLE──► Active ──executed as often as it may be──► gone

Source: LLRP 1.0.1 sections 6.3 and 11; 15.2.1.3 (targets).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from simulator.device import TagMemory
from simulator.llrp.codec import VERSION_1_1, Bits, Node, RefusedError, Status, encode_parameter
from simulator.llrp.identities import Identity
from simulator.llrp.limits import check_antenna_port, check_custom
from simulator.llrp.tagmemory import carry_out, fits

ALL: Final = 0
_GEN2: Final = 1
_FOREVER, _COUNTED = 0, 1
_AT_ITS_END: Final = 1
_HIGHEST_TARGETS: Final = 2  # two patterns are what Gen2 readers compare
_KNOWN: Final = ("C1G2Read", "C1G2Write", "C1G2BlockWrite")


@dataclass(slots=True)
class AccessSpec:
    """One AccessSpec with its state. `left` counts its executions down; None for ever."""

    tree: Node
    spec_id: int
    left: int | None
    at_its_end: bool
    is_active: bool = False

    def snapshot(self) -> Node:
        """The AccessSpec parameter as GET_ACCESSSPECS shows it."""
        return Node("AccessSpec", {**self.tree.fields, "CurrentState": int(self.is_active)}, self.tree.children)

    def is_for(self, rospec_id: int, antenna_port: int) -> bool:
        """Whether it works on what this ROSpec hears from this antenna."""
        return (
            self.is_active
            and self.tree.number("ROSpecID") in (ALL, rospec_id)
            and self.tree.number("AntennaID") in (ALL, antenna_port)
        )

    def fits(self, memory: TagMemory) -> bool:
        """Whether all its patterns fit the tag."""
        for target in self.tree.need("AccessCommand").need("C1G2TagSpec").all("C1G2TargetTag"):
            mask, data = target.fields["TagMask"], target.fields["TagData"]
            assert isinstance(mask, Bits)
            assert isinstance(data, Bits)
            found = fits(memory, target.number("MB"), target.number("Pointer"), mask, data)
            if found != bool(target.number("Match")):
                return False
        return True


class AccessSpecs:
    """All AccessSpecs of one reader."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._specs: dict[int, AccessSpec] = {}
        self.executed = 0

    @property
    def any_active(self) -> bool:
        """Whether tags must be looked at at all."""
        return any(spec.is_active for spec in self._specs.values())

    def snapshots(self) -> list[Node]:
        """For GET_ACCESSSPECS."""
        return [spec.snapshot() for spec in self._specs.values()]

    def add(self, tree: Node, *, extensions: bool) -> None:
        """ADD_ACCESSSPEC.

        Raises:
            RefusedError: as for every request here, when the reader does not do it.
        """
        path = ("AccessSpec",)
        identity = self._identity
        check_custom(tree, path, extensions=extensions)
        spec_id = tree.number("AccessSpecID")
        if spec_id == ALL or spec_id in self._specs:
            text = f"AccessSpecID {spec_id}: allowed are numbers from 1 on that are not taken: {list(self._specs)} are"
            raise RefusedError(Status.A_INVALID, text, path, "AccessSpecID")
        if len(self._specs) >= identity.max_accessspecs:
            text = f"{len(self._specs)} AccessSpecs are there: allowed are {identity.max_accessspecs}"
            raise RefusedError(Status.P_OVERFLOW_PARAMETER, text, path)
        check_antenna_port(identity, tree.number("AntennaID"), path, "AntennaID")
        if tree.number("ProtocolID") != _GEN2:
            text = f"ProtocolID {tree.number('ProtocolID')}: allowed is 1 (EPCGlobalClass1Gen2)"
            raise RefusedError(Status.A_INVALID, text, path, "ProtocolID")
        if tree.number("CurrentState"):
            raise RefusedError(Status.A_INVALID, "CurrentState 1: it is added as 0, disabled", path, "CurrentState")
        self._check_command(tree.need("AccessCommand"), (*path, "AccessCommand"))
        report = tree.one("AccessReportSpec")
        at_its_end = report is not None and report.number("AccessReportTrigger") == _AT_ITS_END
        self._specs[spec_id] = AccessSpec(tree, spec_id, _read_stop(tree.need("AccessSpecStopTrigger")), at_its_end)

    def _check_command(self, command: Node, path: tuple[str, ...]) -> None:
        identity = self._identity
        targets = command.need("C1G2TagSpec").all("C1G2TargetTag")
        if len(targets) > _HIGHEST_TARGETS:
            text = f"{len(targets)} patterns: allowed are {_HIGHEST_TARGETS}"
            raise RefusedError(Status.P_OVERFLOW_PARAMETER, text, (*path, "C1G2TagSpec", "C1G2TargetTag"))
        for target in targets:
            mask, data = target.fields["TagMask"], target.fields["TagData"]
            assert isinstance(mask, Bits)
            assert isinstance(data, Bits)
            if mask.length != data.length:
                text = f"TagMask has {mask.length} bits and TagData {data.length}: they must have the same"
                raise RefusedError(Status.A_INVALID, text, (*path, "C1G2TagSpec", "C1G2TargetTag"), "TagData")
        operations = [child for child in command.children if child.name != "C1G2TagSpec"]
        if len(operations) > identity.max_opspecs:
            text = f"{len(operations)} operations: allowed are {identity.max_opspecs}"
            raise RefusedError(Status.P_OVERFLOW_PARAMETER, text, (*path, operations[-1].name))
        for operation in operations:
            unable = operation.name == "C1G2BlockWrite" and not identity.can_block_write
            if operation.name not in _KNOWN or unable:
                raise RefusedError(
                    Status.P_UNSUPPORTED_PARAMETER, f"{operation.name}: not supported", (*path, operation.name)
                )

    def delete(self, spec_id: int) -> None:
        """DELETE_ACCESSSPEC; 0 means all."""
        for spec in self._chosen(spec_id):
            del self._specs[spec.spec_id]

    def switch(self, spec_id: int, *, on: bool) -> None:
        """ENABLE_ACCESSSPEC or DISABLE_ACCESSSPEC; 0 means all."""
        for spec in self._chosen(spec_id):
            spec.is_active = on

    def _chosen(self, spec_id: int) -> list[AccessSpec]:
        if spec_id == ALL:
            return list(self._specs.values())
        if spec_id not in self._specs:
            known = ", ".join(map(str, self._specs)) or "none"
            text = f"AccessSpec {spec_id} does not exist; there are: {known}"
            raise RefusedError(Status.A_INVALID, text, (), "AccessSpecID")
        return [self._specs[spec_id]]

    def work(self, rospec_id: int, antenna_port: int, target: TagMemory, memory: TagMemory | None) -> Work | None:
        """Execute the first AccessSpec that fits a tag that has just been heard; None when none does.

        `target` is what the tag shows, `memory` what is worked on: None when the tag has gone meanwhile.
        """
        for spec in self._specs.values():
            if spec.is_for(rospec_id, antenna_port) and spec.fits(target):
                break
        else:
            return None
        self.executed += 1
        results = [
            carry_out(memory, operation, speaks_1_1=VERSION_1_1 in self._identity.versions)
            for operation in spec.tree.need("AccessCommand").children
            if operation.name in _KNOWN
        ]
        if spec.left is not None:
            spec.left -= 1
            if spec.left == 0:
                del self._specs[spec.spec_id]
        return Work(spec.spec_id, b"".join(map(encode_parameter, results)), is_due=spec.at_its_end and spec.left == 0)


@dataclass(frozen=True, slots=True)
class Work:
    """What was done to one tag: the results as parameters, and whether they must be reported at once."""

    spec_id: int
    results: bytes
    is_due: bool


def _read_stop(tree: Node) -> int | None:
    path = ("AccessSpec", "AccessSpecStopTrigger")
    kind, count = tree.number("AccessSpecStopTrigger"), tree.number("OperationCountValue")
    if kind not in (_FOREVER, _COUNTED):
        text = f"AccessSpecStopTrigger {kind}: allowed are 0 (null) and 1 (operation count)"
        raise RefusedError(Status.A_OUT_OF_RANGE, text, path, "AccessSpecStopTrigger")
    return count or None if kind == _COUNTED else None
