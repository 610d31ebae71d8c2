import time
from pathlib import Path

import msgspec

from gateway.config.plan import PICTURE_MOST_BYTES
from gateway.contract.events import Event
from tests.gateway.journal_rows import event, write_events
from tests.support.console import Served, make_console, with_console

READERS = """
[[reader]]
name = "gate-1"
driver = "llrp"
port = "tls://10.0.0.7"
read_points = { 1 = "yard-1", 2 = "yard-2", 3 = "lane-1-outer", 4 = "lane-1-inner" }

[[zone]]
name = "yard"
read_points = ["yard-1", "yard-2"]

[[portal]]
name = "lane-1"
outer = ["lane-1-outer"]
inner = ["lane-1-inner"]
"""
PLACE = '[[plan.place]]\nname = "{}"\nx_m = 1\ny_m = 2\nwidth_m = 3\nheight_m = 4\n'
NO_JOURNAL = '[[sink]]\nkind = "influxdb"\nname = "main"\nurl = "http://127.0.0.1:1"\n'
NOW_US = time.time_ns() // 1000
S = 1_000_000


def told(served: Served, made: Event) -> None:
    served.feed(f"events/{made.type}", msgspec.json.encode(made))


def test_the_plan_says_what_to_draw(tmp_path: Path) -> None:
    def body(served: Served) -> None:
        answer = served.get("/api/site/plan")
        assert answer["has_journal"] is True
        first, *rest = answer["plan"]["places"]
        assert (first["name"], first["at"]) == ("yard", {"x_m": 1, "y_m": 2, "width_m": 3, "height_m": 4})
        assert [place["name"] for place in rest] == ["lane-1", "edge-1", "gate-1"]

    with_console(make_console(tmp_path, READERS + PLACE.format("yard")), body)


def test_presence_begins_with_the_journal_and_goes_on_with_events(tmp_path: Path) -> None:
    write_events(
        tmp_path / "events",
        [
            event(1, NOW_US - 90 * S, subject="A", zone="yard", name="Anna", read_point="yard-1"),
            event(2, NOW_US - 80 * S, subject="B", zone="yard", read_point="yard-2"),
        ],
        NOW_US,
    )

    def body(served: Served) -> None:
        with served.stream("parts=site") as messages:
            assert next(messages)[1]["rows"]["yard"]["count"] == 2
            told(served, event(3, NOW_US, subject="C", zone="yard", read_point="yard-1"))
            told(served, event(4, NOW_US, subject="B", zone="yard", type="departed"))
            told(served, event(5, NOW_US, subject="D", zone="lane-1", type="passage", direction="in"))
            rows = next(messages)[1]["rows"]
            while "lane-1" not in rows:
                rows |= next(messages)[1]["rows"]
        assert rows["lane-1"]["passed"] == 1
        here = served.get("/api/site/at?place=yard")
        assert (here["count"], [thing["subject"] for thing in here["things"]]) == (2, ["C", "A"])
        assert here["things"][1]["name"] == "Anna"
        assert len(served.get("/api/site/at?place=yard&limit=1")["things"]) == 1
        lane = served.get("/api/site/at?place=lane-1")
        assert [(each["subject"], each["direction"]) for each in lane["passed"]] == [("D", "in")]
        nowhere = served.get("/api/site/at?place=nowhere")
        assert (nowhere["count"], nowhere["things"], nowhere["passed"]) == (0, [], [])
        assert "limit: '0' must be a number from 1 to 500" in served.refused("/api/site/at?place=yard&limit=0")

    with_console(make_console(tmp_path, READERS), body)


def test_one_antenna_of_a_zone_shows_what_it_heard(tmp_path: Path) -> None:
    def body(served: Served) -> None:
        told(served, event(1, NOW_US, subject="A", zone="yard", read_point="yard-1"))
        told(served, event(2, NOW_US, subject="B", zone="yard", read_point="yard-2"))
        here = served.get("/api/site/at?place=yard-1")
        assert [thing["subject"] for thing in here["things"]] == ["A"]

    with_console(make_console(tmp_path, READERS + PLACE.format("yard-1")), body)


def test_where_something_is_and_the_way_it_took(tmp_path: Path) -> None:
    way = [
        event(1, NOW_US - 90 * S, subject="AA01", zone="yard", name="MSKU1234565"),
        event(2, NOW_US - 60 * S, subject="AA01", zone="gate", from_zone="yard", type="moved", name="MSKU1234565"),
    ]
    write_events(tmp_path / "events", way, NOW_US)

    def body(served: Served) -> None:
        found = served.get("/api/site/find?text=msku")
        (hit,) = found["hits"]
        assert (hit["kind"], hit["subject"], hit["now"]["zone"]) == ("name", "AA01", "gate")
        assert hit["now"]["since_us"] == way[1].at_us
        told(served, event(3, NOW_US, subject="AA01", zone="gate", type="departed"))
        assert served.get("/api/site/find?text=AA01")["hits"][0]["now"] is None
        page = served.get("/api/site/way?subject=AA01&limit=1")
        assert [each["type"] for each in page["events"]] == ["moved"]
        page = served.get(f"/api/site/way?subject=AA01&limit=1&before={page['next']}")
        assert [each["type"] for each in page["events"]] == ["arrived"]

    with_console(make_console(tmp_path, READERS), body)


def test_what_cannot_be_asked_is_refused_with_text(tmp_path: Path) -> None:
    def body(served: Served) -> None:
        assert "2" in served.refused("/api/site/find?text=A")
        assert "subject" in served.refused("/api/site/way")
        served.refused("/api/site/way?subject=A&before=yesterday")
        served.refused("/api/site/way?subject=A&limit=201")

    with_console(make_console(tmp_path, READERS), body)


def test_without_a_journal_only_the_present_is_known(tmp_path: Path) -> None:
    def body(served: Served) -> None:
        assert served.get("/api/site/plan")["has_journal"] is False
        assert "keeps no event journal" in served.refused("/api/site/find?text=AA", 409)
        told(served, event(1, NOW_US, subject="A", zone="yard"))
        assert served.get("/api/site/at?place=yard")["count"] == 1

    with_console(make_console(tmp_path, READERS + NO_JOURNAL), body)


def test_a_picture_is_an_image_and_never_a_page(tmp_path: Path) -> None:
    picture = tmp_path / "site.svg"
    picture.write_text("<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>")

    def body(served: Served) -> None:
        answer = served.visitor.ask("GET", "/api/site/picture", sec_fetch_dest="image")
        assert (answer.status, answer.headers["Content-Type"]) == (200, "image/svg+xml")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
        for destination in ("document", "iframe", "script", "embed"):
            assert served.visitor.ask("GET", "/api/site/picture", sec_fetch_dest=destination).status == 403
        picture.write_bytes(b" " * (PICTURE_MOST_BYTES + 1))
        assert "has more than 5242880 bytes" in served.refused("/api/site/picture", 404)
        picture.unlink()
        assert "plan.picture: No such file" in served.refused("/api/site/picture", 404)

    with_console(make_console(tmp_path, '[plan]\npicture = "site.svg"\n'), body)


def test_a_plan_without_a_picture_serves_none(tmp_path: Path) -> None:
    def body(served: Served) -> None:
        assert "has no picture" in served.refused("/api/site/picture", 404)

    with_console(make_console(tmp_path, READERS), body)
