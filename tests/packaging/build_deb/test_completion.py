import subprocess
from pathlib import Path

import pytest
from build_deb.completion import script

REFERENCE = Path(__file__).resolve().parents[3] / "docs/reference/cli.md"


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("tagwharf al", "alarms"),
        ("tagwharf alarms ack", "acknowledge"),
        ("tagwharf alarms acknowledge --comm", "--comment"),
        ("tagwharf --vers", "--version"),
    ],
)
def test_bash_completes(line: str, wanted: str, tmp_path: Path) -> None:
    completion = tmp_path / "tagwharf"
    completion.write_text(script(REFERENCE.read_text()))
    words = line.split()
    asked = f"source {completion}; COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; _tagwharf; "
    done = subprocess.run(
        ["bash", "-c", asked + 'printf "%s\\n" "${COMPREPLY[@]}"'], check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == [wanted]
