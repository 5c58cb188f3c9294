"""Logical forms: to the letter and back, names swapped and drawn anew, roles told by hand; COGS where it is at hand."""

import os
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from semhub.data import cogs
from semhub.data.cogs import Sentence, concept, read_cogs, role_marks
from semhub.data.logic import ROLES, LogicalForm, Term, parse
from semhub.errors import BadInput

ROOT = Path(os.environ.get("SEMHUB_DATA") or Path(__file__).parents[2] / "shared" / "data")
GIVEN = "* cake ( x _ 1 ) ; give . theme ( x _ 3 , x _ 1 ) AND give . recipient ( x _ 3 , Mia ) AND give . agent ( x _ 3 , Leo )"
TEXT = "The cake was given to Mia by Leo ."
NAMES = st.sampled_from(["Mia", "Leo", "x _ 1", "x _ 2", "x _ 30"])
TERMS = st.builds(
    Term,
    st.lists(st.sampled_from(["dog", "see", "agent", "nmod"]), min_size=1, max_size=3).map(tuple),
    st.lists(NAMES, min_size=1, max_size=2).map(tuple),
)


@given(st.builds(LogicalForm, st.lists(TERMS, max_size=3).map(tuple), st.lists(TERMS, min_size=1, max_size=5).map(tuple)))
def test_every_form_is_read_as_it_is_written(form):
    assert parse(str(form)) == form


@pytest.mark.parametrize(
    "text", ["", "Mia", "LAMBDA a . dog ( a )", "dog(x _ 1)", "dog ( x _ 1 ) AND", "cake ( x _ 1 ) ; see ( x _ 2 )", "dog ( )"]
)
def test_what_is_no_form_is_none(text):
    assert parse(text) is None


def test_names_roles_and_swapping():
    form = parse(GIVEN)
    assert form.names() == ("Mia", "Leo") and form.roles("Mia") == ("recipient",) and form.roles("x _ 1") == ("theme",)
    swapped = form.renamed({"Mia": "Leo", "Leo": "Mia"})
    assert str(swapped) == GIVEN.replace("Mia", "?").replace("Leo", "Mia").replace("?", "Leo")
    shuffled = form.shuffled(Random(1))
    assert shuffled != form and Counter(shuffled.conjuncts) == Counter(form.conjuncts) and shuffled.given == form.given


def test_negatives_of_a_pair():
    made = concept(Sentence("4", TEXT, parse(GIVEN)), seed=0)
    assert set(made.contrasts) == {"swapped", "swapped-shuffled", "shuffled"} and made.text("formula") == GIVEN
    assert made == concept(Sentence("4", TEXT, parse(GIVEN)), seed=0)
    alone = concept(Sentence("5", "Leo slept .", parse("sleep . agent ( x _ 1 , Leo )")), seed=0)
    assert not alone.contrasts


def test_places_before_names():
    several = "want . agent ( x _ 1 , Mia ) AND see . theme ( x _ 2 , Mia ) AND see . agent ( x _ 2 , Leo )"
    rows = [
        Sentence("1", TEXT, parse(GIVEN)),
        Sentence("2", "Leo wanted Mia to see", parse(several)),
        Sentence("3", "a dog", parse("dog ( x _ 1 )")),
    ]
    marks, left_out = role_marks(rows)
    assert [m.type for m in marks] == ["recipient", "agent"] and all(m.whole for m in marks)
    for mark in marks:
        start, end = mark.follows
        assert mark.text[mark.at + 1 : start] == " " and mark.text[start:end] in ("Mia", "Leo") and mark.words["agent"] == (" agent",)
        assert mark.wrong["agent"] == tuple(f" {role}" for role in ROLES if role != "agent")
    assert Counter(left_out.values()) == Counter(["the name opens the sentence", "several roles", "no proper name"])


def test_names_are_drawn_anew_and_stay_apart():
    pool = ["Ada", "Bob", "Eve", "Leo", "Mia"]
    drawn = [cogs.redrawn(Sentence(str(k), TEXT, parse(GIVEN)), pool, seed=0) for k in range(30)]
    assert len({each.text for each in drawn}) > 5
    for each in drawn:
        first, second = each.form.names()
        assert first != second and each.words[5] == first and each.words[7] == second and each.form.roles(first) == ("recipient",)


def test_rows_are_read_and_what_is_no_sentence_is_counted(tmp_path):
    path = tmp_path / "train.tsv"
    path.write_text(f"{TEXT}\t{GIVEN}\tin_distribution\nMia\tMia\tprimitive\ndog\tLAMBDA a . dog ( a )\tprimitive\n", encoding="utf-8")
    found = read_cogs(path)
    assert [each.text for each in found.items] == [TEXT] and found.counts == {"rows": 3, "kept": 1, "left out: a single word": 2}
    assert read_cogs(tmp_path).hash == found.hash and "MIT" in found.licence
    path.write_text(f"{TEXT}\t{GIVEN} AND\tx\n{TEXT}\t{GIVEN}\tx\n", encoding="utf-8")
    with pytest.raises(BadInput, match="train.tsv line 1: the logical form cannot be read"):
        read_cogs(path)
    assert len(read_cogs(path, skip_bad=True).items) == 1


def test_columns_with_names_are_found(tmp_path):
    path = tmp_path / "own.jsonl"
    path.write_text(f'{{"input": "{TEXT}", "output": "{GIVEN}"}}\n', encoding="utf-8")
    assert str(read_cogs(path).items[0].form) == GIVEN


def test_what_is_not_there_says_what_to_put_where(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for place in (tmp_path / "nothing.tsv", "owner/forms-that-nobody-has"):
        with pytest.raises(BadInput, match="put train.tsv of github.com/najoungkim/COGS into data/cogs/"):
            read_cogs(place)


def test_cogs():
    if not (ROOT / "cogs").exists():
        pytest.skip(f"{ROOT / 'cogs'} is absent; set SEMHUB_DATA")
    found = read_cogs(ROOT / "cogs" / "train.tsv")
    assert found.counts == {"rows": 24_155, "left out: a single word": 143, "kept": 24_012} and not found.skipped
    named = [each for each in found.items if len(each.form.names()) == 2]
    assert len(named) == 2233 and sum(int(each.id) <= 10_000 for each in named) == 909
    marks, left_out = role_marks(found.items)
    assert Counter(m.type for m in marks) == {"agent": 3994, "recipient": 3134, "theme": 860}
    assert sum(why == "the name opens the sentence" for why in left_out.values()) == 7559
