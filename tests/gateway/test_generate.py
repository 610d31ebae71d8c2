from pathlib import Path

from gateway.cli import app
from gateway.generate import cli_page, documents, drivers_page, outdated, source_tree, write
from readers import registry


def test_a_fresh_tree_is_written_once_and_then_current(tmp_path: Path) -> None:
    wanted = documents(app)
    stale = outdated(tmp_path, wanted)
    assert stale == list(wanted)
    write(tmp_path, wanted, stale)
    assert outdated(tmp_path, wanted) == []


def test_changed_missing_and_left_over_files_are_told(tmp_path: Path) -> None:
    wanted = documents(app)
    write(tmp_path, wanted, list(wanted))
    (tmp_path / "docs/reference/cli.md").write_text("old")
    (tmp_path / "systemd/site.toml").unlink()
    (tmp_path / "docs/reference/mqtt/forgotten.schema.json").touch()
    stale = outdated(tmp_path, wanted)
    assert sorted(map(str, stale)) == [
        "docs/reference/cli.md",
        "docs/reference/mqtt/forgotten.schema.json",
        "systemd/site.toml",
    ]
    write(tmp_path, wanted, stale)
    assert outdated(tmp_path, wanted) == []
    assert not (tmp_path / "docs/reference/mqtt/forgotten.schema.json").exists()


def test_documents_are_the_same_every_time() -> None:
    assert documents(app) == documents(app)


def test_source_tree_is_this_repository() -> None:
    assert (source_tree() / "gateway/generate.py").is_file()


def test_every_driver_and_setting_is_on_the_drivers_page() -> None:
    page = drivers_page()
    for name, spec in registry.drivers().items():
        assert f"[`{name}`]({name}.md)" in page
        section = page.split(f"\n## Settings of `{name}`\n")[1].split("\n## ")[0]
        for key in spec.settings.model_fields:
            assert f"| `{key}` |" in section


def test_every_command_is_on_the_page() -> None:
    page = cli_page(app)
    for command in app.registered_commands:
        assert command.callback is not None
        assert f"\n## tagwharf {command.callback.__name__}\n" in page
    assert "| `--to FILE` | Where to write; must not exist. |  |" in page
