import os
from pathlib import Path

from build_deb.recipes import contents


def test_every_file_is_named_with_a_mode_and_a_date_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "etc/setting").write_text("x")
    (tmp_path / "usr/bin/program").write_text("x")
    (tmp_path / "usr/bin/program").chmod(0o755)
    (tmp_path / "usr/bin/link").symlink_to("/bin/sh")  # there on this machine: that may not matter
    os.utime(tmp_path / "etc/setting", (1, 1))
    dated = "2026-02-02T02:40:00Z"
    assert contents(tmp_path, 1_770_000_000) == [
        {
            "src": str(tmp_path / "etc/setting"),
            "dst": "/etc/setting",
            "file_info": {"mode": 0o644, "mtime": dated},
            "type": "config",
        },
        {
            "src": "/bin/sh",
            "dst": "/usr/bin/link",
            "type": "symlink",
            "file_info": {"mode": 0o777, "mtime": dated},
        },
        {
            "src": str(tmp_path / "usr/bin/program"),
            "dst": "/usr/bin/program",
            "file_info": {"mode": 0o755, "mtime": dated},
        },
    ]
