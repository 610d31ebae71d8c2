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
