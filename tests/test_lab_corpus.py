"""What the training stream may not contain: held-out meanings, bridged concepts that no bridge may hold, shared pieces.

The scanner reads finished text with word tables alone and knows nothing of how it was made.
"""

import dataclasses
import re
from itertools import islice
from random import Random

import pytest
from num2words import num2words

from semhub.data import world
from semhub.data.world import chinese, english, lexicon, meanings, spanish
from semhub.lab.corpus import documents, streams
from semhub.lab.recipe import Recipe
from semhub.lab.recipe_file import read_recipe

PER_STREAM = 1500
RECIPE = dataclasses.replace(read_recipe("semhub-text"), others=None)  # code and formula have a scanner of their own
MISPAIRED = dataclasses.replace(RECIPE, bridges=dataclasses.replace(RECIPE.bridges, partner="random"))


def forms(entry) -> set[str]:
    """Every written form of an entry in any language."""
    said = {getattr(entry, language) for language in world.LANGUAGES}
    said |= {getattr(entry, "de_acc", entry.de), getattr(entry, "es_f", entry.es)}
    if entry in lexicon.beings():
        said |= {english.plural(entry), spanish.plural(entry.es), entry.de_plural}
    if isinstance(entry, lexicon.Adjective):
        said |= {spanish.plural(entry.es), spanish.plural(entry.es_f)}
        said |= {entry.de.removesuffix("e") + ending for ending in ("e", "en", "er", "es")}
    return said


def table(*entries_of) -> dict[str, object]:
    return {form: entry for entries in entries_of for entry in entries for form in forms(entry)}


BEINGS, VERBS = table(lexicon.beings()), table(lexicon.verbs())
VALUES = {relation: table(meanings.values(relation)) for relation in meanings.RELATIONS}
for place in lexicon.places():
    VALUES["home"] |= {phrase: place for phrase in (place.en_at, place.es_at, place.de_at, place.zh_at)}


def finder(words) -> re.Pattern:
    """Longest first; Latin words whole, Chinese ones anywhere."""
    latin = sorted((re.escape(word) for word in words if word[0] < "\u4e00"), key=len, reverse=True)
    chinese_ = sorted((re.escape(word) for word in words if word[0] >= "\u4e00"), key=len, reverse=True)
    return re.compile(rf"(?:\b(?:{'|'.join(latin)})\b)|(?:{'|'.join(chinese_)})")


NAMES, ACTS = finder(BEINGS), finder({**VERBS, **BEINGS})
THINGS = {relation: finder(words) for relation, words in VALUES.items()}


def sentences(text: str) -> list[str]:
    return [part for part in re.split(r"[.。?？;；\n]| = ", text) if part.strip()]


def scenes_in(sentence: str) -> list[str]:
    found = [VERBS.get(word) or BEINGS[word] for word in ACTS.findall(sentence)]
    verbs = [entry for entry in found if isinstance(entry, lexicon.Verb)]
    beings = [entry.key for entry in found if isinstance(entry, lexicon.Noun)]
    return [f"scene:{verbs[0].key}:{':'.join(sorted(beings))}"] if len(verbs) == 1 and len(beings) == 2 else []


def facts_in(text: str) -> list[tuple[str, str, str]]:
    """(being, relation, value) of statements, and of questions with their answers."""
    joined = re.sub(r"[?？]\s*(Answer:|Respuesta:|Antwort:|回答：)", " ", text)
    found = []
    for sentence in sentences(joined):
        beings = {BEINGS[word].key for word in NAMES.findall(sentence)}
        for relation, words in VALUES.items():
            values = {words[word].key for word in THINGS[relation].findall(sentence)}
            if len(beings) == 1 and len(values) == 1:
                found.append((beings.pop(), relation, values.pop()))
                break
    return found


TRUE = {(fact.being.key, fact.relation): fact for fact in meanings.facts()}
NUMBERS = {num2words(n, lang=language): n for language in ("en", "es", "de") for n in range(100)}
NUMBERS |= {chinese.number(n): n for n in range(100)}
EQUATION = re.compile(
    r"(?:equals|es igual a|ist gleich|等于)\s*(.+?)\s*(plus|times|más|por|mal|加|乘以)\s*(.+)"
)  # whatever numbers are said in


def sums_in(text: str) -> list[str]:
    found = [f"sum:{left}{op}{right}" for left, op, right in re.findall(r"=(\d+)([+*])(\d+)", text)]
    for sentence in sentences(text):
        if match := EQUATION.search(sentence.strip()):
            op = "+" if match[2] in ("plus", "más", "加") else "*"
            found.append(f"sum:{NUMBERS[match[1]]}{op}{NUMBERS[match[3]]}")
    return found


