"""The world as code and logical forms: every rendering parses, every form is read back to its meaning, new sentences are grammatical."""

import ast
from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from semhub.data import world
from semhub.data.programs import conjunction_marks, range_prompts, role_marks
from semhub.data.world import code, english, formula, german, lexicon, meanings
from semhub.data.world.meanings import Count, Gift, Phrase, Review, Scene, Series
from semhub.errors import BadInput

MAKERS = {
    "scene": lambda rng: meanings.scene(rng, "train"),
    "gift": lambda rng: meanings.gift(rng, "test"),
    "series": lambda rng: meanings.series(rng, "train"),
    "count": lambda rng: meanings.count(rng, "dev"),
    "fact": lambda rng: rng.choice(meanings.facts()),
    "review": lambda rng: meanings.review(rng, "train"),
    "visit": lambda rng: rng.choice(meanings.visits()),
    "sum": lambda rng: rng.choice(meanings.sums(rng.choice("+*"))),
    "opinion": lambda rng: meanings.review(rng, "train").opinions[0],
}
ANY = st.builds(lambda kind, seed: MAKERS[kind](Random(seed)), st.sampled_from(sorted(MAKERS)), st.integers(0, 10**6))


def being(key):
    return next(noun for noun in lexicon.beings() if noun.key == key)


def thing(key):
    return next(noun for noun in lexicon.nouns("thing") if noun.key == key)


def phrase(noun, definite=True, adjective=None):
    return Phrase(noun, definite, next((a for a in lexicon.adjectives() if a.key == adjective), None))


def giving(key):
    return next(verb for verb in lexicon.givings() if verb.key == key)


def worded(meaning):
    """The meaning without its wording: an opinion's style is no part of what it says."""
    if isinstance(meaning, meanings.Opinion):
        return meanings.Opinion(meaning.aspect, meaning.judgement)
    if isinstance(meaning, Review):
        return Review(meaning.visit, meaning.good, tuple(map(worded, meaning.opinions)), meaning.verdict_at)
    return meaning


@settings(max_examples=150, deadline=None)
@given(ANY)
def test_every_form_is_read_back_to_its_meaning(meaning):
    assert formula.read(world.sentence("formula", meaning)) == worded(meaning)


@settings(max_examples=150, deadline=None)
@given(ANY, st.integers(0, 50))
def test_every_line_of_code_parses(meaning, seed):
    shown = world.sentence("code", meaning, seed)
    assert ast.parse(shown).body and shown == world.sentence("code", meaning, seed)
    said = world.sentence("en", meaning)
    for made in (code.documented("told", shown, said), code.commented(shown, said, above=True)):
        ast.parse(made)
        assert said in made


@settings(max_examples=60, deadline=None)
@given(ANY)
def test_any_meaning_can_be_had_in_any_type(meaning):
    texts = {type: world.sentence(type, meaning) for type in world.RENDERERS}
    assert all(text.strip() for text in texts.values()) and len(set(texts.values())) == len(texts)


@pytest.mark.parametrize(
    "text", ["", "dog", "dog ( x _ 1 )", "chase . agent ( x _ 2 , x _ 1 ) AND unicorn ( x _ 1 )", "plus ( x _ 1 , 2 )"]
)
def test_what_is_no_form_of_the_world_is_refused(text):
    with pytest.raises(BadInput):
        formula.read(text)


def test_code_says_who_does_what_by_place_and_by_name():
    scene = Scene(phrase(being("dog"), True, "old"), next(v for v in lexicon.verbs() if v.key == "chases"), phrase(being("cat"), False))
    shown = {code.scene(scene, seed=seed) for seed in range(40)}
    assert shown == {
        "chase(the(old, dog), a(cat))",
        "chase(agent=the(old, dog), theme=a(cat))",
        "chase(the(old, dog), theme=a(cat))",
    }
    assert formula.scene(scene) == (
        "* dog ( x _ 1 ) ; chase . agent ( x _ 2 , x _ 1 ) AND chase . theme ( x _ 2 , x _ 3 ) AND old ( x _ 1 ) AND cat ( x _ 3 )"
    )


@pytest.mark.parametrize(("count", "expected"), [((0, 9, 1), [9]), ((3, 9, 1), [3, 9]), ((0, 9, 2), [0, 9, 2]), ((3, 9, 2), [3, 9, 2])])
def test_ranges_are_pythons(count, expected):
    call = ast.parse(code.count(Count(*count))).body[0].value
    assert [argument.value for argument in call.args] == expected and list(range(*expected)) == list(range(*count))


def test_programs_have_every_place_that_the_tasks_read():
    made = world.programs(60)
    assert len(role_marks(made)[0]) > 150 and len(conjunction_marks(made, ("and",))[0]) > 120 and len(range_prompts(made)[0]) >= 10
    assert made == world.programs(60) and made != world.programs(60, seed=1)
    for program in made:
        function = ast.parse(program.code).body[0]
        assert all(each.arg in ast.get_docstring(function) for each in function.args.args[:2])


GIFTS = [
    ("queen", "lends", "lamp", "farmer", "La reina le presta una lámpara al granjero.", "Die Königin leiht dem Bauern eine Leuchte."),
    ("cat", "sells", "book", "woman", "La gata le vende un libro a la mujer.", "Die Katze verkauft der Frau ein Buch."),
    ("child", "sends", "knife", "bear", "El niño le envía un cuchillo al oso.", "Das Kind schickt dem Bären ein Messer."),
]


