"""The commands that the console asks, as real processes; and small programs in their place, that behave badly."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.console import explaining
from gateway.console.explaining import COMMAND, MOST_WAITING, NICENESS, Explaining, ExplainingError, Limits
from tests.rules.recorded import START_US, TRUCK, Recorded, recorded, site_file

ID = "0123456789abcdef0123"


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return recorded(tmp_path_factory.mktemp("explaining"))


def program(text: str) -> tuple[str, ...]:
    return (sys.executable, "-c", text)


def asked(text: str, limits: Limits | None = None) -> Any:
    """What a program in place of the commands is understood to say."""
    return asyncio.run(Explaining(Path("site.toml"), limits=limits, command=program(text)).trace(ID))


def refused(ask: Callable[[], object]) -> ExplainingError:
    with pytest.raises(ExplainingError) as caught:
        ask()
    return caught.value


def test_the_commands_answer(known: Recorded) -> None:
    async def main() -> None:
        explain = Explaining(known.config)
        rules = await explain.rules()
        assert [rule["name"] for rule in rules["rules"]] == ["truck-in", "busy", "voltage-low"]
        found = await explain.trace(known.event("truck-in").id)
        assert (found["answer"], found["told"]["subject"]) == ("made", TRUCK)
        alarm = known.alarm("voltage-low")
        assert (await explain.trace(alarm.id, alarm.at_us))["told"]["id"] == alarm.id
        found = await explain.why_not("truck-in", "truck 7", START_US + 42_000_000, 10)
        assert any(line["kind"] == "finding" and not line["is_true"] for line in found["lines"])
        found = await explain.why_not("truck-in", "--all")  # is about something, and no option
        assert "--all" in found["about"]
        found = await explain.trace(known.event("truck-in").id, look_back_s=10)
        assert found["recording"]["began_us"] >= known.event("truck-in").at_us - 71_000_000
        found = await explain.replay(START_US + 60_000_000, START_US + 90_000_000, look_back_s=0)
        assert found["recording"]["began_us"] == START_US + 60_000_000
        found = await explain.replay(START_US, START_US + 90_000_000)
        assert found["is_same"]
        assert found["window"] == {"from_us": START_US, "to_us": START_US + 90_000_000}

    asyncio.run(main())


def test_an_answer_that_is_no_is_an_answer(known: Recorded, tmp_path: Path) -> None:
    config = site_file(tmp_path, known.state, for_s=25)
    found = asyncio.run(Explaining(config).replay(START_US, START_US + 90_000_000))
    assert not found["is_same"]
    assert found["rules"]["voltage-low"]["made_now_count"] == 1


def test_what_is_not_there_and_a_site_file_with_faults(known: Recorded, tmp_path: Path) -> None:
    error = refused(lambda: asyncio.run(Explaining(known.config).trace(ID)))
    assert error.status == 404
    assert "neither an event nor an alarm" in str(error)
    error = refused(lambda: asyncio.run(Explaining(known.config).why_not("no-rule", "x")))
    assert (error.status, "no rule is named 'no-rule'" in str(error)) == (404, True)
    config = tmp_path / "site.toml"
    config.write_text("[site]\n[mqttt]\n")
    error = refused(lambda: asyncio.run(Explaining(config).rules()))
    assert error.status == 409
    assert len(str(error).splitlines()) == 2


@pytest.mark.parametrize(
    "ask",
    [
        lambda explain: explain.trace("--help"),
        lambda explain: explain.trace(ID.upper()),
        lambda explain: explain.trace(f"{ID}\n"),
        lambda explain: explain.trace(ID, -5),
        lambda explain: explain.why_not("--rule", "x"),
        lambda explain: explain.why_not("gate\n", "x"),
        lambda explain: explain.why_not("gate", ""),
        lambda explain: explain.why_not("gate", "x" * 201),
        lambda explain: explain.why_not("gate", "a\x00b"),
        lambda explain: explain.why_not("gate", "x", None, 3_601),
        lambda explain: explain.why_not("gate", "x", None, float("nan")),
        lambda explain: explain.why_not("gate", "x", 10**18),
        lambda explain: explain.replay(START_US, START_US),
        lambda explain: explain.replay(START_US + 1, START_US),
        lambda explain: explain.replay(START_US, START_US + 86_400_000_001),
        lambda explain: explain.replay(0, START_US),
        lambda explain: explain.replay(START_US, START_US + 1, look_back_s=-1),
        lambda explain: explain.trace(ID, look_back_s=86_401),
        lambda explain: explain.why_not("gate", "x", look_back_s=float("nan")),
    ],
)
def test_what_is_no_question_starts_nothing(tmp_path: Path, ask: Callable[[Explaining], Awaitable[object]]) -> None:
    mark = tmp_path / "started"
    explain = Explaining(tmp_path, command=program(f"open({str(mark)!r}, 'w')"))

    async def main() -> None:
        await ask(explain)

    assert refused(lambda: asyncio.run(main())).status == 400
    assert not mark.exists()


def test_an_answer_is_given_again_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = tmp_path / "count"
    command = program(f"f = open({str(count)!r}, 'a'); f.write('x'); print('{{}}')")

    async def main() -> None:
        explain = Explaining(tmp_path, command=command)
        await asyncio.gather(*(explain.trace(ID) for _ in range(MOST_WAITING)))
        assert count.read_text() == "x"
        await explain.trace(ID, START_US)
        assert count.read_text() == "xx"
        monkeypatch.setattr(explaining, "KEPT_S", -1.0)
        for _ in range(2):
            await explain.replay(START_US, START_US + 1)
        assert count.read_text() == "xxxx"

    asyncio.run(main())


def test_what_some_minutes_do_not_show_again_is_looked_for_in_an_hour(tmp_path: Path) -> None:
    answer = "'not_again' if '300s' in sys.argv else 'made'"
    text = f"import json, sys; print(json.dumps(dict(answer={answer})))"

    async def main() -> None:
        explain = Explaining(tmp_path, command=program(text))
        assert await explain.trace(ID) == {"answer": "made"}
        assert await explain.trace(ID, look_back_s=300) == {"answer": "not_again"}

    asyncio.run(main())


def test_what_is_kept_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        explain = Explaining(tmp_path, command=program("print('[1, 2, 3]')"))
        for number in range(4):
            await explain.trace(ID, START_US + number)
        assert [int(words[-2]) for words in explain._kept] == [START_US + 2, START_US + 3]
        monkeypatch.setattr(explaining, "MOST_KEPT_BYTES", 12)
        await explain.trace(ID)
        assert len(explain._kept) == 1

    monkeypatch.setattr(explaining, "MOST_KEPT", 2)
    asyncio.run(main())


def test_the_list_of_rules_is_asked_anew_when_a_file_has_changed(tmp_path: Path) -> None:
    config, rules, count = tmp_path / "site.toml", tmp_path / "rules.toml", tmp_path / "count"
    config.write_text('[rules]\nfile = "rules.toml"\n')
    rules.write_text("")
    command = program(f"f = open({str(count)!r}, 'a'); f.write('x'); print('{{}}')")

    async def main() -> None:
        explain = Explaining(config, command=command)
        await asyncio.gather(explain.rules(), explain.rules())
        assert count.read_text() == "x"
        rules.write_text("# other rules\n")
        await explain.rules()
        assert count.read_text() == "xx"
        rules.unlink()
        await explain.rules()
        await explain.rules()
        assert count.read_text() == "xxx"
        config.write_text("")
        await explain.rules()
        assert count.read_text() == "xxxx"

    asyncio.run(main())


def test_one_runs_at_a_time_few_wait_and_the_others_are_sent_away(tmp_path: Path) -> None:
    log = tmp_path / "log"
    said = "f.write('<'); f.flush(); time.sleep(0.05); f.write('>'); print('{}')"
    command = program(f"import time; f = open({str(log)!r}, 'a'); {said}")

    async def main() -> list[object]:
        explain = Explaining(tmp_path, command=command)
        many = (explain.trace(ID, START_US + number) for number in range(MOST_WAITING + 3))
        return list(await asyncio.gather(*many, return_exceptions=True))

    found = asyncio.run(main())
    away = [each for each in found if isinstance(each, ExplainingError)]
    assert [each.status for each in away] == [503, 503]
    assert found.count({}) == 1 + MOST_WAITING
    assert log.read_text() == "<>" * (1 + MOST_WAITING)


def test_who_takes_too_long_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    text = (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
        "time.sleep(60)\n"
    )
    began_s = time.monotonic()
    error = refused(lambda: asked(text, Limits(within_s=2.0)))
    assert (error.status, str(error)) == (504, "no answer within 2 s; ask about a shorter time")
    assert time.monotonic() - began_s < 20
    own, child = map(int, pids.read_text().split())
    assert not Path(f"/proc/{own}").exists()
    deadline_s = time.monotonic() + 10
    while is_running(child):  # whoever adopted it has to notice
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_who_leaves_takes_the_process_along_and_the_next_has_his_turn(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    text = (
        "import os, sys, time\n"
        f"if sys.argv[-1] == '{ID}':\n"
        f"    open({str(pid)!r}, 'w').write(str(os.getpid()))\n"
        "    time.sleep(60)\n"
        "print('{}')\n"
    )

    async def main() -> None:
        explain = Explaining(tmp_path, command=program(text))
        leaving = asyncio.create_task(explain.trace(ID))
        next_one = asyncio.create_task(explain.trace(ID[::-1]))
        async with asyncio.timeout(20):
            while not (pid.exists() and pid.read_text()):
                await asyncio.sleep(0.02)
            leaving.cancel()
            assert await next_one == {}

    asyncio.run(main())
    assert not Path(f"/proc/{pid.read_text()}").exists()


def test_who_says_too_much_is_ended() -> None:
    text = "import sys\nwhile True: sys.stdout.write('x' * 65536)"
    error = refused(lambda: asked(text, Limits(most_bytes=1 << 20)))
    assert (error.status, "longer than 1 MiB" in str(error)) == (413, True)


def test_complaints_are_told_as_they_are_up_to_a_length() -> None:
    error = refused(lambda: asked("import sys; sys.stderr.write('a\\x1b[31m\\nb\\n' * 100_000); sys.exit(1)"))
    assert error.status == 404
    assert str(error).splitlines()[1] == "b"
    assert "\x1b" not in str(error)
    assert len(str(error)) <= explaining.MOST_COMPLAINT


@pytest.mark.parametrize(
    ("text", "status", "told"),
    [
        ("1 / 0", 500, "ZeroDivisionError: division by zero"),
        ("import sys; sys.exit(70)", 500, "the command ended with status 70, and said nothing"),
        ("import sys; print('{'); sys.exit(70)", 500, "the command ended with status 70, and said nothing"),
        ("import sys; sys.stderr.write('no such option'); sys.exit(2)", 400, "no such option"),
        ("print('{')", 500, "the answer of the command is no JSON"),
        ("import os; os.kill(os.getpid(), 9)", 500, "the command was killed, most likely for want of memory"),
    ],
)
def test_commands_that_fail(text: str, status: int, told: str) -> None:
    error = refused(lambda: asked(text))
    assert error.status == status
    assert str(error).startswith(told)


def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    explain = Explaining(tmp_path, command=(str(tmp_path / "nothing"),))
    error = refused(lambda: asyncio.run(explain.trace(ID)))
    assert (error.status, str(error)) == (500, "the command cannot be started: No such file or directory")


def test_it_goes_first_when_memory_is_short() -> None:
    text = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "adjusted = Path('/proc/self/oom_score_adj')\n"
        "while adjusted.read_text() != '1000\\n': time.sleep(0.01)\n"
        "print(adjusted.read_text())\n"
    )
    assert asked(text, Limits(within_s=10)) == 1000


def test_it_is_polite_and_by_itself() -> None:
    text = (
        "import json, os, sys, time\n"
        f"while os.getpriority(os.PRIO_PROCESS, 0) < {os.getpriority(os.PRIO_PROCESS, 0) + 1}: time.sleep(0.01)\n"
        "said = [os.getpriority(os.PRIO_PROCESS, 0), os.getpgid(0) == os.getpid(), sys.stdin.read(), sys.argv[1:]]\n"
        "print(json.dumps(said))\n"
    )
    nice, is_leader, said, words = asked(text, Limits(within_s=10))
    assert (nice, is_leader, said) == (NICENESS, True, "")
    assert words == ["trace", "--json", "--config", "site.toml", "--look-back", "300s", ID]
    assert COMMAND[0] == sys.executable
