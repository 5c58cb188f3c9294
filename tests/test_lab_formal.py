"""Code and logical forms in a recipe: nothing changes without them, nothing held out is said with them, no bridge holds a closed word."""

import ast
import dataclasses
import re
from itertools import islice
from random import Random

import pytest

from semhub.data import world
from semhub.data.world import formula, lexicon, meanings
from semhub.errors import BadRecipe
from semhub.lab import tokenizer as tokenizers
from semhub.lab.corpus import documents, streams
from semhub.lab.recipe_checks import checked
from semhub.lab.recipe_file import read_recipe
from test_lab_corpus import held_out

RECIPE = dataclasses.replace(read_recipe("semhub-text"), others=None)
SHARES = {"code": 0.08, "formula": 0.05, "en=code": 0.04, "en=formula": 0.03}
WITH = dataclasses.replace(RECIPE, others=SHARES)
MISPAIRED = dataclasses.replace(WITH, bridges=dataclasses.replace(RECIPE.bridges, partner="random"))


def some(recipe, stream, n=400, seed=3):
    return list(islice(documents(recipe, stream, seed), n))


@pytest.mark.parametrize("stream", list(streams(RECIPE)))
def test_other_types_in_a_recipe_leave_the_streams_of_languages_as_they_were(stream):
    """What the streams hold, byte for byte, is kept in test_lab_controls."""
    assert some(WITH, stream, 200, 0) == some(RECIPE, stream, 200, 0) and len(set(some(WITH, stream, 200, 0))) > 150


def test_shares_are_taken_from_all_languages_alike():
    assert sum(streams(WITH).values()) == pytest.approx(1)
    assert {name: streams(WITH)[name] for name in SHARES} == SHARES
    assert all(streams(WITH)[name] == pytest.approx(0.8 * share) for name, share in streams(RECIPE).items())
    assert "others" not in RECIPE.as_dict() and WITH.as_dict()["others"] == SHARES


@pytest.mark.parametrize("stream", ["code", "en=code"])
def test_all_code_parses(stream):
    assert all(ast.parse(text).body or text.startswith("#") for text in some(WITH, stream))


def forms_in(text):
    return [part for line in text.split("\n") for part in line.split(" = ") if " ( " in part and "represents" not in part]


def keys_of_code(text):
    """Scenes, gifts, series and counts that code names, found by a walk over its calls and lists; sums by their text."""
    beings = {noun.en: noun.key for noun in lexicon.beings()}
    verbs = {verb.lemma: verb.key for verb in (*lexicon.verbs(), *lexicon.givings())}
    things = {noun.en: noun.key for noun in lexicon.nouns("thing")}
    found = []
    for node in ast.walk(ast.parse(text)):
        names = [n.id for n in ast.walk(node) if isinstance(n, ast.Name)] if isinstance(node, ast.Call | ast.List) else []
        who = sorted(beings[name] for name in names if name in beings)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in verbs and len(who) == 2:
            what = [things[name] for name in names if name in things]
            found.append(f"{'gift' if what else 'scene'}:{':'.join([verbs[node.func.id], *what, *who])}")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range":
            numbers = [argument.value for argument in node.args]
            start, stop = ([0] + numbers if len(numbers) == 1 else numbers)[:2]
            found.append(f"count:{start}:{stop}:{numbers[2] if len(numbers) == 3 else 1}")
        elif isinstance(node, ast.List) and len(who) > 2:
            found.append(f"series:{':'.join(who)}")
    return found + [f"sum:{a}{op}{b}" for a, op, b in re.findall(r"== (\d+) ([+*]) (\d+)", text)]


@pytest.mark.parametrize("recipe", [WITH, MISPAIRED], ids=["true", "random"])
@pytest.mark.parametrize("stream", list(SHARES))
def test_no_stream_says_a_held_out_meaning(recipe, stream):
    seen = 0
    for text in some(recipe, stream):
        keys = keys_of_code(text) if stream.endswith("code") else []
        for form in forms_in(text) if stream.endswith("formula") else []:
            if not re.match(r"\w+ \( \w+ , \w+ \)$", form):
                meaning = formula.read(form)
                keys += [meaning.key] if hasattr(meaning, "key") else []
                assert not isinstance(meaning, meanings.Fact) or meanings.fact_split(meaning) == "train"
        seen += len(keys)
        assert {meanings.split_of(key) for key in keys if not key.startswith("fact:")} <= {"train"}, text
        if stream.startswith("en="):
            assert held_out("\n".join(said_in(text)), stream) == [], text
    assert seen > 300


