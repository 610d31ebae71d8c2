from itertools import pairwise

from simulator.world.radio import Place
from simulator.world.truck_gate import (
    EXIT_AFTER_S,
    OFF_AFTER_S,
    STANDS_AFTER_S,
    TOO_MUCH_KG,
    Case,
    Gate,
    GateWires,
    Visit,
    visits,
)

START_US = 1_767_225_600_000_000
IN = Gate("in", "in", Place(0, 20, 0), [Case.FINE, Case.OVERWEIGHT, Case.CUSTOMS_HOLD], is_weighed=True, has_cards=True)
OUT = Gate(
    "out", "out", Place(0, 36, 0), [Case.UNREADABLE, Case.NO_APPOINTMENT, Case.FINE], is_weighed=False, has_cards=False
)


def made(seed: int = 7, duration_s: float = 120.0) -> list[Visit]:
    return visits(seed, [OUT, IN], START_US, duration_s)


def test_the_seed_decides_everything_and_all_is_over_in_time() -> None:
    assert made() == made()
    assert made() != made(8)
    assert all(START_US < each.arrives_us < each.gone_us <= START_US + 120_000_000 for each in made())
    assert made(duration_s=5.0) == []


def test_one_gate_serves_one_truck_at_a_time_and_the_cases_follow_one_another() -> None:
    for gate in (IN, OUT):
        there = [each for each in made() if each.gate == gate]
        assert all(a.gone_us < b.arrives_us for a, b in pairwise(there))
        assert [each.case for each in there[:4]] == [*gate.cases, gate.cases[0]]


def test_who_came_in_goes_out_again_with_another_container() -> None:
    came = {each.truck: each for each in made() if each.gate == IN}
    again = [each for each in made() if each.gate == OUT and each.truck in came]
    assert len(again) > 2
    for each in again:
        earlier = came[each.truck]
        assert earlier.gone_us < each.arrives_us
        assert (earlier.truck_epc, earlier.driver, earlier.tare_kg) == (each.truck_epc, each.driver, each.tare_kg)
        assert earlier.container != each.container


def test_only_who_is_overweight_has_declared_too_little() -> None:
    for each in made():
        differs = each.gross_kg - each.tare_kg - each.declared_kg
        assert differs == (TOO_MUCH_KG if each.case is Case.OVERWEIGHT else 0)


def test_a_torn_off_tag_is_not_there() -> None:
    for each in made():
        tags = [tag.epc for tag in each.tags()]
        assert tags == [each.truck_epc] + ([] if each.case is Case.UNREADABLE else [each.container.epc])
        assert all(tag.place(each.arrives_us) == tag.at for tag in each.tags())


def test_scale_and_card_show_the_truck_while_it_stands() -> None:
    visit = made()[0]
    weighing = visit.weighing()
    assert weighing.gross_kg == visit.gross_kg
    assert visit.arrives_us < weighing.stands_us < weighing.moves_us < weighing.off_us < visit.gone_us
    assert weighing.stands_us < visit.presentation().at_us < visit.presentation().gone_us < weighing.moves_us


def test_the_wires_show_loops_and_barriers() -> None:
    wires = GateWires(["in", "out"], made())
    visit = next(each for each in made() if each.gate == IN)
    assert wires.inputs(visit.arrives_us - 1)[:3] == [False, False, False]
    assert wires.inputs(visit.after_us(STANDS_AFTER_S))[:3] == [True, False, False]
    assert wires.inputs(visit.after_us(EXIT_AFTER_S))[:3] == [True, True, False]
    assert wires.inputs(visit.after_us(OFF_AFTER_S))[:3] == [False, True, False]
    assert wires.inputs(visit.gone_us)[:3] == [False, False, False]
    wires.set_output(2, is_on=True, now_us=0)
    wires.set_output(2, is_on=True, now_us=0)
    assert wires.outputs() == [False, True]
    assert wires.inputs(0) == [False, False, False, False, False, True]
    assert wires.lifts == 1
    assert wires.analogue_inputs(0) == []
