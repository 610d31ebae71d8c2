from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest

from gateway.config.models import InfluxApi
from gateway.init.answers import StoreAnswers, StoreKind
from gateway.init.steps import Root, State, StepError
from gateway.init.store import CREDENTIAL, DROP_IN, SETTINGS, StorePlan, drop_in_text, plan
from tests.gateway.init.influx_v2_buckets import InfluxBuckets
from tests.gateway.init.machine import machine
from tests.support.influx_v2_mappings import ORG, TOKEN
from tests.support.json_server import Answered, json_server


def carried_out(found: StorePlan) -> str:
    async def every() -> list[str]:
        return [await step.carry_out() for step in found.steps if step.carry_out is not None]

    return "\n".join(asyncio.run(every()))


def planned(root: Root, **answers: object) -> StorePlan:
    return asyncio.run(plan(root, StoreAnswers.model_validate({"kind": StoreKind.INFLUXDB, **answers})))


def token_file(directory: Path) -> Path:
    path = directory / "token"
    path.write_text(TOKEN)
    path.chmod(0o600)
    return path


def test_the_journal_needs_nothing(tmp_path: Path) -> None:
    assert asyncio.run(plan(machine(tmp_path / "root"), StoreAnswers())) == StorePlan([], None)


def test_a_store_that_is_away_is_named_all_the_same(tmp_path: Path) -> None:
    root = machine(tmp_path / "root")
    found = planned(root, url="http://127.0.0.1:1")
    assert [step.state for step in found.steps] == [State.LEFT]
    assert found.sink is not None
    assert (found.sink.api, found.sink.url) == (InfluxApi.V1, "http://127.0.0.1:1")
    other = planned(root, url="http://127.0.0.1:1", org="port").sink
    assert other is not None
    assert other.api is InfluxApi.V2


@pytest.mark.parametrize(
    ("version", "why"), [("", "no InfluxDB that says"), ("3.1.0", "InfluxDB 3.1.0; set it up"), ("relic", "relic")]
)
def test_others_are_left_to_people(tmp_path: Path, version: str, why: str) -> None:
    headers = {"X-Influxdb-Version": version} if version else {}
    with json_server(lambda _: Answered(204, headers=headers)) as url:
        found = planned(machine(tmp_path / "root"), url=url)
    assert [step.state for step in found.steps] == [State.LEFT]
    assert why in found.steps[0].what


def test_influxdb_2_gets_bucket_mapping_and_a_token_once(tmp_path: Path) -> None:
    root, influx = machine(tmp_path / "root"), InfluxBuckets()
    file = token_file(tmp_path)
    with json_server(influx.answer) as url:
        answers = {"url": url, "org": ORG, "database": "plant", "token_file": file}
        found = planned(root, **answers)
        assert influx.made == []
        said = carried_out(found)
        assert "token-1" not in said
        assert root.get_secret(CREDENTIAL) == "token-1"
        assert stat.S_IMODE(root.at(f"/etc/credstore/{CREDENTIAL}").stat().st_mode) == 0o600
        assert carried_out(planned(root, **answers)).endswith(f"{CREDENTIAL} is there")
    assert (len(influx.made), len(influx.authorizations), len(influx.mappings)) == (1, 1, 1)
    assert found.sink is not None
    assert (found.sink.api, found.sink.org, found.sink.bucket) == (InfluxApi.V2, ORG, "plant")


def test_influxdb_2_without_a_token_is_left(tmp_path: Path) -> None:
    with json_server(InfluxBuckets().answer) as url:
        found = planned(machine(tmp_path / "root"), url=url, org=ORG)
    assert [step.state for step in found.steps] == [State.LEFT]
    assert "store.token_file" in found.steps[0].what


def test_a_token_that_others_may_read_is_refused(tmp_path: Path) -> None:
    file = token_file(tmp_path)
    file.chmod(0o644)
    with json_server(InfluxBuckets().answer) as url:
        found = planned(machine(tmp_path / "root"), url=url, org=ORG, token_file=file)
        with pytest.raises(StepError, match="others may read it"):
            carried_out(found)


def test_the_service_of_influxdb_1_gets_its_settings_where_it_runs_here(tmp_path: Path) -> None:
    root = machine(tmp_path / "root")
    with json_server(lambda _: Answered(204, headers={"X-Influxdb-Version": "1.6.7~rc0"})) as url:
        assert len(planned(root, url=url).steps) == 1
        root.at("/usr/bin").mkdir(parents=True)
        root.at("/usr/bin/influxd").write_text("")
        found = planned(root, url=url)
    assert DROP_IN in found.steps[0].what
    assert found.sink is not None
    assert (found.sink.api, found.sink.user) == (InfluxApi.V1, "tagwharf")


def test_each_setting_stands_in_the_drop_in() -> None:
    lines = drop_in_text().splitlines()
    assert lines[1] == "[Service]"
    assert {line for line in lines if not line.startswith("#")} == {
        "[Service]",
        *(f"Environment={name}={value}" for name, (value, _) in SETTINGS.items()),
    }