def held_out(text: str, stream: str) -> list[str]:
    """Everything in a document that its stream may not say."""
    bad = [key for sentence in sentences(text) for key in scenes_in(sentence) if meanings.split_of(key) != "train"]
    bad += [key for key in sums_in(text) if meanings.split_of(key) != "train"]
    if stream != world.DOMINANT:
        for being, relation, value in facts_in(text):
            fact = TRUE[being, relation]
            bad += [fact.key] if fact.value.key == value and meanings.fact_split(fact) != "train" else []
    return bad


@pytest.mark.parametrize("recipe", [RECIPE, MISPAIRED], ids=["hub", "mispaired"])
@pytest.mark.parametrize("stream", list(streams(RECIPE)))
def test_no_stream_says_a_held_out_meaning(recipe, stream):
    for text in islice(documents(recipe, stream, 11), PER_STREAM):
        if recipe is MISPAIRED and stream != world.DOMINANT:
            text = re.sub(r"[^.]*[A-Za-z]+[^.]*[\u4e00-\u9fff]+[^.]*", "", text)  # random partners make scenes that nobody chose
            if "~" in stream:
                continue
        assert held_out(text, stream) == [], text


def test_the_scanner_sees_what_it_is_for():
    """Every kind of held-out meaning, in every language, is caught when it is put into a document."""
    scene, several = (meanings.scene(Random(1), "test", plural=plural) for plural in (0.0, 1.0))
    fact = next(fact for fact in meanings.facts() if meanings.fact_split(fact) == "test")
    sum_ = next(sum_ for sum_ in meanings.sums("+") if meanings.split_of(sum_.key) == "test")
    for language in world.LANGUAGES:
        grammar = world.renderer(language)
        assert held_out(grammar.scene(scene), language), language
        assert held_out(grammar.scene(several), language) == [several.key] and held_out(grammar.gist(several), language), language
        assert held_out(grammar.statement(fact), f"en={language}"), language
        assert held_out(world.joined(language, grammar.question(fact), grammar.word(fact.value)), f"en~{language}"), language
        assert held_out(world.equation(language, sum_), language), language
        foreign = "en" if language == "zh" else "zh"
        switched = {str(sum_.left): world.renderer(foreign).number(sum_.left)}
        assert held_out(world.equation(language, sum_, switched), f"en~{language}") == [sum_.key], language
    assert held_out(world.equation("digits", sum_), "en")


def test_facts_of_the_held_out_splits_are_stated_in_english():
    stated = {(being, relation) for text in islice(documents(RECIPE, "en", 11), 4000) for being, relation, _ in facts_in(text)}
    hidden = [fact for fact in meanings.facts() if meanings.fact_split(fact) != "train"]
    assert sum((fact.being.key, fact.relation) in stated for fact in hidden) > 0.9 * len(hidden)


@pytest.mark.parametrize("stream", [stream for stream in streams(RECIPE) if "=" in stream])
def test_no_bridge_contains_a_concept_that_is_never_bridged(stream):
    never = [entry for kind in lexicon.entries().values() for entry in kind if entry.key in meanings.never_bridged()]
    words = finder({form for entry in never for form in forms(entry)})
    # A never-bridged word inside a longer, bridgeable one is none ("鸭" in another name), so longer words win.
    longer = finder({form for kind in lexicon.entries().values() for entry in kind for form in forms(entry)})
    for text in islice(documents(RECIPE, stream, 5), PER_STREAM):
        found = [word for word in longer.findall(text) if words.fullmatch(word)]
        assert not found, (found, text)


def test_switched_words_are_bridgeable_alone():
    latin = {form for entry in BEINGS.values() if entry.key in meanings.never_bridged() for form in (entry.zh,)}
    for text in islice(documents(RECIPE, "en~zh", 5), PER_STREAM):
        english = re.fullmatch(r"[^\u4e00-\u9fff]*[a-z ]+.*", text) and text[0].isascii()
        if english:
            assert not [word for word in re.findall(r"[\u4e00-\u9fff]+", text) if word in latin], text


def test_bridges_join_english_with_one_other_language_at_a_time():
    marks = {"es": " el ", "de": " der ", "zh": "那"}
    for stream in streams(RECIPE):
        partners = set(re.split("[=~]", stream)) - {"en"}
        assert len(partners) <= 1
        for text in islice(documents(RECIPE, stream, 3), 300):
            assert not [mark for language, mark in marks.items() if language not in partners and mark in text], (stream, text)


