"""What each task makes of real data: hand-picked rows, how many items it keeps, and why it drops the rest.

Reads $SEMHUB_DATA as `test_real_data.py` does. No text of that data stands here: a row is told by its id, its hash, and what a person
who read it wrote down of it.
"""

import csv
import hashlib
import wave
from collections import Counter

import pytest

import semhub
from families import built, configured, finished, trainer
from semhub.data.clips import DIGITS
from semhub.data.languages import TextFile
from semhub.data.pairs import read_pairs
from semhub.data.sources import read_source
from semhub.data.wordlens import ambiguous, cut
from semhub.methods.declare import Result
from semhub.methods.tally import tally
from semhub.tasks import find, given, perform
from test_real_data import real


def declared(name, protocol="paper", **more):
    return find(name)(protocol, given(**more))


def hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def reasons(left_out) -> dict[str, int]:
    """How many items each reason took."""
    return dict(Counter(left_out.values()))


# PUD: parallel sentences ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pud():
    return read_pairs(real("pud"))


PUD_ROWS = {
    "n01001011": ("cca3de4334cb", "d305606891c8"),
    "w01049082": ("280ab0887e3f", "06f416a02361"),
    "w05010027": ("6d9e675a9113", "a4889dfd705d"),
}  # id -> hash of the English, of the Chinese


def test_rows_of_pud_that_were_picked_by_hand(pud):
    """The first, one from the middle and the last: looked up by their ids in the files of English and of Chinese."""
    rows = {concept.id: concept for concept in pud.concepts}
    picked = {row: (hashed(rows[row].text("en")), hashed(rows[row].text("zh"))) for row in PUD_ROWS}
    assert picked == PUD_ROWS and [pud.concepts[0].id, pud.concepts[-1].id] == [min(PUD_ROWS), max(PUD_ROWS)]
    for row, expected in PUD_ROWS.items():
        lines = [dict(line.split("\t") for line in TextFile(real("pud") / f"{type}.tsv"))[row] for type in ("en", "zh")]
        assert tuple(map(hashed, lines)) == expected


@pytest.mark.parametrize("protocol", ["paper", "sound"])
def test_pairs_of_pud_are_compared_whole_or_up_to_the_limit(pud, protocol):
    whole = declared("multilingual/similarity", protocol, pairs=pud)
    assert whole.types == ("en", "de", "es", "ja", "zh") and [c.id for c in whole.sets[None]] == [c.id for c in pud.concepts]
    assert tally(whole, Result(())) == [{"of": "items", "given": 1000, "kept": 1000, "left_out": {}}]
    some = declared("multilingual/similarity", protocol, pairs=pud, limit=30, types=("en", "zh"))
    assert some.types == ("en", "zh") and [c.id for c in some.sets[None]] == [c.id for c in pud.concepts[:30]]
    assert tally(some, Result(())) == [{"of": "items", "given": 1000, "kept": 30, "left_out": {"beyond the limit": 970}}]


def test_rows_of_pud_with_a_number_in_every_language_have_a_hard_negative(pud):
    ask = declared("multilingual/similarity", "sound", pairs=pud)
    changed = [c for c in ask.sets[None] if "changed-number" in c.contrasts]
    assert ask.controls == ("changed-number",) and len(changed) == 114
    for concept in changed:
        other = concept.contrasts["changed-number"]
        assert any(char.isdigit() for char in concept.text("en"))
        assert all(other.text(type) != concept.text(type) for type in other.forms)


def test_pud_is_read_and_counted_in_halves_by_trend(pud):
    ask = declared("multilingual/trend", pairs=pud, limit=50)
    assert {type: len(texts) for type, texts in ask.prompts.items()} == dict.fromkeys(("en", "de", "es", "ja", "zh"), 50)
    assert {type: len(list(texts)) for type, texts in ask.corpus.items()} == dict.fromkeys(ask.prompts, 500)
    assert not any(set(ask.prompts[type]) & set(ask.corpus[type]) for type in ask.prompts), "no sentence is in both"


# COGS: sentences with logical forms ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cogs():
    return {"formula": read_source("formula", real("cogs"))}


