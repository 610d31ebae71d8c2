"""Every board against Grafana's own types, by the compiler of TypeScript: two packages, which see different faults."""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from gateway.boards.catalogue import boards

SERVERS: Final = Path(os.environ.get("TAGWHARF_TEST_SERVERS", "/usr/local/lib/tagwharf-test-servers"))
PEER: Final = SERVERS / "grafana"
INSTALL: Final = "run tests/system/peers/grafana/install.sh"
TYPES: Final = Path(__file__).parent / "peers" / "grafana" / "board.d.ts"
OPTIONS: Final = {
    "strict": True,
    "noEmit": True,
    "module": "nodenext",
    "moduleResolution": "nodenext",
    "target": "es2022",
    "skipLibCheck": True,
    "types": [],
}
Change = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (PEER / "node_modules" / "typescript").is_dir() or shutil.which("node") is None:
        if os.environ.get("CI"):
            pytest.fail(f"Grafana's types are not installed: {INSTALL}")
        pytest.skip(f"Grafana's types are not installed: {INSTALL}")
    made = tmp_path_factory.mktemp("types")
    (made / "node_modules").symlink_to(PEER / "node_modules")
    shutil.copy(TYPES, made)
    return made


def compiled(folder: Path, made: dict[str, Any], *, types: tuple[str, ...] = ("SchemaBoard", "SdkBoard")) -> str:
    """What the compiler says of these boards; nothing when they are right."""
    for old in folder.glob("*.json.ts"):
        old.unlink()
    names = []
    for path, board in made.items():
        lines = [f"export const as{kind} = {json.dumps(board)} satisfies {kind};" for kind in types]
        name = f"{path.replace('/', '-')}.ts"
        (folder / name).write_text(f'import type {{ {", ".join(types)} }} from "./board";\n' + "\n".join(lines))
        names.append(name)
    (folder / "tsconfig.json").write_text(json.dumps({"compilerOptions": OPTIONS, "files": names}))
    compiler = PEER / "node_modules" / "typescript" / "bin" / "tsc"
    done = subprocess.run(
        ["node", compiler, "--pretty", "false", "-p", folder], check=False, capture_output=True, text=True, timeout=300
    )
    assert (done.returncode == 0) == (done.stdout == ""), done.stderr
    return "\n".join(line[:600] for line in done.stdout.splitlines())


def test_every_board_is_one_of_grafanas(folder: Path) -> None:
    assert compiled(folder, boards()) == ""


def first_panel(board: dict[str, Any]) -> dict[str, Any]:
    return next(panel for panel in board["panels"] if panel["type"] != "row")


FAULTS: Final[dict[str, tuple[str, Change]]] = {
    "refresh as a number": ("SchemaBoard", lambda board: board.update(refresh=5)),
    "width as a text": ("SchemaBoard", lambda board: first_panel(board)["gridPos"].update(w="12")),
    "no defaults": ("SchemaBoard", lambda board: first_panel(board)["fieldConfig"].pop("defaults")),
    "an unknown mode of limits": (
        "SchemaBoard",
        lambda board: first_panel(board)["fieldConfig"]["defaults"].update(thresholds={"mode": "any", "steps": []}),
    ),
    "an unknown key of a panel": ("SdkBoard", lambda board: first_panel(board).update(unheard=1)),
    "an unknown key of a board": ("SdkBoard", lambda board: board.update(unheard=1)),
    "an unknown key of a variable": ("SdkBoard", lambda board: board["templating"]["list"][0].update(unheard=1)),
    "an unknown key of a query": ("SdkBoard", lambda board: first_panel(board)["targets"][0].update(unheard=1)),
    "a panel without its type": ("SdkBoard", lambda board: first_panel(board).pop("type")),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_board_with_a_fault_is_none(folder: Path, fault: str) -> None:
    kind, change = FAULTS[fault]
    board: dict[str, Any] = copy.deepcopy(boards()["en/port-gate.json"])
    change(board)
    assert "error TS" in compiled(folder, {"faulty.json": board}, types=(kind,))
