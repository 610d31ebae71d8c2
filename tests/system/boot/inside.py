"""Runs inside the booted machine as the last unit of its start: a line PASS or FAIL for each check in /results.txt.

The daemons serve simulated devices meanwhile, so that what they hold is real when they are killed.
"""

from __future__ import annotations

import ctypes
import http.client
import json
import os
import re
import ssl
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

EDGE, DOCK, RULES, CONSOLE = "tagwharf-edge", "tagwharf-edge@dock", "tagwharf-rules", "tagwharf-console"
USERS: Final = {EDGE: "tagwharf-edge", DOCK: "tagwharf-edge", RULES: "tagwharf-rules", CONSOLE: "tagwharf-console"}
MEMORY_MOST: Final = {EDGE: 512, DOCK: 512, RULES: 512, CONSOLE: 640}  # MiB
WATCHDOG_S: Final = 10.0
CAUGHT_WITHIN_S: Final = WATCHDOG_S + 3.0
BACK_WITHIN_S: Final = 60.0
EDGE_STATE, RULES_STATE = Path("/var/lib/tagwharf-edge"), Path("/var/lib/tagwharf")
CANARIES: Final = Path("/opt/canaries")  # a secret in each line
LOGIN_NAME, CONSOLE_NAME, CONSOLE_PORT = "anna", "console.example", 8680
TAGWHARF: Final = "/opt/tagwharf/bin/tagwharf"
SIGABRT_BIT: Final = 1 << 5
PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17

results: list[bool] = []


def check(name: str, passed: bool, detail: object = "") -> None:  # noqa: FBT001  # what is checked is its whole meaning
    """Tell one result."""
    results.append(passed)
    more = f"   [{detail}]" if str(detail) else ""
    sys.stdout.write(f"{'PASS' if passed else 'FAIL'} {name}{more}\n")
    sys.stdout.flush()


def info(text: str) -> None:
    """Tell something that is no check."""
    sys.stdout.write(f"INFO {text}\n")


def run(*command: str | Path, user: str = "") -> subprocess.CompletedProcess[str]:
    """Run a program, as another user with all groups of his."""
    as_user = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"] if user else []
    words = [*as_user, *map(str, command)]
    return subprocess.run(words, check=False, capture_output=True, text=True, errors="replace", timeout=120)


def of(unit: str, name: str) -> str:
    """A property of a unit."""
    return run("systemctl", "show", "-P", name, unit).stdout.strip()


def pid(unit: str) -> int:
    """The main process, 0 when there is none."""
    return int(of(unit, "MainPID") or 0)


def until(condition: Callable[[], object], within_s: float = BACK_WITHIN_S) -> bool:
    """Whether it came to be true in time."""
    end = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def active(unit: str) -> bool:
    """Whether it has said READY=1, and not ended since."""
    return of(unit, "ActiveState") == "active"


def is_another(unit: str, process: int) -> bool:
    """Whether it is active as a process other than this one."""
    return pid(unit) not in (0, process) and active(unit)


def start_is_complete() -> None:
    """Every unit has said that it is ready."""
    for unit in USERS:
        check(f"{unit} is ready", until(partial(active, unit)), of(unit, "StatusText"))


