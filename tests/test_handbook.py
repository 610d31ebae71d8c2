"""The handbook against the code: what the code can tell has an entry, what has an entry can be told, commands exist."""

from __future__ import annotations

import ast
import contextlib
import functools
import io
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import tagwharf_ctl.cli
from typer.testing import CliRunner

import rules.cli
from gateway.cli import app
from gateway.config.models import Health as HealthSettings
from gateway.console.parts.devices import GATEWAY_AWAY
from gateway.edge.watched import DeviceState
from gateway.health import Health
from readers.codecs.dlt645_status import CommonFaults, PhaseFaults
from readers.driver import Kind

ROOT: Final = Path(__file__).parents[1]
HANDBOOK: Final = ROOT / "docs/handbook"
PAGES: Final = sorted(HANDBOOK.glob("*.md"))
WRONG: Final = "when-something-is-wrong.md"
DEVICE: Final = "when-a-device-is-not-well.md"

TELLERS: Final = ("Condition", "condition", "_condition", "state", "begin", "begins")
"""What tells of a condition in `readers`; its name is the first argument, or the second after the device."""
COMPUTED: Final = {
    "readers/cards/osdp/driver.py": {"unit_offline", "secure_channel_failed"},
    "readers/machines/mtconnect/driver.py": {"machine_condition"},
    "readers/meters/dlt645/status.py": {each.name.lower() for each in [*PhaseFaults, *CommonFaults] if each.name},
    "readers/meters/dlt698/watches.py": {each.name.lower() for each in [*PhaseFaults, *CommonFaults] if each.name},
    "readers/modbus_device.py": {"meter_silent", "machine_silent"},
    "readers/rfid/thingmagic/inventory.py": {"antenna_disconnected", "high_return_loss", "over_temperature"},
}
"""Names of conditions that are not written where they are told: those of tables, and of what a name is made of."""
LIKE: Final = 0.6
"""The part of the words of a row that its alarm's message has: one row may be of several alarms."""
NAME: Final = re.compile(r"[a-z]+(?:_[a-z]+)*")


@functools.cache
def trees(*folders: str) -> dict[str, ast.Module]:
    """The modules below these folders, by their paths."""
    found = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return {path.relative_to(ROOT).as_posix(): parsed(path) for path in found}


@functools.cache
def parsed(path: Path) -> ast.Module:
    """One module."""
    return ast.parse(path.read_bytes())


@functools.cache
def nodes(path: Path) -> list[ast.AST]:
    """All that is in one module."""
    return list(ast.walk(parsed(path)))


@functools.cache
def constants(*folders: str) -> dict[str, str]:
    """Texts by the names of the module and class constants that hold them; one text for one name."""
    found: dict[str, str] = {}
    for path in trees(*folders):
        for node in nodes(ROOT / path):
            if isinstance(node, ast.AnnAssign | ast.Assign) and isinstance(node.value, ast.Constant):
                target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
                if isinstance(target, ast.Name) and isinstance(node.value.value, str):
                    found.setdefault(target.id, node.value.value)
    return found


def calls(*folders: str) -> Iterator[tuple[str, str, ast.Call]]:
    """Every call below these folders: where, the last part of what is called, and the call."""
    for path in trees(*folders):
        for node in nodes(ROOT / path):
            if isinstance(node, ast.Call):
                called = node.func
                name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
                yield path, name, node


def texts(node: ast.expr, *folders: str) -> set[str]:
    """The texts that an expression can be, with NAME for what is filled in; empty when that cannot be told."""
    match node:
        case ast.Constant(value=str(text)):
            return {text}
        case ast.Name(id=name) if name in constants(*folders) and name.isupper():
            return {constants(*folders)[name]}
        case ast.IfExp(body=one, orelse=other):
            return texts(one, *folders) | texts(other, *folders)
        case ast.JoinedStr(values=[ast.FormattedValue(value=ast.Attribute(attr="noun")), ast.Constant(value=str(end))]):
            return {noun + end for noun in nouns()}
        case ast.JoinedStr(values=parts):
            return {"".join(str(part.value) if isinstance(part, ast.Constant) else "NAME" for part in parts)}
        case ast.Attribute(attr="noun"):
            return nouns()
        case ast.Attribute(attr="alarm"):
            return {f"{noun}_refused" for noun in nouns()}
        case ast.Attribute(attr="degradation"):
            return {text for made in returned("degradation") for text in texts(made, *folders)} - {"table"}
    return set()


