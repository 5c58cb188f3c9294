"""Every experiment of the paper, as a run asks it by default, reports thirty items or more behind its row of the overview."""

import pytest

from semhub.methods.bench import Bench
from semhub.methods.declare import Compare, Decode, DecodeMarks, DecodeMedia, Repaint, Spread, Steer, Trajectory
from semhub.methods.repaint import split_in_two as halves_by_source
from semhub.methods.steer import split_in_two
from semhub.tasks import SUITES, find, given

ENOUGH = 30


def of_types(items) -> list[int]:
    return [sum(each.type == type for each in items) for type in {each.type for each in items}]


def first(ask) -> list:
    return next(iter(ask.sets.values()))


# By kind of question, how many items stand behind what is reported: of each type, where types have rows of their own.
REPORTED = {
    Compare: lambda ask, bench: [len(first(ask))],
    Decode: lambda ask, bench: of_types(first(ask)),
    DecodeMarks: lambda ask, bench: [len(first(ask))],
    DecodeMedia: lambda ask, bench: of_types(first(ask)),
    Spread: lambda ask, bench: [len(texts) for texts in ask.prompts.values()],
    Trajectory: lambda ask, bench: [len(ask.texts)],
    Steer: lambda ask, bench: [len(report.prompts) for _, report in split_in_two(ask, bench)],
    Repaint: lambda ask, bench: [len(halves_by_source(ask, bench, ask.prompts)[1])],
}


@pytest.mark.parametrize("name", SUITES["paper"])
def test_thirty_items_stand_behind_every_row(name):
    ask = find(name)("sound", given())
    counted = REPORTED[type(ask)](ask, Bench(None, name, "sound"))
    assert counted and min(counted) >= ENOUGH, counted


def test_range_prompts_leave_room_for_some_that_cannot_be_judged():
    """Half of the prompts are reported, and a model need not write one argument after all of them."""
    ask = find("code/intervention")("sound", given())
    ((_, report),) = split_in_two(ask, Bench(None, "code/intervention", "sound"))
    assert len(report.prompts) == len({prompt.text for prompt in report.prompts}) == 60
