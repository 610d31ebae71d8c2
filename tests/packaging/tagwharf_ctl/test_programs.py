import sys
from pathlib import Path

from tagwharf_ctl.programs import NOT_THERE, TOO_LONG, run


def test_how_programs_end(tmp_path: Path) -> None:
    assert run([sys.executable, "-c", "print('\\xff'); raise SystemExit(3)"]).status == 3
    assert run([str(tmp_path / "absent")]).status == NOT_THERE
    assert run([str(tmp_path)]).status == NOT_THERE - 1
    late = run([sys.executable, "-c", "import time; time.sleep(60)"], limit_s=0.2)
    assert late.status == TOO_LONG
    assert "within 0.2 s" in late.text