# id -> hash of the sentence, hash of its form, the roles of its names in order, as a person told them from the sentence
COGS_ROWS = {
    "5": ("b48165651d57", "319de0887db6", ("recipient", "agent")),
    "12": ("96cb523c6ae8", "6b2e8e69d887", ("agent", "recipient")),
    "14": ("3e6c382b0e0b", "17e376cf6236", ("agent", "recipient")),
    "18": ("286fff745186", "6f76621221b3", ("agent", "recipient")),
}


def test_rows_of_cogs_that_were_picked_by_hand(cogs):
    lines = list(TextFile(real("cogs") / "train.tsv"))
    rows = {each.id: each for each in cogs["formula"].items}
    for row, (sentence, form, roles) in COGS_ROWS.items():
        found = rows[row]
        assert (hashed(found.text), hashed(str(found.form))) == (sentence, form)
        assert lines[int(row) - 1].split("\t")[:2] == [found.text, str(found.form)]
        assert tuple(role for name in found.form.names() for role in found.form.roles(name)) == roles
    assert cogs["formula"].hash.startswith("1b4e3bebe13b")


def test_names_of_a_real_form_change_places_in_the_form_alone(cogs):
    pairs = {c.id: c for c in declared("semantics/similarity", data=cogs).sets["two-names"]}
    rows = {each.id: each for each in cogs["formula"].items}
    for row in COGS_ROWS:
        first, second = rows[row].form.names()
        swapped = pairs[row].text("formula").replace(first, "?").replace(second, first).replace("?", second)
        assert pairs[row].contrasts["swapped"].text("formula") == swapped and pairs[row].text("en") == rows[row].text
        assert set(pairs[row].contrasts["swapped"].forms) == {"formula"}


def test_what_the_tasks_on_forms_keep_of_cogs_and_why_they_drop_the_rest(cogs):
    paper, sound = (declared("semantics/similarity", protocol, data=cogs) for protocol in ("paper", "sound"))
    assert tally(paper, Result(())) == [
        {"of": "items (rows)", "given": 24_012, "kept": 9_939, "left_out": {"beyond the limit": 14_073}},
        {"of": "items (two-names)", "given": 24_012, "kept": 2_233, "left_out": {"has not exactly two proper names": 21_779}},
    ]
    (told,) = tally(sound, Result(()))
    assert told["left_out"] == {"has not exactly two proper names": 21_779, "beyond the limit": 1_833} and told["kept"] == 400
    roles = declared("semantics/role-lens", data=cogs)
    assert len(roles.sets[None]) == 7_988
    assert reasons(roles.left_out[None]) == {"no proper name": 10_843, "the name opens the sentence": 7_559}
    places = {mark.id: mark.type for mark in roles.sets[None] if mark.id.split(":")[0] in COGS_ROWS}
    assert places == {"5:5": "recipient", "5:7": "agent", "12:2": "recipient", "14:2": "recipient", "18:8": "recipient"}
    assert {id for id in roles.left_out[None] if id.split(":")[0] in COGS_ROWS} == {"12:0", "14:0", "18:0"}


# MBPP: programs ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mbpp():
    return {"code": read_source("code", real("mbpp"))}


MBPP_PROGRAMS = {"2": "e6766631df9e", "11": "40106cf3ba07", "14": "6029b3f8b145"}


def test_programs_of_mbpp_that_were_picked_by_hand(mbpp):
    """Read by eye: 2 calls tuple and set, 11 loops over two ranges, of one argument and of three; none writes a list; 14 calls nothing."""
    programs = {each.id: each for each in mbpp["code"].items}
    assert {id: hashed(programs[id].code) for id in MBPP_PROGRAMS} == MBPP_PROGRAMS
    of = lambda ask, id: [mark for mark in ask.sets[None] if mark.id.split(":")[0] == id]  # noqa: E731
    roles = declared("code/role-lens", data=mbpp)
    names = {id: Counter(mark.words["en"][0] for mark in of(roles, id)) for id in MBPP_PROGRAMS}
    assert names == {"2": {"iterable": 3}, "11": {"start": 1, "stop": 2, "step": 1, "object": 2}, "14": {}}
    assert roles.left_out[None]["14"] == "no call by name whose parameters are known"
    lists = declared("code/conjunction-lens", data=mbpp)
    assert not any(of(lists, id) for id in MBPP_PROGRAMS) and {lists.left_out[None][id] for id in MBPP_PROGRAMS} == {"no comma in a list"}
    (prompt,) = (each for each in declared("code/intervention", data=mbpp).prompts if each.facets["source"] == "11")
    assert prompt.text.endswith("range(") and programs["11"].code.startswith(prompt.text) and programs["11"].code.count("range(") == 2


