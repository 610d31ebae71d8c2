"""Asks a person at a terminal: each question has a default, and a wrong answer is asked again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from gateway.config.phrases import explain
from gateway.init.adapters import Adapter
from gateway.init.answers import (
    Answers,
    BrokerAnswers,
    LineAnswers,
    Place,
    SearchAnswers,
    SiteAnswers,
    SiteKind,
    StoreAnswers,
    StoreKind,
    default_answers,
)
from gateway.init.networks import local_networks, searchable
from readers import registry
from readers.errors import ConfigError

T = TypeVar("T")
TRIES: Final = 5
LONGEST: Final = 4_096
_YES: Final = {"y": True, "yes": True, "n": False, "no": False}


class QuestionError(Exception):
    """The answers ended, or none of them was one."""


class Asker:
    """Asks over two streams; `read` gives a line with its end, and "" when there are no more."""

    def __init__(self, read: Callable[[], str], say: Callable[[str], None]) -> None:
        self._read = read
        self._say = say

    def text(self, question: str, default: str, parse: Callable[[str], T]) -> T:
        """Ask until `parse` takes an answer; it raises ValueError or ConfigError for one that is none.

        Raises:
            QuestionError: no more input, or too many wrong answers.
        """
        for _ in range(TRIES):
            self._say(f"{question}{f' [{default}]' if default else ''}:")
            line = self._read()
            if not line:
                raise QuestionError(f"the input ended at the question {question!r}; nothing was written")
            answer = line.strip()[:LONGEST] or default
            try:
                return parse(answer)
            except (ValueError, ConfigError) as error:
                self._say(f"  {_reason(error)}")
        raise QuestionError(f"{TRIES} answers to {question!r} were none; nothing was written")

    def choice(self, question: str, choices: Sequence[str], default: str) -> str:
        """One of several, which may be abbreviated.

        Raises:
            QuestionError: as `text`.
        """

        def parse(answer: str) -> str:
            found = [each for each in choices if each == answer] or [
                each for each in choices if each.startswith(answer)
            ]
            if len(found) != 1 or not answer:
                raise ValueError(f"answer one of: {', '.join(choices)}")
            return found[0]

        return self.text(f"{question} ({', '.join(choices)})", default, parse)

    def agrees(self, question: str, *, default: bool) -> bool:
        """Yes or no.

        Raises:
            QuestionError: as `text`.
        """

        def parse(answer: str) -> bool:
            if answer.lower() not in _YES:
                raise ValueError("answer yes or no")
            return _YES[answer.lower()]

        return self.text(f"{question} (yes, no)", "yes" if default else "no", parse)


def ask(asker: Asker, root: Path, networks: Sequence[str] | None) -> Answers:
    """All questions but those about what is found; `networks` are those of the command line, None to ask.

    Raises:
        QuestionError: the answers ended.
    """
    name = default_answers().site.name
    site = SiteAnswers(
        name=asker.text("Name of the site", name, _field(SiteAnswers, "name")),
        gateway=asker.text("Name of this gateway", "edge-1", _field(SiteAnswers, "gateway", {"name": name})),
        kind=SiteKind(asker.choice("What the site is", [each.value for each in SiteKind], SiteKind.OTHER.value)),
    )
    return Answers(site=site, broker=_broker(asker), store=_store(asker), search=_search(asker, root, networks))


def ask_line(asker: Asker, adapter: Adapter) -> LineAnswers | None:
    """What hangs on an adapter; None where nobody knows.

    Raises:
        QuestionError: the answers ended.
    """
    known = [name for name, spec in registry.drivers().items() if spec.line is not None]
    question = f"What hangs on {adapter.name}, {adapter.told()}"
    driver = asker.choice(question, [*known, "unknown"], "unknown")
    return None if driver == "unknown" else LineAnswers(adapter=adapter.name, driver=driver)


def _broker(asker: Asker) -> BrokerAnswers:
    where = asker.choice("Where the MQTT broker is", [each.value for each in Place], Place.HERE.value)
    if where == Place.HERE.value:
        return BrokerAnswers(port=asker.text("Port of the broker", "1883", _field(BrokerAnswers, "port", {}, int)))
    given: dict[str, Any] = {"where": where}
    given["host"] = asker.text("Host of the broker", "", _field(BrokerAnswers, "host", given))
    ca_file = asker.text("File with its authority (PEM), if it speaks TLS", "", _path)
    given["ca_file"] = ca_file
    default = "1883" if ca_file is None else "8883"
    given["port"] = asker.text("Port of the broker", default, _field(BrokerAnswers, "port", given, int))
    given["user"] = asker.text("Our user there, if it wants one", "", lambda answer: answer or None)
    if given["user"] is not None:
        given["password_file"] = asker.text("File with the password of that user; empty for later", "", _path)
    return BrokerAnswers.model_validate({key: value for key, value in given.items() if value is not None})


def _store(asker: Asker) -> StoreAnswers:
    kinds = [each.value for each in StoreKind]
    if asker.choice("Where events are stored", kinds, StoreKind.JOURNAL.value) == StoreKind.JOURNAL.value:
        return StoreAnswers()
    given: dict[str, Any] = {"kind": StoreKind.INFLUXDB}
    given["url"] = asker.text("URL of InfluxDB", "http://127.0.0.1:8086", _field(StoreAnswers, "url"))
    given["database"] = asker.text("Database or bucket", "tagwharf", _field(StoreAnswers, "database"))
    given["keep_days"] = asker.text("Days that it keeps; 0 for ever", "365", _field(StoreAnswers, "keep_days", {}, int))
    given["org"] = asker.text("Organisation (InfluxDB 2 only)", "", _field(StoreAnswers, "org"))
    if given["org"]:
        given["token_file"] = asker.text("File with a token that may make buckets; empty for later", "", _path)
    elif (
        admin := asker.text("Administrator of InfluxDB, if it wants one", "", lambda answer: answer or None)
    ) is not None:
        given["admin_user"] = admin
        given["admin_password_file"] = asker.text("File with the administrator's password", "", _needed_path)
    return StoreAnswers.model_validate(given)


def _search(asker: Asker, root: Path, networks: Sequence[str] | None) -> SearchAnswers:
    if networks is None:
        here = ", ".join(map(str, local_networks(root)))
        question = f"Networks to search for readers, or none{f' (this machine is in {here})' if here else ''}"
        networks = asker.text(question, "none", _networks)
    lines = asker.agrees(
        "Try the drivers of RFID readers on each serial adapter? Not where meters or machines hang", default=False
    )
    greets = False
    if networks:
        greets = asker.agrees(
            "Connect once to each LLRP reader that is found, to see if it is free? One that is free hands over what it "
            "has kept for its client, which is then lost",
            default=False,
        )
    return SearchAnswers(networks=list(networks), greet_readers=greets, try_lines=lines)


def _networks(answer: str) -> list[str]:
    if answer.lower() in ("none", ""):
        return []
    return [str(searchable(each)) for each in answer.replace(",", " ").split()]


def _path(answer: str) -> Path | None:
    if not answer:
        return None
    path = Path(answer)
    if not path.is_file():
        raise ValueError(f"{answer}: there is no such file")
    return path


def _needed_path(answer: str) -> Path:
    path = _path(answer)
    if path is None:
        raise ValueError("a file is needed")
    return path


def _field(
    model: type[BaseModel], key: str, others: Mapping[str, Any] | None = None, convert: Callable[[str], Any] = str
) -> Callable[[str], Any]:
    """A parser that lets the model judge one of its fields, beside others that are known already."""

    def parse(answer: str) -> Any:
        given = {**(others or {}), key: convert(answer)}
        try:
            made = model.model_validate(given)
        except ValidationError as error:
            ours = [each for each in error.errors(include_url=False) if each["loc"] in ((key,), ())]
            if ours:
                raise ValueError(explain(ours[0])) from error
            return given[key]
        return getattr(made, key)

    return parse


def _reason(error: ValueError | ConfigError) -> str:
    return "must be a whole number" if "invalid literal" in str(error) else str(error)
