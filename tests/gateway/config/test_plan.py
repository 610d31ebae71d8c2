"""Faults stand in `broken/plan*.toml`; here is what is allowed."""

from pathlib import Path

import pytest

from gateway.config.load import load_site
from gateway.config.models import SiteFile
from gateway.config.plan import PICTURE_MOST_BYTES
from readers.errors import ConfigError

SITE = """
[site]
name = "hamburg"

[[reader]]
name = "gate-3"
driver = "llrp"
port = "tls://10.0.0.7"
read_points = { 1 = "yard-1" }

[[reader]]
name = "substation"
driver = "dlt645"
port = "/dev/ttyUSB0"
settings = { meters = [{ name = "crane-1", address = "1" }] }

[[zone]]
name = "yard"
read_points = ["yard-1"]
"""


def place(name: str) -> str:
    return f'[[plan.place]]\nname = "{name}"\nx_m = 90\ny_m = 0\nwidth_m = 10\nheight_m = 60\n'


def loaded(directory: Path, text: str) -> SiteFile:
    path = directory / "site.toml"
    path.write_text(SITE + text)
    return load_site(path)


def test_a_site_needs_no_plan(tmp_path: Path) -> None:
    plan = loaded(tmp_path, "").plan
    assert (plan.place, plan.picture) == ([], None)


@pytest.mark.parametrize("name", ["yard", "yard-1", "gate-3", "gate-3-2", "substation", "crane-1", "edge-1"])
def test_whatever_is_on_the_site_may_stand_on_its_plan_up_to_the_edge(tmp_path: Path, name: str) -> None:
    assert [each.name for each in loaded(tmp_path, place(name)).plan.place] == [name]


@pytest.mark.parametrize("name", ["gate-4", "gate-3-999", "substation-1"])
def test_what_is_not_there_does_not(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="no zone, portal, read point or device has this name"):
        loaded(tmp_path, place(name))


def test_a_picture_lies_beside_the_site_file_and_is_not_larger_than_allowed(tmp_path: Path) -> None:
    picture = tmp_path / "site.svg"
    picture.write_bytes(b" " * PICTURE_MOST_BYTES)
    assert loaded(tmp_path, '[plan]\npicture = "site.svg"\n').plan.picture == picture
    picture.write_bytes(b" " * (PICTURE_MOST_BYTES + 1))
    with pytest.raises(ConfigError, match=r"plan\.picture.*has 5242881 bytes; must have 5242880 at most"):
        loaded(tmp_path, '[plan]\npicture = "site.svg"\n')
