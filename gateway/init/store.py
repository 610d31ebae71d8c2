"""What is to be done for InfluxDB: it says itself which it is, and each edition is set up its own way."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from gateway.boards.installing.http_json import JsonServer, ServerError
from gateway.config.models import InfluxApi, InfluxSink
from gateway.init.answers import StoreAnswers, StoreKind
from gateway.init.influx_v1 import InfluxV1, Login
from gateway.init.influx_v2 import make_bucket, make_writer
from gateway.init.steps import CREDSTORE, Root, State, Step, StepError, left, new_password, secret_in
from readers.errors import ConfigError

SINK: Final = "main"
CREDENTIAL: Final = f"tagwharf.influx-{SINK}"
USER: Final = "tagwharf"
PROGRAM: Final = "/usr/bin/influxd"
DROP_IN: Final = "/etc/systemd/system/influxdb.service.d/tagwharf.conf"
SETTINGS: Final = {
    "INFLUXDB_DATA_INDEX_VERSION": ("tsi1", "The index of series on the disk: memory does not grow with their number."),
    "INFLUXDB_DATA_QUERY_LOG_ENABLED": ("false", "A line of log for each query of a board is for nobody."),
    "INFLUXDB_HTTP_LOG_ENABLED": ("false", "... and so is one for each write."),
    "INFLUXDB_REPORTING_DISABLED": ("true", "Nothing is told to its maker."),
}
"""Source: InfluxDB 1.x, "Configure InfluxDB"."""
_version: Final = re.compile(r"v?(\d+)\.").match
_V1, _V2 = 1, 2


@dataclass(frozen=True, slots=True)
class StorePlan:
    """What is to be done, and the sink that the site file gets; None for the event journal alone."""

    steps: list[Step]
    sink: InfluxSink | None


async def plan(root: Root, answers: StoreAnswers) -> StorePlan:
    """Ask the server what it is, and plan accordingly; nothing is changed there."""
    if answers.kind is StoreKind.JOURNAL:
        return StorePlan([], None)
    try:
        async with JsonServer("InfluxDB", answers.url, None) as server:
            reply = await server.ask("GET", "/ping")
    except (ServerError, ConfigError) as error:
        api = InfluxApi.V2 if answers.org else InfluxApi.V1
        return StorePlan([left(f"{error}; nothing is set up there: see docs/how-to/influxdb.md")], _sink(answers, api))
    version = "".join(each for each in reply.headers.get("X-Influxdb-Version", "")[:40] if each.isprintable())
    found = _version(version)
    major = int(found[1]) if found else 0
    if major == _V1:
        return StorePlan([*_drop_in(root), _v1_step(root, answers, version)], _sink(answers, InfluxApi.V1, USER))
    sink = _sink(answers, InfluxApi.V2)
    if major == _V2:
        return StorePlan([_v2_step(root, answers, sink, version)], sink)
    what = f"InfluxDB {version}" if version else "no InfluxDB that says its version"
    return StorePlan([left(f"{answers.url} is {what}; set it up by hand: see docs/how-to/influxdb.md")], sink)


def drop_in_text() -> str:
    """Settings of the service of InfluxDB 1.x."""
    lines = ["# Written by `tagwharf init`: what goes before /etc/influxdb/influxdb.conf.", "[Service]"]
    for name, (value, why) in SETTINGS.items():
        lines += [f"# {why}", f"Environment={name}={value}"]
    return "\n".join(lines) + "\n"


def _sink(answers: StoreAnswers, api: InfluxApi, user: str | None = None) -> InfluxSink:
    return InfluxSink(
        kind="influxdb", name=SINK, url=answers.url, api=api, org=answers.org, bucket=answers.database, user=user
    )


def _drop_in(root: Root) -> list[Step]:
    if not root.at(PROGRAM).is_file():
        return []
    return [root.file(DROP_IN, drop_in_text(), "an index of series on the disk, no log of requests")]


def _v1_step(root: Root, answers: StoreAnswers, version: str) -> Step:
    keeps = f"kept for {answers.keep_days} days" if answers.keep_days else "kept for ever"

    async def carry_out() -> str:
        login = None
        if answers.admin_user is not None and answers.admin_password_file is not None:
            login = Login(answers.admin_user, secret_in(answers.admin_password_file))
        async with InfluxV1(answers.url, login) as store:
            said = f"database {answers.database!r} is there and stays as it is"
            if answers.database not in await store.databases():
                await store.create_database(answers.database, answers.keep_days)
                said = f"database {answers.database!r} is made, {keeps}"
            return f"InfluxDB {version}: {said}; {await _writer(root, store, answers.database)}"

    return Step(
        f"InfluxDB {version} at {answers.url}: make database {answers.database!r} ({keeps}) and user {USER!r} "
        f"that may write there, where they are not there; password in {CREDSTORE}/{CREDENTIAL}",
        State.TO_DO,
        carry_out,
    )


async def _writer(root: Root, store: InfluxV1, database: str) -> str:
    """Make sure that our user is there and that we have its password."""
    password = root.get_secret(CREDENTIAL)
    if USER in await store.users():
        if password is None:
            raise StepError(
                f"InfluxDB has a user {USER!r} whose password is not in {CREDSTORE}/{CREDENTIAL}; put it there, "
                "or drop that user, and run this again"
            )
        await store.let_write(USER, database)
        return f"user {USER!r} is there"
    if password is None:
        password = new_password()
        root.put_secret(CREDENTIAL, password)
    await store.create_writer(USER, password, database)
    return f"user {USER!r} is made"


def _v2_step(root: Root, answers: StoreAnswers, sink: InfluxSink, version: str) -> Step:
    file = answers.token_file
    if file is None:
        return left(
            f"InfluxDB {version} at {answers.url}: without store.token_file nothing is set up there; see "
            "docs/how-to/influxdb.md for bucket, mapping and token"
        )

    async def carry_out() -> str:
        async with JsonServer("InfluxDB", answers.url, f"Token {secret_in(file)}") as server:
            said = await make_bucket(server, sink, answers.keep_days)
            if root.get_secret(CREDENTIAL) is not None:
                return f"{said}; {CREDSTORE}/{CREDENTIAL} is there"
            root.put_secret(CREDENTIAL, await make_writer(server, sink, "tagwharf: writes events"))
            return f"{said}; a token that may write there alone is in {CREDSTORE}/{CREDENTIAL}"

    return Step(
        f"InfluxDB {version} at {answers.url}: make bucket {sink.bucket!r} in {sink.org!r}, let InfluxQL find it, and "
        f"make a token that may write there alone, in {CREDSTORE}/{CREDENTIAL}",
        State.TO_DO,
        carry_out,
    )
