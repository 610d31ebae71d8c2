from __future__ import annotations

from typing import Any

import pytest

from gateway.broker_acl import access_list
from gateway.config.models import SiteFile
from readers.errors import ConfigError

GATE = {"name": "gate-3", "driver": "llrp", "port": "tcp://10.0.0.5"}
METERS = {
    "name": "line-1",
    "driver": "dlt645",
    "port": "socket://10.0.0.6:4001",
    "settings": {"meters": [{"name": "meter-7", "address": "000000000007"}]},
}


def site(gateway: str = "edge-1", name: str = "hamburg", **more: Any) -> SiteFile:
    return SiteFile.model_validate({"site": {"name": name, "gateway": gateway}, **more})


def blocks(*sites: SiteFile) -> dict[str, set[str]]:
    """The rights of each user, as Mosquitto reads them."""
    found: dict[str, set[str]] = {}
    user = None
    for line in access_list(sites).splitlines():
        if line.startswith("user "):
            user = line.removeprefix("user ")
            assert user not in found
            found[user] = set()
        elif line and not line.startswith("#"):
            assert user is not None, f"a right of everybody: {line}"
            assert line.startswith("topic "), line
            found[user].add(line.removeprefix("topic "))
    return found


def test_a_gateway_speaks_for_its_own_devices_one_by_one() -> None:
    found = blocks(site(reader=[GATE, METERS]), site("edge-2"))
    root = "tagwharf/1/hamburg"
    devices = [f"write {root}/{d}/{k}" for d in ("gate-3", "line-1", "meter-7") for k in KINDS]
    own = [f"write {root}/{topic}" for topic in ("edge-1/status", "edge-1/tick", "resume/edge-1", "ledger/edge-1")]
    assert found["edge-1"] == {*devices, *own, f"read {root}/ack/edge-1", f"read {root}/rules/status"}
    assert not any("gate-3" in right or "edge-1" in right for right in found["edge-2"])
    assert found.keys() == {"edge-1", "edge-2", "rules", "console", "exporter"}
    assert all(right.startswith("read ") for user in ("console", "exporter") for right in found[user])


KINDS = ("reads", "cards", "readings", "signals", "status")


def test_nobody_may_read_or_write_all() -> None:
    for user, rights in blocks(site(reader=[GATE])).items():
        for right in rights:
            _, _, topic = right.partition(" ")
            assert topic.startswith("tagwharf/1/hamburg/"), (user, right)
            assert "#" not in topic
            assert not topic.endswith("/+/+")


def controlled(**more: Any) -> dict[str, Any]:
    point = {"device": "gate-3", "point": "barrier", "actions": ["pulse"], "roles": ["guard"]}
    anna = {"name": "anna", "key_credential": "control-anna", "roles": ["guard"]}
    return {"control": {"enabled": True, "person": [anna], "point": [point]}, "reader": [GATE], **more}


def test_orders_are_taken_of_people_and_rules_only() -> None:
    found = blocks(site(**controlled()))
    command, outcome = "tagwharf/1/hamburg/gate-3/command", "tagwharf/1/hamburg/gate-3/outcome"
    assert {f"read {command}", f"write {outcome}"} <= found["edge-1"]
    assert {f"write {command}", f"read {outcome}", "write tagwharf/1/hamburg/order/+"} <= found["operators"]
    for user in ("rules", "console", "exporter"):
        assert f"write {command}" not in found[user]
    assert "read tagwharf/1/hamburg/order/+" in found["rules"]
    anna = {"name": "anna", "role": "operator", "password_credential": "console-anna", "person": "anna"}
    assert f"write {command}" in blocks(site(**controlled(console={"user": [anna]})))["console"]
    order = {
        "name": "open",
        "on": "arrived",
        "gateway": "edge-1",
        "device": "gate-3",
        "point": "barrier",
        "action": "pulse",
        "person": "anna",
    }
    assert {f"write {command}", f"read {outcome}"} <= blocks(site(**controlled(order=[order])))["rules"]


def test_users_of_the_site_file_are_taken() -> None:
    users = {"edge": "e", "rules": "r", "console": "c", "operators": "o"}
    assert blocks(site(**controlled(mqtt={"users": users}))).keys() == {*users.values(), "exporter"}
    shared = blocks(site(mqtt={"user": "tagwharf"}), site("edge-2", mqtt={"user": "second"}))
    assert shared.keys() == {"tagwharf", "second", "exporter"}
    assert "write tagwharf/1/hamburg/ack/+" in shared["tagwharf"]  # the first file is that of the rules daemon
    assert "write tagwharf/1/hamburg/ack/+" not in shared["second"]


def test_a_reader_that_publishes_here_may_do_that_alone() -> None:
    reader = {
        "name": "dock-1",
        "driver": "zebra_iotc",
        "port": "mqtts://localhost:8883/readers/dock-1/+",
        "login": {"user": "listener"},
    }
    elsewhere = {**reader, "name": "dock-2", "port": "mqtts://other.test/readers/dock-2/#"}
    found = blocks(site(reader=[reader, elsewhere]))
    assert found["dock-1"] == {"write readers/dock-1/+"}
    assert found["listener"] == {"read readers/dock-1/+"}
    assert "dock-2" not in found


@pytest.mark.parametrize("topic", ["#", "+/dock-1", "tagwharf/1/hamburg/gate-3/reads", "$SYS/broker/uptime"])
def test_a_reader_may_not_publish_into_the_contract(topic: str) -> None:
    reader = {"name": "dock-1", "driver": "zebra_iotc", "port": f"mqtt://127.0.0.1/{topic}", "login": {"user": "x"}}
    with pytest.raises(ConfigError, match="could speak for a gateway"):
        access_list([site(reader=[reader])])


@pytest.mark.parametrize(
    ("sites", "message"),
    [
        ([site(), site()], "two files are of the gateway hamburg/edge-1"),
        ([site(), site(name="kiel")], "user 'edge-1' is of the sites 'hamburg' and 'kiel'"),
        ([site(mqtt={"user": "edge\ntopic readwrite #"})], "printable"),
        ([site(mqtt={"user": " edge"})], "printable"),
        (
            [site(reader=[{"name": "d", "driver": "zebra_iotc", "port": "mqtt://127.0.0.1/readers/d"}])],
            "name one in .reader.login.",
        ),
        (
            [
                site(
                    reader=[
                        {
                            "name": "exporter",
                            "driver": "zebra_iotc",
                            "port": "mqtt://127.0.0.1/readers/d",
                            "login": {"user": "x"},
                        }
                    ]
                )
            ],
            "rename one of them",
        ),
    ],
)
def test_what_no_list_can_be_made_of(sites: list[SiteFile], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        access_list(sites)
