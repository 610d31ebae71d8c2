from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config import ConfigError
from gateway.config.load import load_site, warnings
from gateway.config.models import SiteFile, WebhookSink
from gateway.config.sinks import DirectorySink, on_this_machine

WEBHOOK = 'kind = "webhook"\nname = "desk"\n'
URL = 'url = "https://desk.example/in"\n'


def load(tmp_path: Path, sink: str) -> WebhookSink | DirectorySink:
    path = tmp_path / "site.toml"
    path.write_text(f'[site]\nname = "hamburg"\n[[sink]]\n{sink}')
    (sink_read,) = load_site(path).sink
    assert isinstance(sink_read, WebhookSink | DirectorySink)
    return sink_read


def fault(tmp_path: Path, sink: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, sink)
    (line,) = str(caught.value).splitlines()
    return line.partition(": ")[2]


def test_the_shortest_webhook_sends_every_alarm(tmp_path: Path) -> None:
    sink = load(tmp_path, WEBHOOK + URL)
    assert isinstance(sink, WebhookSink)
    assert (sink.alarms, sink.events, sink.format.value) == (["*"], [], "tagwharf")
    assert sink.respond_within_s.critical == 900


def test_paths_are_relative_to_the_site_file(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    webhook = load(tmp_path, WEBHOOK + URL + 'tls = { ca_file = "ca.pem" }\n')
    assert isinstance(webhook, WebhookSink)
    assert webhook.tls is not None
    assert webhook.tls.ca_file == tmp_path / "ca.pem"
    directory = load(tmp_path, 'kind = "directory"\nname = "out"\ndirectory = "exchange"\n')
    assert isinstance(directory, DirectorySink)
    assert directory.directory == tmp_path / "exchange"


def test_limits_that_are_not_given_keep_their_defaults(tmp_path: Path) -> None:
    sink = load(tmp_path, WEBHOOK + URL + 'format = "case"\nrespond_within_s = { warning = 60 }\n')
    assert (sink.respond_within_s.warning, sink.respond_within_s.info) == (60, 86_400)


@pytest.mark.parametrize(
    "url",
    [
        "https://desk.example",
        "https://10.0.0.7:8443/in?site=1",
        "http://127.0.0.1:80/in",
        "http://localhost/in",
        "http://[::1]:9/in",
    ],
)
def test_urls_that_go_without_a_word(tmp_path: Path, url: str) -> None:
    assert warnings(load_of(tmp_path, url)) == warnings(load_of(tmp_path, "https://desk.example"))


def load_of(tmp_path: Path, url: str, more: str = "") -> SiteFile:
    path = tmp_path / "site.toml"
    path.write_text(f'[site]\nname = "hamburg"\n[[sink]]\n{WEBHOOK}url = "{url}"\n{more}')
    return load_site(path)


@pytest.mark.parametrize("url", ["http://10.0.0.7/in", "http://127.0.0.1.evil.example/in", "http://localhost.example/"])
def test_plain_http_leaves_the_machine_only_when_it_is_said(tmp_path: Path, url: str) -> None:
    said = fault(tmp_path, f'{WEBHOOK}url = "{url}"\n')
    assert said == (
        "sink[desk]: url: http:// to another machine can be read on the way; use https://, or insecure = true"
    )
    told = warnings(load_of(tmp_path, url, "insecure = true\n"))
    assert any("sink[desk].insecure = true: all that is sent, and the Authorization, cross" in line for line in told)


@pytest.mark.parametrize("url", ["https://", "https:///in", "https://desk.example:0/", "https://a b/", "https://[::1"])
def test_what_is_no_url_of_a_host(tmp_path: Path, url: str) -> None:
    assert "must be the URL of a host, as in https://desk.example/hooks/tagwharf" in fault(
        tmp_path, f'{WEBHOOK}url = "{url}"\n'
    )


def test_no_secret_stands_in_the_file(tmp_path: Path) -> None:
    said = fault(tmp_path, f'{WEBHOOK}url = "https://me:canary@desk.example/"\n')
    assert "put it into the systemd credential `webhook-desk`" in said
    assert "canary" not in said
    said = fault(tmp_path, f'{WEBHOOK}{URL}secret = "canary"\n')
    assert "put it into the systemd credential `webhook-desk`" in said
    assert "canary" not in said


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("alarms = []", "sink[desk]: events: name some, or alarms; this sink would send nothing"),
        ('format = "epcis"', "sink[desk]: events: are missing; epcis is made of events"),
        (
            'format = "dcsa"\nevents = ["*"]\nalarms = ["*"]',
            "sink[desk]: alarms: dcsa is made of events only; leave them out",
        ),
        (
            'format = "case"\nevents = ["passage"]',
            "sink[desk]: events: become no cases; leave them out, or send them by another sink",
        ),
        (
            'events = ["Passage"]',
            'sink[desk].events[0] = "Passage": must be a name of a-z, 0-9, _ and -, or "*" for all of them',
        ),
        (
            'format = "casse"',
            'sink[desk].format = "casse": must be one of tagwharf, case, epcis, codeco, dcsa (did you mean "case"?)',
        ),
        (
            "respond_within_s = { urgent = 5 }",
            "sink[desk].respond_within_s.urgent = 5: sink[desk].respond_within_s has",
        ),
    ],
)
def test_what_a_sink_cannot_be(tmp_path: Path, more: str, said: str) -> None:
    assert fault(tmp_path, f"{WEBHOOK}{URL}{more}\n").startswith(said)


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://localhost:1/x", True),
        ("https://127.9.9.9/", True),
        ("http://[::1]/", True),
        ("http://128.0.0.1/", False),
        ("http://example/", False),
        ("http:///x", False),
    ],
)
def test_what_is_on_this_machine(url: str, here: bool) -> None:  # noqa: FBT001  # a parameter of the test
    assert on_this_machine(url) is here
