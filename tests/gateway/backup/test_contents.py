from pathlib import Path

from gateway.backup.contents import contents_of, credentials_of, is_database, kind_of, state_roots
from gateway.config.load import load_site
from tests.gateway.backup.plant import KEY, Site


def names(paths: list[Path]) -> list[str]:
    return [path.name for path in paths]


def test_state_is_sorted_by_what_it_is(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.whole()
    for name in ("control-audit.sqlite", "zzz.db"):
        (site.state / name).write_bytes((site.state / "rules.db").read_bytes())
    (site.state / "control-audit.head").write_text("1:ab")
    for name in ("rules.db.damaged-1", "rules.db-wal", "x.draft", "restored.json", "events/empty.db"):
        (site.state / name).write_bytes(b"")
    (site.state / "journal" / "damaged").mkdir()
    (site.state / "journal" / "damaged" / "1-x.sqlite").write_bytes(b"x")
    (site.state / "link").symlink_to("/etc/passwd")
    found = contents_of(site.file, site.site, tmp_path)
    assert found.roots == [site.state]
    assert names(found.journal) == sorted(names(found.journal), reverse=True)
    assert names(found.rules) == ["rules.db"]
    assert names(found.others)[-1] == "control-audit.sqlite", "orders that were carried out are known at last"
    assert names(found.plain) == ["control-audit.head", "ledger.json", "empty.db"]
    assert {Path(left.path).name: left.why for left in found.left_out} == {
        "mqtt.key": "a private key: put it back by hand",
        "1-x.sqlite": "set aside as damaged",
        "rules.db.damaged-1": "set aside as damaged",
        "link": "a symbolic link",
    }


def test_keys_are_known_by_what_is_in_them(tmp_path: Path) -> None:
    site = Site(tmp_path)
    (site.etc / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\n" + KEY)
    store = tmp_path / "credstore"
    store.mkdir()
    (store / "own.pem").write_text("secret")
    site.file.write_text(site.file.read_text().replace('"own.pem"', f'"{store}/own.pem"'))
    found = contents_of(site.file, site.site, tmp_path)
    assert names(found.config) == ["site.toml", "rules.toml", "plates.csv"]
    assert {Path(left.path).name for left in found.left_out} == {"ca.pem", "mqtt.key", "own.pem"}


def test_edges_of_the_template_and_drop_ins_belong_to_it(tmp_path: Path) -> None:
    site = Site(tmp_path)
    (site.etc / "edge-2.toml").write_text('[site]\nname = "hamburg"\n')
    (site.etc / "other.toml").write_text('[site]\nname = "bremen"\n')
    (site.etc / "broken.toml").write_text("[")
    drop_in = tmp_path / "etc/systemd/system/tagwharf-rules.service.d"
    drop_in.mkdir(parents=True)
    (drop_in / "a.conf").write_text("[Service]\nLoadCredential=influx-x:tagwharf.influx-x\n")
    (drop_in / "b.conf").write_text("[Service]\nSetCredential=influx-x:geheim\n")
    found = contents_of(site.file, site.site, tmp_path)
    assert {"edge-2.toml", "a.conf"} <= set(names(found.config))
    assert not {"other.toml", "broken.toml", "b.conf"} & set(names(found.config))


def test_state_beside_and_within(tmp_path: Path) -> None:
    site = Site(tmp_path)
    edge = site.state.with_name("state-edge")
    for path in (site.state / "journal", edge / "edge-1", tmp_path / "elsewhere"):
        path.mkdir(parents=True)
    more = f'\n[[sink]]\nkind = "journal"\nname = "a"\ndirectory = "{tmp_path}/elsewhere"\n'
    more += f'[[sink]]\nkind = "journal"\nname = "b"\ndirectory = "{site.state}/journal"\n'
    site.file.write_text(site.file.read_text() + more)
    assert state_roots(load_site(site.file)) == [site.state, edge, tmp_path / "elsewhere"]


def test_credentials_are_named(tmp_path: Path) -> None:
    site = Site(tmp_path)
    more = """
[[sink]]
kind = "influxdb"
name = "main"
url = "http://127.0.0.1:8086"
[[reader]]
name = "gate"
driver = "llrp"
port = "tcp://127.0.0.1"
settings = { access_password_credential = "gate-access" }
"""
    site.file.write_text(site.file.read_text() + more)
    assert credentials_of(load_site(site.file)) == ["gate-access", "influx-main", "mqtt-password"]


def test_kinds(tmp_path: Path) -> None:
    assert kind_of(tmp_path / "00000000000000000001.sqlite") == "journal"
    assert kind_of(tmp_path / "events-2026-01-01.db") == "events"
    assert kind_of(tmp_path / "control-audit.sqlite") == "audit"
    assert kind_of(tmp_path / "other.db") == "state"
    (tmp_path / "empty.db").touch()
    assert not is_database(tmp_path / "empty.db")
