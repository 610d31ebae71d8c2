"""Cards that are shown: one request for each presentation, and which of the requests the lists admit.

Whether a holder may enter is asked twice, of the same item and the same version of the table: here, because only what
is admitted may count, and in the decision, which tells why.
"""

from __future__ import annotations

from gateway.config.rules import MatchRule, RateRule, Rule, Window
from rules.built_in import CARD_PRESENTED
from rules.packs.parking import words
from rules.packs.parking.settings import CardList, Direction, ParkingSettings


def rules(name: str, settings: ParkingSettings) -> list[Rule]:
    """A request for each result at each direction, and for what comes too late for a window; admissions."""
    made: list[Rule] = []
    for direction in Direction:
        points = [point for lane in settings.lanes(direction) for point in lane.read_points]
        for result in words.RESULTS:
            shown = words.both(words.one_of("read_point", points), words.one_of("result", [result]))
            made += [
                RateRule(
                    name=words.request(name, direction, result),
                    shape="rate",
                    on=CARD_PRESENTED,
                    when=words.both(shown, "!e.historical"),
                    window=Window.SLIDING,
                    within_s=settings.cooldown_s,
                    above=0,
                    emit=words.REQUEST,
                ),
                MatchRule(
                    name=words.request(name, direction, result, is_late=True),
                    shape="match",
                    on=CARD_PRESENTED,
                    when=words.both(shown, "e.historical"),
                    emit=words.REQUEST,
                ),
            ]
    return [*made, *_admissions(name, settings)]


def admissions(name: str, settings: ParkingSettings) -> dict[str, list[CardList]]:
    """The rules that admit, with the lists that each is for; without lists there is one, for all."""
    by_hours: dict[str | None, list[CardList]] = {}
    for each in settings.lists:
        by_hours.setdefault(each.hours, []).append(each)
    if not by_hours:
        return {f"{name}-admit": []}
    return {f"{name}-admit" if hours is None else f"{name}-admit-{hours}": each for hours, each in by_hours.items()}


def _admissions(name: str, settings: ParkingSettings) -> list[Rule]:
    holders = settings.holders
    valid = words.both(
        words.one_of("rule", words.requests(name, Direction.ENTRY, words.KNOWN)),
        "" if holders is None else f"e.{words.LISTED}_found",
        words.negated(words.not_yet(settings, "at_us")),
        words.negated(words.expired(settings, "at_us")),
    )
    made: list[Rule] = []
    for rule, lists in admissions(name, settings).items():
        listed = ""
        if lists and holders is not None and holders.list is not None:
            listed = words.one_of(words.column(holders.list), [each.name for each in lists])
        made.append(
            MatchRule(
                name=rule,
                shape="match",
                on=words.REQUEST,
                when=words.both(valid, listed),
                lookup=words.lookup(holders, "name", "subject"),
                during=lists[0].hours if lists else None,
                emit=words.ADMITTED,
            )
        )
    return made