def processes_have_no_power() -> None:
    """What the running processes may do, not what the units promise."""
    for unit, user in USERS.items():
        lines = Path(f"/proc/{pid(unit)}/status").read_text().splitlines()
        status = {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
        uid = int(run("id", "-u", user).stdout)
        check(f"{unit} runs as {user}", status["Uid"].split() == [str(uid)] * 4, status["Uid"])
        powers = {name: status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}
        check(f"{unit} has no capability", all(int(power, 16) == 0 for power in powers.values()), powers)
        check(f"{unit} gains no privileges", status["NoNewPrivs"] == "1")
        check(f"{unit} has a system call filter", status["Seccomp"] == "2")


def exposed(unit: str, most: float) -> None:
    """The exposure of the loaded unit, drop-ins and all."""
    told = run("systemd-analyze", "security", "--no-pager", f"--threshold={round(most * 10)}", f"{unit}.service")
    found = re.search(r"Overall exposure level for \S+ (\d+\.\d+)", told.stdout)
    passed = found is not None and float(found[1]) <= most and told.returncode == 0
    check(f"{unit} is exposed by at most {most}", passed, found[1] if found else told.stderr)


def root_is_read_only() -> None:
    """Where each daemon could write, as its own user and in its own view of the file system."""
    own = {EDGE: EDGE_STATE, DOCK: EDGE_STATE / "dock", RULES: RULES_STATE, CONSOLE: None}
    for unit in USERS:
        mine = own[unit]
        inside = ("nsenter", f"--target={pid(unit)}", "--mount", "--")
        refused = {}
        for place in ("/etc/tagwharf", "/usr/bin", "/opt/tagwharf", "/var/lib", "/var/log", "/etc/credstore"):
            refused[place] = "Read-only file system" in run(*inside, "touch", f"{place}/by-daemon").stderr
        check(f"{unit} sees a read-only system, root or not", all(refused.values()), refused)
        check(
            f"{unit} sees nothing in /root",
            run(*inside, "ls", "-A", "/root").stdout == "" != run("ls", "-A", "/root").stdout,
        )
        for state in {EDGE_STATE, RULES_STATE}:
            if mine is None or state not in (mine, *mine.parents):
                touched = run(*inside, "touch", f"{state}/by-daemon").stderr
                check(f"{unit} cannot write {state}", "Read-only file system" in touched, touched.strip())
        if mine is not None:
            word = ("setpriv", f"--reuid={USERS[unit]}", f"--regid={USERS[unit]}", "--clear-groups", "touch")
            check(f"{unit} can write {mine}", run(*inside, *word, f"{mine}/by-daemon").returncode == 0)


def journals_are_read_by_whom_they_should() -> None:
    """Each user at each journal: who reads, who writes."""
    until(lambda: list((EDGE_STATE / "journal").glob("*.sqlite")) and list((RULES_STATE / "events").glob("*.db")))
    journals = {
        "edge journal": next((EDGE_STATE / "journal").glob("*.sqlite")),
        "dock's journal": next((EDGE_STATE / "dock/journal").glob("*.sqlite")),
        "event journal": next((RULES_STATE / "events").glob("*.db")),
    }
    readers = {"tagwharf-edge": {"edge journal", "dock's journal"}, "tagwharf-rules": {"event journal"}}
    readers |= {"tagwharf-console": set(journals), "nobody": set()}
    group = {"nobody": "nogroup"}
    for user, allowed in readers.items():
        words = ["setpriv", f"--reuid={user}", f"--regid={group.get(user, user)}", "--init-groups"]
        for name, path in journals.items():
            reads = run(*words, "cat", path).returncode == 0
            check(f"{user} {'reads' if name in allowed else 'cannot read'} the {name}", reads == (name in allowed))
            owner = run("stat", "-c", "%U", path).stdout.strip()
            if user != owner:
                writes = run(*words, "sh", "-c", f": >> {path}").returncode == 0
                check(f"{user} cannot write the {name}", not writes)
    groups = Path(f"/proc/{pid(CONSOLE)}/status").read_text().split("Groups:")[1].splitlines()[0].split()
    wanted = {run("getent", "group", name).stdout.split(":")[2] for name in ("tagwharf", "tagwharf-edge")}
    check("the console's own process has the groups for both journals", wanted <= {*groups, *_gid(CONSOLE)}, groups)


def _gid(unit: str) -> list[str]:
    return Path(f"/proc/{pid(unit)}/status").read_text().split("Gid:")[1].splitlines()[0].split()


def credentials_are_handed_over() -> None:
    """Each daemon has its own secrets, which nobody else can read."""
    wanted = {
        EDGE: {"mqtt-password", "card-key"},
        DOCK: {"mqtt-password", "card-key"},
        RULES: {"mqtt-password", "card-key"},
        CONSOLE: {"mqtt-password", "card-key", "console.key", "console-anna", "control-anna"},
    }
    for unit, names in wanted.items():
        directory = Path(f"/run/credentials/{unit}.service")
        there = {path.name for path in directory.iterdir()}
        check(f"{unit} has its credentials and no others", there == names, sorted(there))
        for user in {*USERS.values(), "nobody"} - {USERS[unit]}:
            seen = run("setpriv", f"--reuid={user}", "--clear-groups", "--regid=65534", "ls", directory)
            check(f"{user} cannot see the credentials of {unit}", seen.returncode != 0)


class Visitor:
    """Somebody with a browser."""

    def __init__(self) -> None:
        self._context = ssl.create_default_context(cafile="/etc/tagwharf/ca.pem")
        self._cookie = self._token = ""

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, bytes, str]:
        """Status, body and the cookie as it was set."""
        connection = http.client.HTTPSConnection("127.0.0.1", CONSOLE_PORT, timeout=30, context=self._context)
        connection.host = CONSOLE_NAME  # what the certificate is checked for
        connection._create_connection = lambda _, *more: __import__("socket").create_connection(  # type: ignore[attr-defined]  # as above
            ("127.0.0.1", CONSOLE_PORT), *more
        )
        headers = {"Cookie": self._cookie} if self._cookie else {}
        if method == "POST":
            headers |= {"Origin": f"https://{CONSOLE_NAME}:{CONSOLE_PORT}", "X-CSRF-Token": self._token}
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            content, cookie = answer.read(), answer.headers.get("Set-Cookie") or ""
        finally:
            connection.close()
        if cookie:
            self._cookie = cookie.partition(";")[0]
        if path in ("/api/me", "/api/login") and answer.status == http.client.OK:
            self._token = json.loads(content)["csrf"]
        return answer.status, content, cookie