@functools.cache
def nouns() -> set[str]:
    """What the files are called that the rules daemon reads anew while it runs."""
    found: set[str] = set()
    for path in trees("rules"):
        for one in nodes(ROOT / path):
            if isinstance(one, ast.ClassDef):
                for each in one.body:
                    if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == "noun":
                        found |= texts(each.value, "rules")
    return found


def returned(function: str) -> list[ast.expr]:
    """What functions of this name return."""
    return [
        each.value
        for path in trees("rules")
        for node in nodes(ROOT / path)
        if isinstance(node, ast.FunctionDef) and node.name == function
        for each in ast.walk(node)
        if isinstance(each, ast.Return) and each.value is not None
    ]


def entries(page: str, kind: str) -> set[str]:
    """The words in the first columns of the tables of this kind, each once, with its meaning."""
    text = (HANDBOOK / page).read_text()
    tables = re.findall(rf"<!-- {kind} -->\n(.*?)<!-- end -->", text, re.DOTALL)
    assert tables, f"{page} has no table of {kind}"
    found: list[str] = []
    for row in (line for table in tables for line in table.splitlines()[2:]):
        cells = [cell.strip() for cell in row.strip("|").split(" | ")]
        assert cells[1], f"{page}: {row} does not say what it means"
        found += re.findall(r"`([^`]+)`", cells[0])
    assert len(found) == len(set(found)), (
        f"{page}: twice: {sorted(word for word in set(found) if found.count(word) > 1)}"
    )
    return set(found)


def same(told: set[str], written: set[str], what: str) -> None:
    """Say which entries are missing, and which are of nothing."""
    assert told, f"no {what} was found in the code: this test looks in the wrong place"
    assert not told - written, f"{what} without an entry: {sorted(told - written)}"
    assert not written - told, f"entries of {what} that nothing tells: {sorted(written - told)}"


def test_every_condition_has_an_entry() -> None:
    told, unknown = {"certificate_expiring"}, set()
    for path, name, call in calls("readers"):
        is_other = name == "state" and not ast.unparse(call.func).endswith("teller.state")
        if name not in TELLERS or not call.args or is_other or "active=False" in ast.unparse(call):
            continue
        if path in COMPUTED:
            told |= COMPUTED[path]
        found = texts(call.args[0], "readers")
        if not found and path == "readers/cards/osdp/driver.py":
            found = texts(call.args[1], "readers")
        if found and path not in COMPUTED:
            told |= found
        elif found:
            told |= {word for word in found if "NAME" not in word}
        elif path not in COMPUTED and not is_passed_on(path, call.args[0]):
            unknown.add(f"{path}:{call.lineno}")
    for path in ("readers/meters/dlt645/status.py", "readers/meters/dlt698/watches.py"):
        told |= literal_faults(trees("readers")[path])
    assert not unknown, f"conditions whose names cannot be told; name them in COMPUTED: {sorted(unknown)}"
    same({word for word in told if NAME.fullmatch(word)}, entries(DEVICE, "conditions"), "conditions")


def test_what_is_said_of_computed_names_is_still_so() -> None:
    bits = {each.name for each in [*PhaseFaults, *CommonFaults]}
    for path, words in COMPUTED.items():
        text = (ROOT / path).read_text()
        assert not {w for w in words if f'"{w}"' not in text and w.upper() not in bits and not w.endswith("_silent")}
        assert not any(word.endswith("_silent") for word in words) or '_silent"' in text


def is_passed_on(path: str, name: ast.expr) -> bool:
    """Whether this is what the function around it was given, so that its callers name it; or no condition at all."""
    return isinstance(name, ast.Await) or (
        isinstance(name, ast.Name)
        and any(
            name.id in {each.arg for each in node.args.args} and any(one is name for one in ast.walk(node))
            for node in nodes(ROOT / path)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        )
    )