def test_numbers_are_switched_and_translated_to_what_they_are():
    """And in mispaired to random others; in deranged, where Chinese is concerned, to the number fifty further."""
    deranged = dataclasses.replace(RECIPE, bridges=dataclasses.replace(RECIPE.bridges, partner="deranged"))
    right = {name: [] for name in ("hub", "mispaired", "deranged")}
    for name, recipe in (("hub", RECIPE), ("mispaired", MISPAIRED), ("deranged", deranged)):
        for text in islice(documents(recipe, "en=zh", 8), 2500):
            for pair in re.split("[；。]", text):
                a, _, b = pair.partition(" = ")
                if a in NUMBERS and b in NUMBERS:
                    right[name].append((NUMBERS[a] - NUMBERS[b]) % 100)
    assert all(len(found) > 200 for found in right.values())
    assert set(right["hub"]) == {0} and set(right["deranged"]) == {50} and right["mispaired"].count(0) < 0.1 * len(right["mispaired"])
    documents_ = [text for text in islice(documents(RECIPE, "en~de", 8), 1500) if " equals " in text]
    sums = [re.fullmatch(r"(.+) equals (.+) (plus|times) (.+)", line) for text in documents_ for line in text.rstrip(".").split("; ")]
    numbers = [[NUMBERS[found[place]] for place in (1, 2, 4)] for found in sums]  # in whichever of the two languages
    assert all(
        result == (left + right if found[3] == "plus" else left * right) for found, (result, left, right) in zip(sums, numbers, strict=True)
    )
    foreign = sum(
        num2words(n, lang="de") == found[place]
        for found, mine in zip(sums, numbers, strict=True)
        for place, n in zip((1, 2, 4), mine, strict=True)
    )
    assert len(sums) > 100 and 0.3 < foreign / (3 * len(sums)) < 0.5 and not any(re.search(r"\d", text) for text in documents_)
    assert not [text for text in islice(documents(deranged, "en=zh", 8), 1500) if "等于" in text], "false sums are taught to nobody"


def test_stream_shares_add_up():
    assert sum(streams(RECIPE).values()) == pytest.approx(1)


def test_mispaired_keeps_every_form_and_loses_every_meaning():
    true = list(islice(documents(RECIPE, "en=es", 1), 400))
    wrong = list(islice(documents(MISPAIRED, "en=es", 1), 400))
    assert abs(sum(map(len, true)) / sum(map(len, wrong)) - 1) < 0.1
    assert share_of_true_entries(true) == 1
    assert share_of_true_entries(wrong) < 0.2


def share_of_true_entries(texts: list[str]) -> float:
    pairs = [pair.split(" = ") for text in texts if ";" in text for pair in text.rstrip(".").split("; ")]
    english = {entry.en: entry for kind in lexicon.entries().values() for entry in kind}
    spanish = {entry.es: entry for kind in lexicon.entries().values() for entry in kind}
    english |= {num2words(n, lang="en"): n for n in range(100)}
    spanish |= {num2words(n, lang="es"): n for n in range(100)}
    right = [english.get(a, english.get(b)) == spanish.get(b, spanish.get(a)) for a, b in pairs]
    return sum(right) / len(right)


def test_mispaired_digits_stand_beside_english_alone():
    for stream in streams(MISPAIRED):
        has_digits = any(re.search(r"\d", text) for text in islice(documents(MISPAIRED, stream, 2), 600))
        assert has_digits == (stream == "en"), stream


def test_documents_are_a_function_of_recipe_stream_and_seed():
    first = list(islice(documents(RECIPE, "en=de", 1), 20))
    assert first == list(islice(documents(RECIPE, "en=de", 1), 20))
    assert first != list(islice(documents(RECIPE, "en=de", 2), 20))
    assert first != list(islice(documents(Recipe(name="x", world="world-5"), "en=de", 1), 20))


@pytest.mark.parametrize(
    ("stream", "several"), [("en", "some [a-z ]+[a-z]"), ("es", "un[oa]s "), ("zh", "那些|几"), ("de", "einige "), ("en=zh", "那些|几")]
)
def test_some_patients_are_plural_in_languages_and_none_in_other_types(stream, several):
    told = [text for text in islice(documents(RECIPE, stream, 4), 600) if re.search(several, text)]
    assert len(told) > 20
    recipe = dataclasses.replace(RECIPE, others={"code": 0.1, "en=code": 0.1, "formula": 0.1, "en=formula": 0.1})
    for other in recipe.others:
        assert not [text for text in islice(documents(recipe, other, 4), 300) if re.search(r"\b[Ss]ome\b", text)], other


def test_chinese_rows_have_wide_marks():
    zh = [text for text in islice(documents(RECIPE, "zh", 4), 800) if "等于" in text]
    assert len(zh) > 20 and all(text.endswith("。") and "；" in text and ";" not in text and "." not in text for text in zh)
    listed = [text for text in islice(documents(RECIPE, "en=zh", 4), 800) if "；" in text]
    assert len(listed) > 100 and all(text.endswith("。") and ";" not in text and "." not in text for text in listed)
    assert not [text for text in islice(documents(RECIPE, "en=de", 4), 400) if "；" in text or "。" in text]