def console_lets_in_users_only() -> Visitor:
    """TLS, login and pages, under the unit's limits."""
    visitor = Visitor()
    check("the console proves its name by its certificate", visitor.ask("GET", "/api/me")[0] == http.client.OK)
    plain = http.client.HTTPConnection("127.0.0.1", CONSOLE_PORT, timeout=10)
    try:
        plain.request("GET", "/")
        spoke = plain.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        spoke = False
    check("the console speaks TLS only", not spoke)
    check("without a login no page tells anything", visitor.ask("GET", "/api/devices/known")[0] in (401, 403))
    wrong = visitor.ask("POST", "/api/login", {"name": LOGIN_NAME, "password": "not the password"})
    check("a wrong password is refused", wrong[0] in (401, 403), wrong[0])
    password = CANARIES.read_text().splitlines()[0]
    status, _, cookie = visitor.ask("POST", "/api/login", {"name": LOGIN_NAME, "password": password})
    check("the right password lets in", status == http.client.OK, status)
    check(
        "the cookie is for this page alone", all(word in cookie for word in ("HttpOnly", "Secure", "SameSite")), cookie
    )
    status, content, _ = visitor.ask("GET", "/api/devices/known")
    check("then pages tell", status == http.client.OK and b"gate-1" in content, status)
    return visitor


def ledger() -> dict[str, Any]:
    """The edge's own ledger, as it keeps it."""
    told: dict[str, Any] = json.loads((EDGE_STATE / "ledger.json").read_text())
    return told


def ledger_balances(when: str) -> None:
    """What the command says, with the broker."""
    os.environ["CREDENTIALS_DIRECTORY"] = f"/run/credentials/{RULES}.service"
    said: list[str] = []

    def balanced() -> bool:
        done = run(TAGWHARF, "ledger")
        said[:] = [done.stdout + done.stderr]
        return done.returncode == 0 and "dock, at" in done.stdout and "edge-1, at" in done.stdout

    passed = until(balanced)
    check(f"the ledger balances {when}", passed, "" if passed else said[0])


def comes_back_after_kill() -> None:
    """kill -9 of each, all at once."""
    before = {unit: (pid(unit), int(of(unit, "NRestarts"))) for unit in USERS}
    began_s = time.monotonic()
    for process, _ in before.values():
        os.kill(process, 9)
    for unit, (process, restarts) in before.items():
        back = until(partial(is_another, unit, process))
        took_s = time.monotonic() - began_s
        check(f"{unit} comes back after kill -9", back, f"{took_s:.1f} s")
        check(f"{unit} was started once more", int(of(unit, "NRestarts")) == restarts + 1)