def test_what_the_tasks_on_programs_keep_of_mbpp_and_why_they_drop_the_rest(mbpp):
    assert mbpp["code"].counts == {"rows": 974, "kept": 974} and mbpp["code"].hash.startswith("c342dd06d437")
    lists, roles = declared("code/conjunction-lens", data=mbpp), declared("code/role-lens", data=mbpp)
    assert len(lists.sets[None]) == 10_085 and reasons(lists.left_out[None]) == {"no comma in a list": 527}
    assert len(roles.sets[None]) == 1_363 and reasons(roles.left_out[None]) == {
        "no call by name whose parameters are known": 499,
        "the argument is called as its parameter": 47,
        "more than one space before the argument": 2,
    }
    assert declared("code/intervention", data=mbpp).left_out == {
        "no range with one argument": 861,
        "white space between range and its bracket": 1,
    }
    sound = declared("code/conjunction-lens", "sound", data=mbpp)
    assert reasons(sound.left_out["list"]) == {"no comma in a list": 527} and len(sound.sets["list"]) == 10_085
    assert reasons(sound.left_out["call"]) == {"no comma in a call": 323} and len(sound.sets["call"]) == 2_466 and sound.most == 2_000
    few = declared("code/role-lens", data=mbpp, limit=100)
    assert len(few.sets[None]) == 1_363 and few.most == 100


# CC-CEDICT: words in lines of Chinese --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cedict():
    return {"cedict": read_source("cedict", real("cedict"))}


@pytest.fixture(scope="module")
def tatoeba():
    return read_pairs(real("tatoeba") / "cmn-eng.txt", types=["en", "zh"])


def test_the_dictionary_comes_to_the_paper_lens_whole(pud, cedict):
    counts = cedict["cedict"].counts
    assert counts == {"rows": 123_067, "kept": 122_006, "left out: nothing left of the gloss": 315, "left out: surname": 746}
    assert cedict["cedict"].hash.startswith("d77f6d4c54fd")
    assert cedict["cedict"].notices[0].endswith("semicolons, as in the paper's release, and so no single token: 8,560")
    ask = declared("multilingual/lens", pairs=pud, data=cedict)
    assert ask.lines == [c.text("zh") for c in pud.concepts] and len(ask.glosses) == 119_033
    for word, gloss in (("狗", "dog"), ("中国", "China"), ("月亮", "the moon"), ("红", "red")):
        assert gloss in ask.glosses[word], "looked up by hand"
    assert len(declared("multilingual/lens", pairs=pud, data=cedict, limit=40).lines) == 40
    assert find("multilingual/lens").unsuited("paper", given(pairs=pud)).startswith("in the paper's protocol needs CC-CEDICT")


