import re

from gateway.contract.measurements import MEASUREMENTS
from gateway.contract.pages import measurements_page, mqtt_page
from gateway.contract.schema import CHANNELS


def test_mqtt_page_tells_every_topic_and_every_message() -> None:
    page = mqtt_page()
    for channel in CHANNELS:
        assert f"| `{channel.address}` |" in page
        assert f"\n## {channel.message.__name__}\n" in page


def test_links_within_the_mqtt_page_lead_to_headings() -> None:
    page = mqtt_page()
    headings = {heading.lower() for heading in re.findall(r"^## (\w+)$", page, re.MULTILINE)}
    links = set(re.findall(r"\(#(\w+)\)", page))
    assert links <= headings
    assert {"tagread", "evidence", "account"} <= links


def test_measurements_page_tells_every_column() -> None:
    page = measurements_page()
    for name, measurement in MEASUREMENTS.items():
        section = page.split(f"\n## {name}\n")[1].split("\n## ")[0]
        for tag in measurement.tags:
            assert f"| `{tag}` | tag |" in section
        for field, kind in measurement.fields.items():
            assert f"| `{field}` | field | {kind} |" in section