def literal_faults(tree: ast.Module) -> set[str]:
    """The names of faults of a meter that are no bits of a status word."""
    made = {node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "_faults"}
    assert made
    words = {one.value for node in made for one in ast.walk(node) if isinstance(one, ast.Constant)}
    return {word for word in words if isinstance(word, str) and NAME.fullmatch(word) and "_" in word}


def test_every_alarm_of_our_own_has_an_entry() -> None:
    told: set[str] = set()
    for path, name, call in calls("rules"):
        receiver = ast.unparse(call.func.value).lower() if isinstance(call.func, ast.Attribute) else ""
        if name == "put" and len(call.args) > 2 and (receiver.endswith("alarms") or path == "rules/own_events.py"):
            found = texts(call.args[0], "rules")
            assert found, f"{path}:{call.lineno}: which alarm is this?"
            told |= found
    same(told, entries(WRONG, "alarms"), "alarms")


def test_every_event_about_the_platform_has_an_entry() -> None:
    (tree,) = (tree for path, tree in trees("rules").items() if path == "rules/own_events.py")
    made = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "Event"]
    types = [each.value for call in made for each in call.keywords if each.arg == "type"]
    same({text for each in types for text in texts(each, "rules")}, entries(WRONG, "events"), "events")


def test_every_reason_of_a_status_has_an_entry() -> None:
    told = {GATEWAY_AWAY, DeviceState("gate-3", "llrp", Kind.RFID, 0).batch("edge-1", 0).reason}
    for _, name, call in calls("gateway/edge"):
        if name in ("_failed", "link_failed", "_away"):
            told |= texts(call.args[0])
        elif name in ("_status", "_own_status"):
            told |= texts(call.args[-1])
    same(told - {"started"}, entries(DEVICE, "reasons"), "reasons")


def test_every_word_of_readyz_has_an_entry() -> None:
    told = set(Health("edge").not_ready)
    for path in trees("gateway", "rules"):
        for node in nodes(ROOT / path):
            if isinstance(node, ast.Assign) and isinstance(target := node.targets[0], ast.Subscript):
                if not ast.unparse(target.value).endswith((".degraded", ".not_ready")):
                    continue
                found = texts(target.slice, "gateway", "rules")
                assert found, f"{path}:{node.lineno}: which word is this?"
                told |= found
    same(told, entries(WRONG, "health"), "words of /readyz")


def test_every_part_that_is_watched_has_an_entry() -> None:
    watched = [
        call for _, name, call in calls("gateway", "rules") if name == "watch" and len(call.args) == 2
    ]  # part, limit
    told = {text for call in watched for text in texts(call.args[0])}
    same(told, entries(WRONG, "parts"), "parts")


def test_every_loss_has_an_entry() -> None:
    told = set()
    for _, name, call in calls("gateway/edge"):
        if name in ("lose", "_lose_cards", "drop", "add"):
            words = {text for each in call.args for text in texts(each, "gateway/edge")}
            told |= {word.replace("NAME", "...") for word in words if "_" in word}
    same(told, entries(WRONG, "losses"), "losses")


def test_every_trouble_of_the_log_has_an_entry() -> None:
    told = set()
    for path, name, call in calls("gateway", "rules"):
        arguments = {"trouble": call.args[1:2], "_notice": call.args[:1], "_failed": call.args[1:2]}.get(name, [])
        if not arguments or (name == "_failed" and path != "gateway/edge/supervisor.py"):
            continue
        found = texts(arguments[0], path.split("/")[0])
        is_given = isinstance(arguments[0], ast.Name) and arguments[0].id == "event"
        assert found or is_given or name == "_notice", f"{path}:{call.lineno}: which event is this?"
        told |= found
    same(told, entries(WRONG, "log"), "troubles of the log")


@pytest.mark.parametrize(
    ("pack", "page"),
    [
        ("port", "run-a-port-gate"),
        ("factory", "run-a-factory"),
        ("power", "run-a-power-room"),
        ("parking", "run-a-car-park"),
    ],
)
def test_every_alarm_of_a_pack_has_an_entry_on_the_page_that_the_handbook_names(pack: str, page: str) -> None:
    text = (ROOT / f"docs/how-to/{page}.md").read_text()
    assert f"../how-to/{page}.md#what-to-do-at-each-alarm" in (HANDBOOK / WRONG).read_text()
    table = text.split("## What to do at each alarm\n\n")[1].split("\n\n")[0]
    rows = [row.strip("| ").split(" | ")[0] for row in table.splitlines()[2:]]
    alarms = json.loads((ROOT / "docs/reference/catalogue.json").read_text())["events"]["packs"][pack]["alarms"]
    assert alarms
    missing = [each for each in alarms if not any(is_of(row, each["rule"], each["message"]) for row in rows)]
    assert not missing


