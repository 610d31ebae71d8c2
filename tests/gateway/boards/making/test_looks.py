from gateway.boards.making.looks import (
    NONE_IS_GOOD,
    Color,
    Column,
    State,
    Unit,
    column_of_time,
    evidence,
    falling,
    mappings,
    rising,
    thresholds,
)


def shout(text: str) -> str:
    return text.upper()


def test_limits_begin_with_the_least_value() -> None:
    assert thresholds(rising(1, 2)) == {
        "mode": "absolute",
        "steps": [
            {"color": "green", "value": None},
            {"color": "orange", "value": 1},
            {"color": "red", "value": 2},
        ],
    }
    assert [color for _, color in falling(1, 2)] == [Color.BAD, Color.WARN, Color.GOOD]


def test_words_for_values_are_translated_and_values_are_not() -> None:
    assert mappings((State("true", "on", Color.GOOD),), shout) == [
        {"type": "value", "options": {"true": {"index": 0, "text": "ON", "color": "green"}}}
    ]
    assert mappings((), shout) == []


def test_a_column_is_found_by_its_name_and_called_by_its_title() -> None:
    states = (State("x", "y", Color.BAD),)
    made = Column("kind", "Kind", Unit.SECONDS, 90, 1, NONE_IS_GOOD, states).override(shout)
    assert made["matcher"] == {"id": "byName", "options": "kind"}
    properties = made["properties"]
    assert isinstance(properties, list)
    assert {each["id"]: each["value"] for each in properties} == {
        "displayName": "KIND",
        "unit": "s",
        "custom.width": 90,
        "decimals": 1,
        "thresholds": thresholds(NONE_IS_GOOD),
        "mappings": mappings(states, shout),
        "custom.cellOptions": {"type": "color-background", "mode": "basic"},
    }


def test_evidence_leads_to_the_page_of_the_event_in_the_console() -> None:
    properties = evidence().override(shout)["properties"]
    assert isinstance(properties, list)
    found = {each["id"]: each["value"] for each in properties}
    assert found["links"] == [
        {"title": "EVIDENCE IN THE CONSOLE", "url": "${console}/event/${__data.fields.id}", "targetBlank": False}
    ]
    assert evidence().name == "id"


def test_a_plain_column_has_title_and_unit_alone() -> None:
    properties = Column("rule", "Rule").override(shout)["properties"]
    assert properties == [{"id": "displayName", "value": "RULE"}, {"id": "unit", "value": "string"}]
    assert column_of_time().unit is Unit.TIME
