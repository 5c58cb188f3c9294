"""The page of real data is fresh, and names what there is."""

from pathlib import Path

from semhub.data.known import KNOWN
from semhub.data.page import facts, page
from semhub.data.sources import READERS
from semhub.tasks.page import built_in

ROOT = Path(__file__).parents[1]


def test_the_page_is_fresh():
    told = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    assert told == page(KNOWN), "docs/data.md is stale; write it anew: python -m semhub.data.page"


def test_every_reader_is_told_of_and_every_task_exists():
    assert {each.name for each in KNOWN if each.option.startswith("--data")} == set(READERS)
    names = {task.name for task in built_in()}
    for each in KNOWN:
        assert {task.removesuffix(" (paper)") for task in each.tasks} <= names, each.name
        assert all((each.what, each.licence, each.get, each.put, each.layouts)), each.name


def test_one_source_by_any_of_its_names():
    assert facts("mbpp") == facts("code") and len(facts()) == len(KNOWN)