def is_of(row: str, rule: str, message: str) -> bool:
    """Whether the first column of a row is of this alarm: by the end of its rule's name, or by words of its message."""
    for name in re.findall(r"`\.\.\.-?([^`]+)`", row):
        if re.fullmatch(r"(.+-)?" + re.sub(r"[A-Z]+", ".+", re.escape(name)), rule):
            return True
    words = [word for word in re.findall(r"\w+", row.lower()) if len(word) > 2]  # shorter ones say nothing
    return bool(words) and sum(word in message.lower() for word in words) >= LIKE * len(words)


def commands() -> set[str]:
    """Every command of ours that the handbook tells to run."""
    found: set[str] = set()
    for page in PAGES:
        text = page.read_text()
        found |= set(re.findall(r"`((?:tagwharf|tagwharf-ctl) [^`]+)`", text))
        found |= set(re.findall(r"^    ((?:tagwharf|tagwharf-ctl) .+)$", text, re.MULTILINE))
    return found


def help_of(program: str, path: list[str]) -> str:
    """What `--help` prints of one command.

    Raises:
        AssertionError: there is no such command.
    """
    if program == "tagwharf" and path[:1] != ["rules"]:
        result = CliRunner().invoke(app, [*path, "--help"], prog_name="tagwharf", terminal_width=200)
        assert result.exit_code == 0, f"tagwharf {' '.join(path)}: {result.output}"
        printed = result.output
    else:
        main = tagwharf_ctl.cli.main if program == "tagwharf-ctl" else rules.cli.main
        shown = io.StringIO()
        with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown), pytest.raises(SystemExit) as left:
            main([*(path if program == "tagwharf-ctl" else path[1:]), "--help"])
        assert left.value.code == 0, f"{program} {' '.join(path)}: {shown.getvalue()}"
        printed = shown.getvalue()
    assert " ".join([program, *path]) in " ".join(printed.split()), f"there is no {program} {' '.join(path)}"
    return printed


def test_every_command_exists_with_its_options() -> None:
    found = commands()
    assert len(found) > 20  # a handbook that names fewer was not read by this test
    for command in sorted(found):
        program, *words = shlex.split(command)
        path = [words.pop(0)] if words else []
        while words and re.fullmatch(r"[a-z]+", words[0]):
            path.append(words.pop(0))
        known = set(re.findall(r"--[a-z][a-z-]*", help_of(program, path)))
        used = {word.split("=")[0] for word in words if word.startswith("--")}
        assert not used - known, f"{command}: there is no {sorted(used - known)}"


def test_every_service_and_port_is_ours() -> None:
    units = {path.stem for path in (ROOT / "systemd").glob("tagwharf-*.service")}
    text = "\n".join(page.read_text() for page in PAGES)
    lines = re.findall(r"`(?:systemctl|journalctl) ([^`]+)`|^    (?:systemctl|journalctl) (.+)$", text, re.MULTILINE)
    named = {word for line in lines for word in re.findall(r"(?<!')\btagwharf-[a-z]+", "".join(line))}
    assert named
    assert not named - units
    ports = {int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", text)}
    assert ports == {HealthSettings().edge_port, HealthSettings().rules_port}


def anchors(page: Path) -> set[str]:
    """The anchors of the headings of a page, as the sites that show Markdown make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_link_leads_to_a_heading() -> None:
    reached = set()
    for page in PAGES:
        for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)", page.read_text()):
            if "://" in target:
                continue
            led = (page.parent / target).resolve() if target else page
            assert led.is_file(), f"{page.name}: {target}"
            assert not anchor or anchor in anchors(led), f"{page.name}: {target}#{anchor}"
            reached.add(led)
    assert set(PAGES) <= reached