def caught_when_hanging(stopped: list[str], blocked: list[str]) -> None:
    """A process that stands still, and one whose loop does while its other threads run: the watchdog ends both."""
    before = {unit: pid(unit) for unit in (*stopped, *blocked)}
    began_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1_000
    for unit in stopped:
        os.kill(before[unit], 19)
    holders = [_hold_loop(before[unit]) for unit in blocked]
    for unit, process in before.items():
        how = "a loop that is blocked" if unit in blocked else "a process that is stopped"
        back = until(partial(is_another, unit, process))
        caught = [at for at in _watchdog_times_us(unit) if at > began_us]
        late_s = (caught[0] - began_us) / 1_000_000 if caught else float("inf")
        check(f"{unit}: {how} is caught by the watchdog", late_s <= CAUGHT_WITHIN_S, f"{late_s:.1f} s")
        check(f"{unit} comes back after it", back)
    for holder in holders:
        os.waitpid(holder, 0)


def _watchdog_times_us(unit: str) -> Iterator[int]:
    told = run("journalctl", "-o", "json", "--no-pager", f"UNIT={unit}.service", "_PID=1").stdout
    for line in told.splitlines():
        entry = json.loads(line)
        if "Watchdog timeout" in str(entry["MESSAGE"]):
            yield int(entry["__MONOTONIC_TIMESTAMP"])


def _hold_loop(process: int) -> int:
    """Stop the main thread alone, where the event loop is; let go when somebody has sent the process SIGABRT."""
    holder = os.fork()
    if holder:
        return holder
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
    libc.ptrace.restype = ctypes.c_long
    if libc.ptrace(PTRACE_SEIZE, process, None, None) or libc.ptrace(PTRACE_INTERRUPT, process, None, None):
        sys.stdout.write(f"FAIL the loop of {process} could not be held: errno {ctypes.get_errno()}\n")
        os._exit(1)
    status = Path(f"/proc/{process}/status")
    while True:
        done, _ = os.waitpid(process, os.WNOHANG | 0x40000000)  # __WALL
        try:
            pending = re.findall(r"(?:Sig|Shd)Pnd:\s*(\w+)", status.read_text())
        except FileNotFoundError:
            os._exit(0)
        if any(int(mask, 16) & SIGABRT_BIT for mask in pending) or "State:\tZ" in status.read_text():
            libc.ptrace(PTRACE_DETACH, process, None, None)
            os._exit(0)
        del done
        time.sleep(0.02)


def memory_is_limited() -> None:
    """The limits, as the unit has them; and whether this machine's kernel holds the daemons to them."""
    for unit, most in MEMORY_MOST.items():
        check(f"{unit} has a memory limit of {most} MiB", of(unit, "MemoryMax") == str(most << 20))
    file = Path("/sys/fs/cgroup") / of(EDGE, "ControlGroup").lstrip("/") / "memory.max"
    info(
        f"memory.max {file.read_text().strip()}" if file.exists() else "no memory controller here: limits not enforced"
    )


def no_secret_is_told(visitor: Visitor) -> None:
    """Each canary, in everything that others than its owner may read."""
    canaries = CANARIES.read_text().splitlines()
    told: dict[str, str] = {"the system's journal": run("journalctl", "--no-pager", "-o", "json", "-a").stdout}
    for process in Path("/proc").glob("[0-9]*"):
        for file in ("cmdline", "environ"):
            try:
                told[str(process / file)] = (process / file).read_bytes().decode(errors="replace")
            except OSError:
                continue  # it has ended
    pages = sorted(set(re.findall(r"/api/[a-z-]+/[a-z-]+", Path("/opt/pages").read_text())))
    answered = 0
    for page in ["/", "/api/me", "/api/shell", *pages]:
        status, content, _ = visitor.ask("GET", page)
        answered += status == http.client.OK
        told[page] = content.decode(errors="replace")
    check("pages answered", answered >= 5, answered)  # enough that the search means something
    for port in (9161, 9162):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        for path in ("/metrics", "/readyz", "/healthz"):
            connection.request("GET", path)
            told[f"{port}{path}"] = connection.getresponse().read().decode()
    for kept in [*EDGE_STATE.rglob("*"), *RULES_STATE.rglob("*"), *Path("/etc/tagwharf").rglob("*")]:
        if kept.is_file():
            told[str(kept)] = kept.read_bytes().decode("latin-1")
    told["the status of the units"] = run("systemctl", "status", "--no-pager", "-l", "tagwharf-*").stdout
    for number, canary in enumerate(canaries):
        where = [name for name, text in told.items() if canary in text]
        check(f"canary {number} is in none of {len(told)} places", not where, ", ".join(where))
    mine = Path(f"/run/credentials/{EDGE}.service/mqtt-password").read_text()
    check("the search finds what is there", any(canary in mine for canary in canaries))


