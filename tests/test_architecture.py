"""What every file of the project must obey. A failure names the files and what they lack."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from gateway.contract.measurements import MEASUREMENTS
from readers import registry
from readers.driver import Kind

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("readers", "gateway", "rules", "simulator")
MOST_LINES = 400
FOLDERS = {Kind.RFID: "rfid", Kind.CARD: "cards", Kind.METER: "meters", Kind.MACHINE: "machines"}

SUITES = {
    "readers/driver.py": "tests/readers/test_registry.py",  # a contract: types, tested by whoever keeps it
    "readers/control.py": "tests/readers/machines/modbus_io/test_panel.py",  # likewise
    "simulator/device.py": "tests/simulator",  # likewise
}
"""Modules without a test module of their own name, and where they are tested instead."""

TABLES: frozenset[str] = frozenset()
"""Modules that hold nothing but a table, and may be longer."""

FORBIDDEN = {
    "a package index": re.compile(
        r"(?<!emit-)(?:extra-)?index-url\b|\bfind-links\s+\S|https?://\S+/simple\b", re.IGNORECASE
    ),
    "a path of the machine it was built on": re.compile(r"(?<![\w.])/(?:root|work)/\w|/home/(?!user\b)\w"),
    "a marker of an unfinished merge": re.compile(r"^(?:<{7}|>{7}) ", re.MULTILINE),
}


@cache
def files() -> list[Path]:
    """Every file that is in the repository, or would be with the next commit."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return sorted(path for name in set(listed.split("\0")) if name and (path := ROOT / name).is_file())


def modules() -> list[Path]:
    return [path for path in files() if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in ROOMS]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def told(what: str, found: list[str]) -> None:
    """Fail with one line for each, which pytest's own comparison would cut short."""
    assert not found, "\n".join([f"{what}:", *found])


def test_import_contracts_are_kept() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-logo"]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_module_has_its_test_module() -> None:
    missing = []
    for module in modules():
        name = name_of(module)
        if module.stem.startswith("__"):
            continue
        expected = ROOT / SUITES.get(name, f"tests/{Path(name).parent.as_posix()}/test_{module.name}")
        if not expected.exists():
            missing.append(f"{name}: write {name_of(expected)}")
    told("modules without tests", missing)


def test_suites_name_modules_that_exist() -> None:
    assert [name for name in (*SUITES, *TABLES) if not (ROOT / name).is_file()] == []


def test_every_test_directory_is_a_package() -> None:
    directories = {path.parent for path in files() if path.name.startswith("test_") and path.suffix == ".py"}
    assert [name_of(each) for each in sorted(directories) if not (each / "__init__.py").exists()] == []


def test_modules_are_short() -> None:
    long = []
    for path in modules():
        lines = len(path.read_text().splitlines())
        if lines > MOST_LINES and name_of(path) not in TABLES:
            long.append(f"{name_of(path)}: {lines} lines, at most {MOST_LINES}; it is two modules")
    told("too long", long)


@pytest.mark.parametrize("name", registry.drivers())
def test_driver_has_vectors_twin_and_page(name: str) -> None:
    folder = FOLDERS[registry.drivers()[name].kind]
    wanted = {
        "vectors": (f"tests/vectors/{folder}/{name}.toml", f"tests/vectors/{folder}/{name}_recorded.json"),
        "simulator twin": (f"simulator/{folder}/{name}.py", f"simulator/{name}/__init__.py"),
        "docs page": (f"docs/reference/drivers/{name}.md",),
    }
    missing = [
        f"{what}: write {' or '.join(places)}"
        for what, places in wanted.items()
        if not any((ROOT / place).is_file() for place in places)
    ]
    told(f"driver {name} lacks", missing)


def test_drivers_are_modules_of_their_own_name() -> None:
    for name, spec in registry.drivers().items():
        folder = FOLDERS[spec.kind]
        places = (ROOT / f"readers/{folder}/{name}.py", ROOT / f"readers/{folder}/{name}/__init__.py")
        assert any(place.is_file() for place in places), f"{name} is not in readers/{folder}/"


def test_vectors_say_where_they_come_from() -> None:
    silent = []
    for path in files():
        if path.suffix == ".toml" and name_of(path).startswith("tests/vectors/"):
            vectors = tomllib.loads(path.read_text())
            if not vectors.get("source"):
                silent.append(f'{name_of(path)}: add source = "document and edition, or the recorded device"')
    told("vectors without a source", silent)


def texts() -> Iterator[tuple[Path, str]]:
    for path in files():
        try:
            yield path, path.read_text()
        except UnicodeDecodeError:
            continue  # pictures, recordings


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_names(what: str) -> None:
    own = Path(__file__).resolve()
    found = [
        f"{name_of(path)}:{text.count(chr(10), 0, match.start()) + 1}: {match[0]!r}"
        for path, text in texts()
        if path.resolve() != own
        for match in FORBIDDEN[what].finditer(text)
    ]
    told(what, found)


def test_forbidden_patterns_find_what_they_are_for() -> None:
    assert FORBIDDEN["a package index"].search("--index-url https://mirror.example/pypi/")
    assert FORBIDDEN["a package index"].search("see https://mirror.example/pypi/simple/")
    assert not FORBIDDEN["a package index"].search("--no-emit-index-url")
    assert FORBIDDEN["a path of the machine it was built on"].search("open('/root/x')")
    assert not FORBIDDEN["a path of the machine it was built on"].search("net/work/x")


def test_lock_has_hashes_and_no_index() -> None:
    text = (ROOT / "requirements.lock").read_text()
    blocks = [block for block in re.split(r"\n(?=[^ #])", text) if "==" in block]
    assert len(blocks) > 20
    told("no hash", [block.split("==")[0] for block in blocks if "--hash=sha256:" not in block])
    told("an option or address", [line for line in text.splitlines() if line.startswith("-") or "://" in line])


def test_lock_holds_every_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    locked = {
        name.lower()
        for name in re.findall(r"^([A-Za-z0-9._-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    }
    names = {re.split(r"[^A-Za-z0-9._-]", requirement)[0].lower() for requirement in wanted}
    assert sorted(names - locked) == [], "run python3 dev.py lock"


def test_what_names_one_thing_is_never_a_tag() -> None:
    """Each value of a tag is a series; EPCs, cards and containers have too many."""
    unbounded = {"epc", "tid", "user_memory", "subject", "name", "id", "container_code", "card", "sequence", "obis"}
    found = [
        f"{name}: {tag}"
        for name, measurement in MEASUREMENTS.items()
        for tag in unbounded.intersection(measurement.tags)
    ]
    told("tags with unbounded values", found)


def test_generated_files_are_current() -> None:
    from gateway.cli import app
    from gateway.generate import documents, outdated

    told("run `tagwharf generate`", [str(path) for path in outdated(ROOT, documents(app))])


def test_every_link_in_the_documentation_leads_somewhere() -> None:
    dead = [
        f"{name_of(page)}: {target}"
        for page in files()
        if page.suffix == ".md"
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text())
        if "://" not in target and not (page.parent / target).exists()
    ]
    told("links that lead nowhere", dead)
