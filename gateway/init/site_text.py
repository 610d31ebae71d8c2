"""Writes the first `site.toml`: what was answered and found, each key with what its model says of it.

As in the sample, a line that begins with `# ` explains, and one that begins with `#` alone is a setting to switch on.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from gateway.config.models import InfluxSink, JournalSink, Mqtt, Reader, Site
from gateway.init.answers import Answers, BrokerAnswers, Place
from gateway.init.devices import FoundReader
from gateway.init.examples import example

Value = str | int | bool | Mapping[str, "str | int | bool"]
WIDTH: Final = 110
_HEAD: Final = (
    "# The site file of Tagwharf, as `tagwharf init` wrote it. It is yours from now on: nothing writes it again.",
    "# `tagwharf check` tells every fault; all keys: docs/reference/site-file.md.",
    "# A line that begins with #key is a setting to switch on: take the # away.",
    "# Secrets are never written here: they are in /etc/credstore, see LoadCredential= in the units.",
)


def site_text(
    answers: Answers, broker_user: str | None, sink: InfluxSink | None, readers: Sequence[FoundReader]
) -> str:
    """The whole file."""
    lines = [*_HEAD, ""]
    lines += _table("[site]", Site, {"name": answers.site.name, "gateway": answers.site.gateway})
    lines += ["", *_table("[mqtt]", Mqtt, _broker(answers.broker, broker_user))]
    if sink is not None:
        lines += ["", *_table("[[sink]]", JournalSink, {"kind": "journal", "name": "events"})]
        lines += ["", *_table("[[sink]]", InfluxSink, _store(sink))]
    if not readers:
        lines += ["", *_wrapped("No device was found. Connect one: docs/how-to/connect-a-reader.md.")]
    for index, each in enumerate(readers):
        lines += ["", *_reader(each, is_first=index == 0)]
    if shown := example(answers.site.kind, readers):
        lines += ["", *shown]
    return "\n".join(lines) + "\n"


def _broker(broker: BrokerAnswers, user: str | None) -> dict[str, Value]:
    values: dict[str, Value] = {"host": broker.host, "port": broker.port}
    if broker.where is Place.ELSEWHERE and broker.ca_file is not None:
        values["tls"] = {"ca_file": str(Path(broker.ca_file).absolute())}
    if user is not None:
        values["user"] = user
    return values


def _store(sink: InfluxSink) -> dict[str, Value]:
    values: dict[str, Value] = {"kind": "influxdb", "name": sink.name, "url": sink.url, "api": sink.api.value}
    if sink.org:
        values["org"] = sink.org
    values["bucket"] = sink.bucket
    if sink.user is not None:
        values["user"] = sink.user
    return values


def _reader(reader: FoundReader, *, is_first: bool) -> list[str]:
    lines = _wrapped(f"Found: {reader.about}.")
    if reader.choices:
        lines += _wrapped(
            f"What hangs on it? Choose its driver, `tagwharf readers DRIVER`: {', '.join(reader.choices)}."
        )
    elif not reader.is_ready:
        lines += _wrapped(f"It needs settings, which `tagwharf readers {reader.driver}` lists; then switch it on.")
    values: dict[str, Value] = {"name": reader.name, "driver": reader.driver, "port": reader.port}
    table = _table("[[reader]]", Reader, values, is_told=is_first)
    return lines + [line if reader.is_ready or line.startswith("# ") else f"#{line}" for line in table]


def _table(head: str, model: type[BaseModel], values: Mapping[str, Value], *, is_told: bool = True) -> list[str]:
    lines = [head]
    for key, value in values.items():
        if is_told:
            lines += _wrapped(model.model_fields[key].description or "")
        lines.append(f"{key} = {_toml(value)}")
    return lines


def _wrapped(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)]


def _toml(value: Value) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)
