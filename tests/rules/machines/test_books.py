from __future__ import annotations

from random import Random

import pytest

from gateway.config.models import Site, SiteFile
from gateway.config.rules import AlarmSettings, MatchRule
from rules.checking.check import faults
from tests.rules.machines.hall import Hall, Keeper, site
from tests.rules.play import Play


def test_a_site_without_machines_keeps_no_books() -> None:
    keeper = Keeper(SiteFile(site=Site(name="mill")))
    for batch in Hall(0, 600).batches():
        keeper.step(batch)
    keeper.commit()
    assert not keeper.stored()
    assert not [key for key in keeper.kept if key.startswith("machine/")]
    assert keeper.engine.counters()["machines"] == 0


def test_a_machine_that_is_taken_out_of_the_site_file_is_forgotten() -> None:
    keeper = Keeper(site())
    for batch in Hall(0, 600).batches():
        keeper.step(batch)
    keeper.commit()
    assert "machine/edge-1/warper" in keeper.kept
    keeper.restart(Random(1), site(name="other"))
    keeper.commit()
    assert "machine/edge-1/warper" not in keeper.kept


def test_an_entry_that_cannot_be_read_is_begun_anew() -> None:
    keeper = Keeper(site())
    batches = list(Hall(0, 1200).batches())
    for batch in batches[:900]:
        keeper.step(batch)
    keeper.commit()
    keeper.kept["machine/edge-1/warper"] = b"\xc1"
    keeper.restart(Random(1))
    for batch in batches[900:]:
        keeper.step(batch)
    assert keeper.engine.counters()["state_unreadable"] == 1
    assert keeper.engine.counters()["machines"] == 1


def test_a_rule_acts_on_a_stop() -> None:
    rule = MatchRule(
        shape="match", name="yarn", on="machine_stopped", when="e.reason == 'yarn_break'", alarm=AlarmSettings()
    )
    file = site().model_copy(update={"rule": [rule]})
    assert faults(file) == []
    keeper, alarms = Keeper(file), 0
    for batch in Hall(0, 3600, troubles=0.0).batches():
        alarms += len(keeper.engine.step(batch).alarms)
    assert alarms > 3


@pytest.mark.parametrize("value", ["nan", "inf", "", "many", True])
def test_a_counter_that_is_no_number_counts_nothing(value: bool | str) -> None:  # noqa: FBT001 - what is shown
    play = Play(site(calendar=None))
    play.watch(0, "plc-1")
    play.signal(0.5, "machine_state", value="execute", device="plc-1")
    play.signal(1, "total_count", value=value, device="plc-1")
    play.until(1000)
    assert all("total" not in dict(point.fields) for point in play.points if point.measurement == "production")


def test_only_the_total_register_of_the_meter_counts() -> None:
    play = Play(site(calendar=None))
    play.watch(0, "plc-1")
    play.signal(0.5, "machine_state", value="execute", device="plc-1")
    for at_s in range(5, 900, 5):
        play.until(at_s)
        play.reading(at_s, str(at_s), quantity="active_power")
        play.reading(at_s, str(at_s), quantity="active_energy_import", phase="a")
        play.reading(at_s, None, quantity="active_energy_import")
    play.until(1000)
    assert all("energy_wh" not in dict(point.fields) for point in play.points if point.measurement == "production")


def test_two_gateways_have_books_of_their_own() -> None:
    file = site(calendar=None)
    here, there = Play(file), Play(file, gateway="edge-2")
    there.engine = here.engine
    for play in (here, there):
        play.watch(0, "plc-1")
        play.signal(0.5, "machine_state", value="execute", device="plc-1")
    assert here.engine.counters()["machines"] == 2
