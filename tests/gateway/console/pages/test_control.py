import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.gateway.console.access.served import Answer
from tests.support.console import Served, with_console
from tests.support.control_plant import Plant
from tests.support.quay_console import console_on, running_plant

WITHIN_S = 30.0


@pytest.fixture(scope="module")
def quay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    with running_plant(tmp_path_factory.mktemp("quay")) as scene:
        yield scene


def begin(**more: Any) -> dict[str, Any]:
    return {"id": uuid.uuid4().hex, "kind": "direct", "device": "lane-1-io", "point": "red", "action": "on", **more}


def post(served: Served, what: str, body: object) -> Answer:
    return served.visitor.ask("POST", f"/api/control/{what}", body)


def logged_in(served: Served, name: str) -> None:
    served.visitor.come()
    assert served.visitor.log_in(name).status == 200


def told(served: Served, order: str, *states: str) -> dict[str, Any]:
    """The order, as the stream tells it to whoever reloads the page."""
    ends_s = time.monotonic() + WITHIN_S
    while time.monotonic() < ends_s:
        with served.stream("parts=control") as messages:
            for name, data in messages:
                if name != "control":
                    continue
                found = [
                    each
                    for row in data["rows"].values()
                    for each in (row["order"], row["last"])
                    if each is not None and each["id"] == order and each["state"] in states
                ]
                if found:
                    first: dict[str, Any] = found[0]
                    return first
                break
        time.sleep(0.05)
    raise AssertionError(order)


def test_what_may_be_ordered_and_by_whom(quay: Plant) -> None:
    def body(served: Served) -> None:
        logged_in(served, "anna")
        found = served.get("/api/control/points")
        assert (found["is_enabled"], found["gateway"], found["person"]) == (True, "edge-1", "anna")
        assert abs(found["now_us"] / 1e6 - time.time()) < 60
        by_name = {point["point"]: point for point in found["points"]}
        assert list(by_name) == ["feeder", "red", "barrier", "speed"]
        assert [by_name[name]["actions"][0]["may"] for name in by_name] == [True, True, True, False]
        assert by_name["barrier"]["second_person"] is True

    with_console(console_on(quay), body)


def test_an_order_from_press_to_proof(quay: Plant) -> None:
    def body(served: Served) -> None:
        logged_in(served, "anna")
        asked = begin(reason="light test")
        answer = post(served, "begin", asked)
        assert (answer.status, answer.body) == (202, {"order": asked["id"]})
        ended = told(served, asked["id"], "verified")
        assert (ended["by"], ended["shows"]) == ("anna", {"is_on": True})
        latest = served.get("/api/control/latest")
        assert latest["fault"] == ""
        assert latest["rows"]["lane-1-io/red"]["id"] == asked["id"]

    with_console(console_on(quay), body)
    assert (2, True) in quay.wires.switched


def test_two_people_in_two_sessions(quay: Plant) -> None:
    def body(served: Served) -> None:
        logged_in(served, "anna")
        asked = begin(kind="arm", point="barrier", action="pulse", reason="truck is stuck")
        assert post(served, "begin", asked).status == 202
        order = asked["id"]
        told(served, order, "armed")
        mine = post(served, "confirm", {"id": uuid.uuid4().hex, "order": order})
        assert (mine.status, mine.body["code"]) == (409, "second_person")
        logged_in(served, "ben")
        assert served.get(f"/api/control/reason/{order}") == {"reason": "truck is stuck"}
        answer = post(served, "confirm", {"id": uuid.uuid4().hex, "order": order})
        assert answer.status == 202
        assert told(served, order, "verified")["confirmed_by"] == "ben"
        assert served.refused(f"/api/control/reason/{order}", 409)

    with_console(console_on(quay), body)


def test_an_armed_order_is_taken_back(quay: Plant) -> None:
    def body(served: Served) -> None:
        logged_in(served, "anna")
        asked = begin(kind="arm", point="feeder", reason="test")
        assert post(served, "begin", asked).status == 202
        told(served, asked["id"], "armed")
        busy = post(served, "begin", begin(kind="arm", point="feeder"))
        assert (busy.status, busy.body["code"]) == (409, "busy")
        assert post(served, "cancel", {"id": uuid.uuid4().hex, "order": asked["id"]}).status == 202
        assert told(served, asked["id"], "cancelled")["is_over"]

    with_console(console_on(quay), body)
    assert (1, True) not in quay.wires.switched


@pytest.mark.parametrize(
    "broken",
    [
        {"id": "short"},
        {"kind": "confirm"},
        {"value": "1e9"},
        {"device": "../x"},
        {"reason": "x" * 201},
        {"nonce": "ab" * 8},
        {"action": "Trip!"},
    ],
)
def test_what_is_no_order_is_refused(quay: Plant, broken: dict[str, str]) -> None:
    def body(served: Served) -> None:
        logged_in(served, "anna")
        answer = post(served, "begin", begin(**broken))
        assert (answer.status, answer.body["code"]) == (400, "malformed")

    with_console(console_on(quay), body)


def test_only_operators_with_a_person_order(quay: Plant) -> None:
    def body(served: Served) -> None:
        served.visitor.come()
        for path in ("points", "latest", "reason/x"):
            assert served.visitor.ask("GET", f"/api/control/{path}").status == 401
        assert post(served, "begin", begin()).status == 401
        logged_in(served, "vera")
        assert served.refused("/api/control/points", 403)
        for what in ("begin", "confirm", "cancel"):
            assert post(served, what, begin()).status == 403
        logged_in(served, "olaf")
        assert served.get("/api/control/points")["person"] is None
        answer = post(served, "begin", begin())
        assert (answer.status, answer.body["code"]) == (403, "no_person")
        answer = served.visitor.ask("POST", "/api/control/begin", raw=b"{}", content_type="text/plain")
        assert answer.status == 415
        answer = served.visitor.ask("POST", "/api/control/begin", begin(), {"X-CSRF-Token": "old"})
        assert (answer.status, answer.body["code"]) == (403, "csrf")

    before = list(quay.wires.switched)
    with_console(console_on(quay), body)
    assert quay.wires.switched == before


def test_without_an_audit_it_says_so(quay: Plant) -> None:
    def body(served: Served) -> None:
        logged_in(served, "anna")
        (quay.edge.state / "control-audit.sqlite").rename(quay.edge.state / "away")
        try:
            found = served.get("/api/control/latest")
        finally:
            (quay.edge.state / "away").rename(quay.edge.state / "control-audit.sqlite")
        assert found["rows"] == {}
        assert "there is no audit yet" in found["fault"]

    with_console(console_on(quay), body)