def serial_lines() -> None:
    """With the drop-in for serial lines the daemon runs, and is hardly more exposed."""
    place = Path("/etc/systemd/system/tagwharf-edge.service.d")
    place.mkdir()
    (place / "serial.conf").write_text(Path("/opt/serial.conf").read_text())
    run("systemctl", "daemon-reload")
    run("systemctl", "restart", EDGE)
    check("the edge daemon runs with the drop-in for serial lines", until(lambda: active(EDGE)))
    dialout = run("getent", "group", "dialout").stdout.split(":")[2]
    groups = Path(f"/proc/{pid(EDGE)}/status").read_text().split("Groups:")[1].splitlines()[0].split()
    check("it is in the group of the serial lines", dialout in groups, groups)
    exposed(EDGE, 2.0)


def faulty_site_file_stays_down() -> None:
    """78 is a fault of the site file: starting again would not help."""
    with Path("/etc/tagwharf/site.toml").open("a") as file:
        file.write("\nunknown = 1\n")
    run("systemctl", "restart", EDGE)
    down = until(lambda: of(EDGE, "ActiveState") == "failed")
    check("a faulty site file ends with 78 and stays down", down and of(EDGE, "ExecMainStatus") == "78")


def survived(before: dict[str, Any]) -> None:
    """The state directories are the same ones still: nothing begins anew."""
    after = ledger()
    check("the journal is the same after all that", after["epoch"] == before["epoch"], after["epoch"])
    grown = after["next_sequence"] > before["next_sequence"] > 1
    check("it has grown meanwhile", grown, f"{before['next_sequence']} to {after['next_sequence']}")
    heard = before["tag_reads"]["heard"] < after["tag_reads"]["heard"]
    check("reads were heard before and after", heard and before["tag_reads"]["heard"] > 0)
    check("judged went on", after["watermark"] > before["watermark"])


def all_checks() -> None:
    """Everything, in an order in which nothing disturbs what comes after it."""
    start_is_complete()
    processes_have_no_power()
    for unit in USERS:
        exposed(unit, 1.5)
    until(lambda: (EDGE_STATE / "ledger.json").exists() and ledger()["tag_reads"]["judged"] > 0)
    ledger_balances("with traffic")
    before = ledger()
    root_is_read_only()
    journals_are_read_by_whom_they_should()
    credentials_are_handed_over()
    memory_is_limited()
    console_lets_in_users_only()
    comes_back_after_kill()
    caught_when_hanging([EDGE, CONSOLE], [DOCK, RULES])
    caught_when_hanging([DOCK, RULES], [EDGE, CONSOLE])
    until(lambda: ledger()["watermark"] > before["watermark"])
    ledger_balances("after every kill")
    survived(before)
    no_secret_is_told(console_lets_in_users_only())
    serial_lines()
    faulty_site_file_stays_down()


def main() -> None:
    """Check, tell, and switch the machine off."""
    sys.stdout = Path("/results.txt").open("w")  # noqa: SIM115  # open until the end
    began_s = time.monotonic()
    try:
        all_checks()
    except Exception:  # noqa: BLE001  # the host has nothing but this file
        check("the checks ran to their end", passed=False, detail=traceback.format_exc())
    info(f"{time.monotonic() - began_s:.0f} s")
    if all(results):
        sys.stdout.write("ALL PASS\n")
    else:
        sys.stdout.write(
            "SOME FAILED\n" + run("journalctl", "-u", "tagwharf-*", "-o", "cat", "--no-pager").stdout[-12_000:]
        )
    sys.stdout.flush()
    os.sync()
    run("systemctl", "poweroff", "--force", "--no-block")


if __name__ == "__main__":
    main()