def said_in(text):
    """The English of a bridged document."""
    quoted = re.findall(r'"""(.*?)"""', text) + re.findall(r"# (.*)", text)
    return quoted + [part for line in text.split("\n") for part in line.split(" = ") if not re.search(r"[(\"#]", part)]


@pytest.mark.parametrize("seed", range(3))
def test_the_scanner_sees_what_it_is_for(seed):
    scene = meanings.scene(Random(seed), "test")
    assert scene.key in keys_of_code(world.sentence("code", scene)) and formula.read(world.sentence("formula", scene)).key == scene.key
    assert held_out(world.sentence("en", scene), "en=code")


@pytest.mark.parametrize("stream", ["en=code", "en=formula"])
def test_no_bridge_holds_a_concept_that_is_never_bridged(stream):
    closed = {entry.en for kind in lexicon.entries().values() for entry in kind if entry.key in meanings.never_bridged()}
    closed |= {verb.lemma for verb in lexicon.verbs() if verb.key in meanings.never_bridged()}
    # A verb may be spelled as a noun or relation is (plant, paint): such words tell nothing here.
    open_ = {entry.en for kind in lexicon.entries().values() for entry in kind if entry.key not in meanings.never_bridged()}
    closed -= {*meanings.RELATIONS, "told"} | open_
    assert len(closed) > 40
    for text in some(WITH, stream):
        assert not closed & set(re.findall(r"\w+", text)), text


def test_mispaired_bridges_keep_their_form_and_lose_their_meaning():
    right = [told(text) for text in some(WITH, "en=formula")]
    wrong = [told(text) for text in some(MISPAIRED, "en=formula")]
    assert sum(right, []) and all(sum(right, [])) and not any(sum(wrong, []))


def told(text):
    """For each scene of a document, whether form and sentence name the same beings."""
    beings, found = {noun.en for noun in lexicon.beings()}, []
    for line in text.split("\n"):
        sides = [set(re.findall(r"\w+", part)) & beings for part in line.split(" = ")]
        if " agent ( " in line and len(sides) == 2 and "recipient" not in line:
            found.append(sides[0] == sides[1])
    return found


def test_the_tokenizer_keeps_names_whole_and_loses_nothing(monkeypatch):
    monkeypatch.setattr(tokenizers, "SAMPLE", 300)
    words = tokenizers.tokenizer(dataclasses.replace(WITH, languages=("en", "de"), mixture={"en": 0.8, "de": 0.2}))
    for stream in SHARES:
        for text in some(WITH, stream, 60):
            assert words.decode(words(text, add_special_tokens=False)["input_ids"]) == text
    assert words.tokenize("chase(the(old, dog), a(cat))") == [
        "▁chase",
        "(",
        "the",
        "(",
        "old",
        ",",
        "▁dog",
        ")",
        ",",
        "▁a",
        "(",
        "cat",
        ")",
        ")",
    ]
    assert words.tokenize("chase . agent ( x _ 2 , x _ 1 )")[:6] == ["▁chase", "▁.", "▁agent", "▁(", "▁x", "▁_"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"others": {"java": 0.1}}, "unknown stream 'java'"),
        ({"others": {"code": 1.0}}, "leave room"),
        ({"others": {"code": -0.1}}, "0 or more"),
        ({"others": {"es=code": 0.1}}, "unknown stream"),
        ({"subjects": {"scenes": 0.5, "songs": 0.5}}, "unknown subject 'songs'"),
        ({"others": {"code": 0.1}, "languages": ("es", "en"), "mixture": {"es": 0.5, "en": 0.5}}, "en first"),
    ],
)
def test_recipes_that_do_not_add_up(change, said):
    with pytest.raises(BadRecipe, match=said):
        checked(dataclasses.replace(RECIPE, **change), "here")


def test_gifts_series_and_counts_are_subjects_of_languages_too():
    subjects = {"gifts": 0.4, "series": 0.3, "counts": 0.3}
    recipe = checked(dataclasses.replace(RECIPE, subjects=subjects, other_subjects=subjects, prefix=0.0), "here")
    text = " ".join(some(recipe, "en", 60))
    assert "stop before" in text and " to the " in text and " and the " in text
    assert "给" in "".join(some(recipe, "zh", 60))