@pytest.mark.parametrize(("giver", "verb", "what", "recipient", "spanish", "german_"), GIFTS)
def test_gifts_are_grammatical(giver, verb, what, recipient, spanish, german_):
    gift = Gift(phrase(being(giver)), giving(verb), phrase(thing(what), False), phrase(being(recipient)))
    assert world.sentence("es", gift) == spanish and world.sentence("de", gift) == german_


DATIVE = [(True, "wolf", "dem alten Wolf"), (True, "cat", "der alten Katze"), (True, "horse", "dem alten Pferd")]
DATIVE += [(False, "wolf", "einem alten Wolf"), (False, "cat", "einer alten Katze"), (False, "lion", "einem alten Löwen")]


@pytest.mark.parametrize(("definite", "noun", "expected"), DATIVE)
def test_the_german_dative(definite, noun, expected):
    assert german.phrase(phrase(being(noun), definite, "old"), "dat", {}) == expected


def test_series_and_counts_in_every_language():
    series = Series((being("dog"), being("cat"), being("lion")))
    assert [world.sentence(t, series) for t in world.LANGUAGES] == [
        "The dog, the cat and the lion.",
        "El perro, la gata y el león.",
        "狗、猫和狮子。",
        "Der Hund, die Katze und der Löwe.",
    ]
    assert [world.sentence(t, Count(3, 9, 2)) for t in world.LANGUAGES] == [
        "Start at three, stop before nine, go in steps of two.",
        "Empieza en tres, para antes de nueve, avanza de dos en dos.",
        "从三开始，到九之前停止，每次加二。",
        "Beginne bei drei, höre vor neun auf, gehe in Schritten von zwei weiter.",
    ]
    assert world.sentence("zh", Gift(phrase(being("queen")), giving("lends"), phrase(thing("lamp"), False), phrase(being("farmer")))) == (
        "那位女王借给了那个农民一盏灯。"
    )
    assert not any(noun.es.startswith(("i", "hi")) for noun in lexicon.beings()), "Spanish y would become e"


PARTICIPLES = "seen heard chased found loved carried caught kissed hugged bitten taught forgotten woken admired hit sought fed praised"


def test_passives_and_lemmas():
    assert set(PARTICIPLES.split()) <= {verb.participle for verb in lexicon.verbs()}
    assert {verb.lemma for verb in lexicon.verbs()} >= {
        "see",
        "chase",
        "carry",
        "catch",
        "kiss",
        "praise",
        "teach",
        "punish",
        "watch",
        "annoy",
    }
    assert len({verb.lemma for verb in (*lexicon.verbs(), *lexicon.givings())}) == len(lexicon.verbs()) + len(lexicon.givings())
    scene = Scene(phrase(being("dog")), next(v for v in lexicon.verbs() if v.key == "bites"), phrase(being("owl"), False, "old"))
    assert english.passive(scene) == "An old owl is bitten by the dog."


def test_held_out_by_meaning_in_every_kind():
    for make in (meanings.gift, meanings.series, meanings.count, meanings.written_range):
        for split in ("train", "dev", "test"):
            assert {meanings.split_of(make(Random(k), split).key) for k in range(20)} == {split}
    gift = meanings.gift(Random(1), "train")
    assert gift.swapped().key == gift.key and gift.swapped().id != gift.id
    series = meanings.series(Random(1), "train")
    assert Series(series.beings[::-1]).key == series.key


def test_programs_mostly_count_from_zero_and_the_first_figure_tells_how_many_arguments_there_are():
    rng = Random(1)
    ranges = [meanings.written_range(rng, "train") for _ in range(2000)]
    one = [each for each in ranges if each.start == 0 and each.step == 1]
    assert 0.6 < len(one) / 2000 < 0.72 and len({each.stop for each in one}) > 20
    assert {each.start for each in ranges} == {0, *range(5, 10)} and all(
        each.start + each.step < each.stop for each in ranges if each.start
    )
    first = Counter(code.count(each).removeprefix("range(")[0] for each in ranges)
    several = {code.count(each).removeprefix("range(")[0] for each in ranges if each.start}
    assert several == set("56789") and max(first.values()) > 1.5 * max(first[figure] for figure in several)


def test_places_before_nouns_have_their_true_role():
    marks = world.role_marks(90)
    assert {m.type for m in marks} == {"agent", "theme", "recipient"} and len({m.id for m in marks}) == 90
    for mark in marks:
        start, end = mark.follows
        assert mark.text[start:end].isalpha() and mark.text[start - 1] == " " and start - 1 == mark.at + 1
        before = mark.text[:start].split()
        assert {"agent": "by", "recipient": "to"}.get(mark.type, before[0]) in before


def test_sentences_with_forms_have_negatives_of_the_same_words():
    for concept in world.logical_sentences(40):
        words = sorted(concept.text("formula").replace("*", "").split())
        meant = formula.read(concept.text("formula"))
        assert formula.read(concept.contrasts["shuffled"].text("formula")) == meant
        assert formula.read(concept.contrasts["swapped"].text("formula")) == meant.swapped()
        assert formula.read(concept.contrasts["swapped-shuffled"].text("formula")) == meant.swapped()
        assert set(words) >= {"x", "_", "("} and concept.contrasts["swapped"].forms.keys() == {"formula"}