@pytest.fixture(scope="module")
def reader(tatoeba):
    """A tiny random network whose tokens were trained on the lines that it reads."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split("。", "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    raw.decoder = decoders.ByteLevel()
    texts = [concept.text(type) for concept in tatoeba.concepts[:2000] for type in ("en", "zh")]
    raw.train_from_iterator(texts, trainer(3000, pre_tokenizers.ByteLevel.alphabet()))
    words = finished(raw, bos=False)
    return semhub.load(built(configured("qwen2", vocab_size=len(words), max_position_embeddings=256)), words, prove=False)


def test_every_line_and_word_of_real_chinese_is_kept_or_dropped_for_a_reason(tatoeba, cedict, reader):
    result = perform("multilingual/lens", reader, protocol="paper", pairs=tatoeba, data=cedict, limit=200)
    lines, words = result.extras["tally"]
    assert (lines["of"], lines["given"], words["of"]) == ("lines", 200, "words")
    assert set(words["left_out"]) <= {"no gloss", "not one token", "no gloss of one token", "position 0"}
    assert 0 < words["kept"] < words["given"] and words["left_out"]["no gloss"] and words["left_out"]["not one token"]
    assert set(lines["left_out"]) <= {"ambiguous offsets", "no usable word"} and lines["kept"] + sum(lines["left_out"].values()) == 200
    told = [concept.text("zh") for concept in tatoeba.concepts[:200]]
    plain = [line for line, seen in zip(told, reader.encode(told), strict=True) if not ambiguous(seen.offsets)]
    assert lines["left_out"]["ambiguous offsets"] == 200 - len(plain) < 50
    every = [word for line in plain for word in cut(line)]
    known = cedict["cedict"].items
    assert words["given"] == len(every) and words["left_out"]["no gloss"] == sum(word not in known for word in every)
    assert {row.n for row in result.readings if row.measure == "logprob"} == {words["kept"]}


# spoken digits -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits():
    return {"spoken-digits": read_source("spoken-digits", real("fsdd"))}


def test_spoken_digits_are_what_their_own_list_says(digits):
    found = {clip.id: clip for clip in digits["spoken-digits"].items}
    with open(real("fsdd") / "labels.tsv", encoding="utf-8") as file:
        listed = {row["file"].split("/")[1].removesuffix(".wav"): row for row in csv.DictReader(file, delimiter="\t")}
    words = list(DIGITS)
    assert {id: (words[int(row["digit"])], row["speaker"]) for id, row in listed.items()} == {
        id: (clip.label, clip.source) for id, clip in found.items()
    }
    assert Counter(clip.label for clip in found.values()) == dict.fromkeys(words, 60)
    assert digits["spoken-digits"].hash.startswith("c11aba085ccf")
    for id in ("0_george_0", "7_jackson_0", "9_yweweler_9"):
        with wave.open(str(real("fsdd") / "recordings" / f"{id}.wav")) as file:
            media = found[id].media
            assert (media.rate, len(media.data)) == (file.getframerate(), file.getnframes())
            first = int.from_bytes(file.readframes(1), "little", signed=True)
            assert media.data[0] == first / 2**15


def test_what_the_tasks_on_sounds_keep_of_the_digits_and_why_they_drop_the_rest(digits):
    one = declared("audio/similarity", data=digits)
    assert Counter(concept.facets["label"] for concept in one.sets[None]) == dict.fromkeys(DIGITS, 60), "in paper every clip counts"
    assert tally(one, Result(())) == [{"of": "items", "given": 600, "kept": 600, "left_out": {}}]
    (several,) = tally(declared("audio/similarity", "sound", data=digits), Result(()))
    assert several["given"] == 600 and set(several["left_out"]) <= {"another sound of the same label"}
    seen = declared("audio/lens", data=digits)
    assert len(seen.sets[None]) == 600 and not any(seen.left_out.values())
    picked = next(sight for sight in seen.sets[None] if sight.id == "7_jackson_0")
    assert [look.word for look in picked.words["en"]] == ["seven"] and picked.wrong["wrong-word"]["en"][0].word != "seven"
    few = declared("audio/lens", data=digits, limit=50)
    assert len(few.sets[None]) == 50 and few.left_out == {"beyond the limit": 550}
    assert find("audio/intervention").unsuited("paper", given(data=digits)).startswith("needs two mammals and two other animals")


# COCO: photos --------------------------------------------------------------------------------------------------------


COCO_CAPTIONS = {"397133": "aad3863ebcc5", "349860": "de8435170667", "475678": "f4c0c39ab12c"}


def test_photos_that_were_picked_by_hand_and_what_the_loader_counts():
    found = read_source("coco", real("coco_mini"))
    photos = {photo.id: photo for photo in found.items}
    assert found.counts == {"rows": 39, "kept": 39, "with a map": 0} and found.hash.startswith("4989c6f2fce0")
    assert {id: hashed(photos[id].caption) for id in COCO_CAPTIONS} == COCO_CAPTIONS
    for id in COCO_CAPTIONS:
        image = (real("coco_mini") / "images" / f"{int(id):012}.jpg").read_bytes()
        assert photos[id].content == hashlib.sha256(image).hexdigest() and photos[id].media.data.shape[2] == 3
    assert "Attribution License (23)" in found.licence and "Attribution-ShareAlike License (16)" in found.licence
    if "a list of" in found.notices[0]:
        assert sum(not photo.nouns for photo in found.items) == 3 and photos["397133"].nouns == ("man", "kitchen", "pizzas")
