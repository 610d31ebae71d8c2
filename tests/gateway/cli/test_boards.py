"""The command as people run it, against servers that speak the documented APIs."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.boards.making.board import CONSOLE
from gateway.cli import boards
from tests.gateway.cli.command import site_file, tagwharf
from tests.support.certificates import authority
from tests.support.grafana_server import ADMIN, VIEWER, Grafana
from tests.support.influx_v2_mappings import TOKEN, InfluxMappings
from tests.support.json_server import json_server
from tests.support.servers import free_port

SINK = '[[sink]]\nkind = "influxdb"\nname = "{name}"\nurl = "{url}"\norg = "port"\n'


def config(tmp_path: Path, *stores: str, url: str = "http://127.0.0.1:8086") -> Path:
    return site_file(tmp_path, more="".join(SINK.format(name=name, url=url) for name in stores or ("main",)))


def token(tmp_path: Path, text: str = ADMIN, mode: int = 0o600) -> Path:
    path = tmp_path / f"token-{text}-{mode:o}"
    path.write_text(f"{text}\n")
    path.chmod(mode)
    return path


def test_export_writes_files_and_names_the_variable(tmp_path: Path) -> None:
    made = tagwharf("boards", "export", tmp_path / "out", "--language", "zh", "--config", config(tmp_path))
    assert (made.returncode, made.stderr) == (0, "")
    assert "set TAGWHARF_INFLUX_TOKEN" in made.stdout
    assert (tmp_path / "out/provisioning/datasources/tagwharf.yaml").is_file()
    assert {path.name for path in (tmp_path / "out/boards").iterdir()} == {"zh"}


def test_the_console_is_where_boards_expect_it() -> None:
    assert boards.CONSOLE == CONSOLE


def test_export_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    made = tagwharf("boards", "export", tmp_path / "out", "--config", config(tmp_path))
    assert made.returncode == 74
    assert "cannot be written" in made.stderr


def test_install_twice_over_tls_with_an_authority_of_its_own(tmp_path: Path) -> None:
    grafana, made = Grafana(), authority(tmp_path / "ca", server="IP:127.0.0.1")
    with json_server(grafana.answer, made / "server.pem") as url:
        command = ("boards", "install", "--grafana", url, "--token-file", token(tmp_path), "--config", config(tmp_path))
        assert tagwharf(*command).returncode == 69  # that authority is not the system's
        first = tagwharf(*command, "--ca-file", made / "ca.pem", "--language", "en")
        changed = len(grafana.written)
        second = tagwharf(*command, "--ca-file", made / "ca.pem", "--language", "en")
    assert (first.returncode, first.stderr) == (0, "")
    assert "store: Grafana reaches it" in first.stdout
    assert second.returncode == 0
    assert len(grafana.written) == changed
    assert grafana.boards
    assert grafana.groups


def test_install_with_secrets_from_credentials(tmp_path: Path) -> None:
    grafana, directory = Grafana(), tmp_path / "credentials"
    directory.mkdir()
    (directory / "grafana").write_text(ADMIN)
    (directory / "influx-read").write_text("read-only")
    with json_server(grafana.answer) as url:
        made = tagwharf(
            *("boards", "install", "--grafana", url, "--token-credential", "grafana", "--alerts", "no"),
            *("--store-credential", "influx-read", "--config", config(tmp_path)),
            CREDENTIALS_DIRECTORY=str(directory),
        )
    assert (made.returncode, made.stderr) == (0, "")
    assert grafana.secrets["tagwharf"] == {"httpHeaderValue1": "Token read-only"}
    assert grafana.groups == {}


@pytest.mark.parametrize(("text", "code"), [("unknown", 77), (VIEWER, 77)])
def test_install_with_a_token_that_may_not(tmp_path: Path, text: str, code: int) -> None:
    with json_server(Grafana().answer) as url:
        made = tagwharf(
            *("boards", "install", "--grafana", url, "--token-file", token(tmp_path, text)),
            *("--config", config(tmp_path)),
        )
    assert made.returncode == code
    assert text not in made.stderr


def test_install_tells_what_stands_in_the_way(tmp_path: Path) -> None:
    grafana = Grafana()
    grafana.folders["theirs"] = {"uid": "theirs", "title": "Tagwharf", "version": 1, "id": 1}
    with json_server(grafana.answer) as url:
        common = ("--token-file", token(tmp_path), "--config", config(tmp_path))
        made = tagwharf("boards", "install", "--grafana", url, *common)
    assert made.returncode == 1
    assert "another folder may have this name" in made.stderr
    nobody = tagwharf("boards", "install", "--grafana", f"http://127.0.0.1:{free_port()}", *common)
    assert nobody.returncode == 69


def test_install_wants_a_token_that_is_kept_to_oneself(tmp_path: Path) -> None:
    common = ("boards", "install", "--grafana", "http://127.0.0.1:1", "--config", config(tmp_path))
    for more, text in (
        ((), "wants a token"),
        (("--token-file", token(tmp_path, mode=0o644)), "others may read it"),
        (("--token-file", tmp_path / "none"), "cannot be read"),
        (("--token-file", token(tmp_path, "")), "is empty"),
        (("--token-file", token(tmp_path), "--token-credential", "x"), "name one of them"),
    ):
        made = tagwharf(*common, *more)
        assert made.returncode == 2, more
        assert text in made.stderr.replace("\n", " ")
    plain = tagwharf(
        "boards", "install", "--grafana", "http://grafana.example", "--token-file", token(tmp_path), *common[4:]
    )
    assert plain.returncode == 78
    assert "anybody on the way can read the token" in plain.stderr


def test_the_store_is_chosen_by_name(tmp_path: Path) -> None:
    out = tmp_path / "out"
    for stores, more, text in (
        (("main", "spare"), (), "say from which store"),
        (("main",), ("--sink", "maiin"), "no store is named 'maiin'"),
    ):
        made = tagwharf("boards", "export", out, *more, "--config", config(tmp_path, *stores))
        assert made.returncode == 2
        assert text in made.stderr
    none = tagwharf("boards", "export", out, "--config", site_file(tmp_path))
    assert none.returncode == 2
    assert "has no [[sink]]" in none.stderr
    assert (
        tagwharf("boards", "export", out, "--sink", "spare", "--config", config(tmp_path, "main", "spare")).returncode
        == 0
    )


def test_mapping_is_made_and_then_there(tmp_path: Path) -> None:
    influx, secret = InfluxMappings(), token(tmp_path, TOKEN)
    with json_server(influx.answer) as url:
        command = ("boards", "mapping", "--token-file", secret, "--config", config(tmp_path, url=url))
        first, second = tagwharf(*command), tagwharf(*command)
        nobody = tagwharf("boards", "mapping", "--config", config(tmp_path, url=url))
    assert (first.returncode, first.stdout) == (0, "InfluxDB v2.7.12: 'tagwharf' is mapped now\n")
    assert second.stdout == "InfluxDB v2.7.12: 'tagwharf' is mapped already\n"
    assert len(influx.mappings) == 1
    assert nobody.returncode == 77
