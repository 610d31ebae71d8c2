"""Whatever stands in a site file: it is loaded, or refused with lines that people can read. Nothing else happens."""

import copy
import json
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.config.load import load_site
from readers.errors import ConfigError
from tests.gateway.config.test_sample import uncommented

WHOLE = tomllib.loads(uncommented()) | {
    "reader": [
        {
            "name": "gate",
            "driver": "m100",
            "port": "/dev/ttyUSB0",
            "read_points": {"1": "in"},
            "settings": {"rounds": 3},
        },
        {
            "name": "line",
            "driver": "dlt645",
            "port": "socket://10.0.0.1:4001",
            "settings": {"meters": [{"name": "m-1", "address": "1"}], "poll_s": 5},
        },
        {"name": "dock", "driver": "llrp", "port": "tls://10.0.0.2", "tls": {"server_name": "x"}, "settings": {}},
    ]
}
del WHOLE["rules"]["file"]  # the rules stand here; any rule file: test_rule_file.py
SCALARS = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.text(max_size=8),
    st.sampled_from(
        ["gate", "in", "m-1", "llrp", "tcp://[", "tcp://h:0", "//", "journal", "hold", "\x1b[2J", "a" * 300]
    ),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)  # one strategy


def paths(node: Any, base: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    steps = list(node) if isinstance(node, dict) else list(range(len(node))) if isinstance(node, list) else []
    return [path for step in steps for path in ((*base, step), *paths(node[step], (*base, step)))]


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value)


def faults_of(file: Path) -> list[str]:
    try:
        load_site(file)
    except ConfigError as error:
        return str(error).splitlines() or ["no message"]
    return []


@given(st.lists(st.tuples(st.sampled_from(paths(WHOLE)), VALUES, st.booleans()), min_size=1, max_size=4))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_changed_file_is_loaded_or_refused(changes: list[tuple[tuple[str | int, ...], Any, bool]]) -> None:
    raw = copy.deepcopy(WHOLE)
    for path, value, is_removed in changes:
        node: Any = raw
        try:
            for step in path[:-1]:
                node = node[step]
            if is_removed:
                del node[path[-1]]
            else:
                node[path[-1]] = value
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took it away
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "site.toml"
        file.write_text("\n".join(f"{json.dumps(key)} = {toml(each)}" for key, each in raw.items()))
        lines = faults_of(file)
        assert all(line.isprintable() and line.startswith(f"{file}:") for line in lines), lines


@given(st.binary(max_size=80))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_loaded_or_refused(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "site.toml"
        file.write_bytes(content)
        lines = faults_of(file)
        assert all(line.startswith(f"{file}:") for line in lines)


def test_unchanged_file_has_only_the_faults_of_its_missing_files(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text("\n".join(f"{json.dumps(key)} = {toml(each)}" for key, each in WHOLE.items()))
    lines = faults_of(file)
    assert all("there is no file" in line or "no reader has this read point" in line for line in lines), lines
