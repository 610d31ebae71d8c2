import re
from pathlib import Path

from gateway.contract.measurements import MEASUREMENTS

IDENTITIES = {"epc", "tid", "subject", "name", "id", "user_memory", "card", "container"}


def test_no_identity_is_a_tag_for_each_would_be_a_series() -> None:
    assert not {tag for m in MEASUREMENTS.values() for tag in m.tags} & IDENTITIES


def test_every_measurement_has_a_site_fields_of_known_types_and_no_name_twice() -> None:
    for name, measurement in MEASUREMENTS.items():
        assert measurement.name == name
        assert measurement.tags[0] == "site"
        assert set(measurement.fields.values()) <= {"float", "int", "str", "bool"}
        assert not set(measurement.tags) & set(measurement.fields)


def test_the_page_makes_a_table_of_each_measurement() -> None:
    page = (Path(__file__).parents[3] / "docs/how-to/influxdb.md").read_text()
    made = re.findall(r"^influxdb3 create table --database tagwharf --tags (\S+) (\S+)$", page, re.MULTILINE)
    assert {name: tags for tags, name in made} == {m.name: ",".join(m.tags) for m in MEASUREMENTS.values()}
