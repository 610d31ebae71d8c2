from pathlib import Path

from gateway.config.load import load_site
from gateway.console.places import Rectangle, SitePlan, plan_of

READERS = """
[[reader]]
name = "gate-1"
driver = "llrp"
port = "tls://10.0.0.7"
read_points = { 1 = "lane-1-outer", 2 = "lane-1-inner", 3 = "yard-1" }

[[reader]]
name = "booth"
driver = "m100"
port = "/dev/ttyUSB1"
read_points = { 1 = "desk" }

[[reader]]
name = "substation"
driver = "dlt645"
port = "/dev/ttyUSB0"
settings = { meters = [{ name = "crane-1", address = "1" }] }

[[zone]]
name = "yard"
read_points = ["yard-1", "gate-1-4"]

[[portal]]
name = "lane-1"
outer = ["lane-1-outer"]
inner = ["lane-1-inner"]
"""


def planned(directory: Path, more: str = "") -> SitePlan:
    path = directory / "site.toml"
    path.write_text('[site]\nname = "hamburg"\n' + READERS + more)
    return plan_of(load_site(path))


def test_without_a_plan_all_places_come_by_kind_and_nothing_is_drawn(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    assert (plan.width_m, plan.height_m, plan.has_picture) == (None, None, False)
    assert [(place.kind, place.name) for place in plan.places] == [
        ("portal", "lane-1"),
        ("zone", "yard"),
        ("read_point", "desk"),
        ("device", "edge-1"),
        ("device", "gate-1"),
        ("device", "booth"),
        ("device", "substation"),
        ("device", "crane-1"),
    ]
    lane, yard, desk, *_, crane = plan.places
    assert (lane.read_points, lane.devices, lane.zone) == (["lane-1-outer", "lane-1-inner"], ["gate-1"], None)
    assert (yard.read_points, yard.devices, yard.zone) == (["yard-1", "gate-1-4"], ["gate-1"], "yard")
    assert (desk.zone, desk.devices) == ("desk", ["booth"])
    assert crane.devices == ["crane-1", "substation"]


def test_what_is_drawn_comes_first_and_the_rest_is_not_forgotten(tmp_path: Path) -> None:
    text = '[[plan.place]]\nname = "{}"\n{}x_m = 1\ny_m = 2\nwidth_m = 3\nheight_m = 4\n'
    drawn = ['label = "Crane 一"\n', "", ""]
    names = ["crane-1", "yard-1", "gate-1-9"]
    plan = planned(tmp_path, "".join(text.format(name, label) for name, label in zip(names, drawn, strict=True)))
    assert (plan.width_m, plan.height_m) == (100, 60)
    crane, antenna, implied, *rest = plan.places
    assert (crane.label, crane.kind, crane.at) == ("Crane 一", "device", Rectangle(1, 2, 3, 4))
    assert (antenna.kind, antenna.zone, antenna.devices) == ("read_point", "yard", ["gate-1"])
    assert (implied.kind, implied.zone, implied.devices) == ("read_point", "gate-1-9", ["gate-1"])
    assert [place.name for place in rest] == ["lane-1", "yard", "desk", "edge-1", "gate-1", "booth", "substation"]
    assert all(place.at is None for place in rest)


def test_a_picture_alone_is_a_drawing(tmp_path: Path) -> None:
    (tmp_path / "site.png").write_bytes(b"x")
    plan = planned(tmp_path, '[plan]\npicture = "site.png"\n')
    assert (plan.has_picture, plan.width_m, len(plan.places)) == (True, 100, 8)


def test_a_device_that_is_called_like_a_zone_is_drawn_once(tmp_path: Path) -> None:
    plan = planned(tmp_path, '[[zone]]\nname = "booth"\nread_points = ["desk"]\n')
    assert [place.kind for place in plan.places if place.name == "booth"] == ["zone"]
