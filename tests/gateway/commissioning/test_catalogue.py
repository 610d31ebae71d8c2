import pytest

from gateway.commissioning.catalogue import as_lines, as_table, entries
from readers.errors import ConfigError
from readers.registry import drivers


def test_every_driver_has_a_line_and_every_setting_a_help() -> None:
    found = entries()
    assert [entry["driver"] for entry in found] == list(drivers())
    assert as_table(found).row_count == len(found)
    silent = [(e["driver"], s["name"]) for e in found for s in e["settings"] if not s["help"]]
    assert silent == []
    assert all(entry["links"] for entry in found)


def test_one_driver_with_all_of_it() -> None:
    (entry,) = entries("m100")
    lines = as_lines(entry)
    assert lines[0].startswith("m100 (rfid): ")
    assert any(line.split()[:2] == ["delimiters", "auto"] for line in lines)
    (meters,) = entries("dlt645")
    assert any(line.split()[:2] == ["meters", "required"] for line in as_lines(meters))


def test_an_unknown_driver() -> None:
    with pytest.raises(ConfigError, match="did you mean 'dlt645'"):
        entries("dlt654")
