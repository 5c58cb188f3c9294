"""The world's grammar against tables written by hand, its splits, and the promise that languages share no content word."""

import re
from collections import Counter
from random import Random

import pytest

from semhub.data import world
from semhub.data.world import chinese, english, german, lexicon, meanings, spanish
from semhub.errors import UnknownName

KINDS = ("animal", "person", "food", "thing", "instrument", "drink", "clothing", "plant")


def being(key):
    return next(noun for noun in lexicon.beings() if noun.key == key)


def verb(key):
    return next(entry for entry in lexicon.verbs() if entry.key == key)


def adjective(key):
    return next(entry for entry in lexicon.adjectives() if entry.key == key)


def place(key):
    return next(entry for entry in lexicon.places() if entry.key == key)


def phrase(noun, definite=True, adjective_key=None):
    return meanings.Phrase(being(noun), definite, adjective(adjective_key) if adjective_key else None)


# German endings, written out from a school grammar: (definite, case, gender) -> article and adjective.
GERMAN = [
    (True, "nom", "wolf", "der alte Wolf"),
    (True, "nom", "cat", "die alte Katze"),
    (True, "nom", "horse", "das alte Pferd"),
    (True, "acc", "wolf", "den alten Wolf"),
    (True, "acc", "cat", "die alte Katze"),
    (True, "acc", "horse", "das alte Pferd"),
    (False, "nom", "wolf", "ein alter Wolf"),
    (False, "nom", "cat", "eine alte Katze"),
    (False, "nom", "horse", "ein altes Pferd"),
    (False, "acc", "wolf", "einen alten Wolf"),
    (False, "acc", "cat", "eine alte Katze"),
    (False, "acc", "horse", "ein altes Pferd"),
    (True, "acc", "lion", "den alten Löwen"),
    (False, "acc", "farmer", "einen alten Bauern"),
    (False, "acc", "bear", "einen alten Bären"),
]


@pytest.mark.parametrize(("definite", "case", "noun", "expected"), GERMAN)
def test_german_cases_and_endings(definite, case, noun, expected):
    assert german.phrase(phrase(noun, definite, "old"), case, {}) == expected


def test_german_adjectives_in_e_take_no_second_e():
    assert german.phrase(phrase("wolf", False, "tired"), "nom", {}) == "ein müder Wolf"


@pytest.mark.parametrize(
    ("noun", "definite", "adjective_key", "expected"),
    [
        ("dog", True, "old", "el perro viejo"),
        ("cat", True, "old", "la gata vieja"),
        ("dog", False, "clever", "un perro listo"),
        ("queen", False, "clever", "una reina lista"),
        ("queen", True, "happy", "la reina feliz"),
    ],
)
def test_spanish_agrees_in_gender(noun, definite, adjective_key, expected):
    assert spanish.phrase(phrase(noun, definite, adjective_key), {}) == expected


def test_spanish_personal_a_melts_with_el():
    scene = meanings.Scene(phrase("cat"), verb("sees"), phrase("dog"))
    assert spanish.scene(scene) == "La gata ve al perro."
    assert spanish.scene(scene.swapped()) == "El perro ve a la gata."


def test_no_spanish_feminine_noun_begins_with_a_stressed_a():
    """Such nouns take "el" (el águila); the renderer has no rule for them, so the lexicon must have none."""
    bare = ("food", "drink")  # eaten and drunk without an article
    told = (noun for name, kind in lexicon.entries().items() if name not in bare for noun in kind)
    feminine = [noun.es for noun in told if getattr(noun, "es_gender", "") == "f"]
    assert not [word for word in feminine if word.startswith(("á", "há")) or word in {"agua", "alma", "hacha", "arpa", "ave"}]


def test_english_a_and_an():
    assert [english.indefinite(word) for word in ("owl", "dog", "uncle", "young", "hungry")] == ["an", "a", "an", "a", "a"]


# Genders as a school dictionary gives them; a word that is in no list is masculine in Spanish, and nothing in German.
SPANISH_FEMININE = """gata vaca oveja cabra gallina ardilla serpiente rana tortuga ballena araña abeja mariposa reina enfermera pintora
cantante bailarina bruja muchacha mujer madre hermana tía abuela prima miel sopa carne ensalada aguja llave lámpara silla cuerda cesta
escalera guitarra flauta trompeta armónica agua leche cerveza limonada bufanda camisa falda corona máscara margarita palmera"""
GERMAN_GENDERS = {
    "m": """Hund Vogel Falke Schwan Wolf Fuchs Bär Löwe Tiger Affe Elefant Hirsch Igel Frosch Wal Hai Delfin Krake Krebs Schmetterling König
    Bauer Metzger Arzt Lehrer Soldat Matrose Jäger Koch Schriftsteller Richter Priester Dieb Bettler Mann Vater Bruder Onkel Nachbar Gast
    Fahrer Hirte Gärtner Tischler Fischer Prinz Käse Honig Reis Kuchen Knoblauch Salat Mais Schinken Kohl Schlüssel Stuhl Spiegel Korb
    Regenschirm Tee Kaffee Saft Wein Kakao Essig Hut Mantel Schal Rock Gürtel Handschuh Bambus""",
    "f": """Katze Kuh Ziege Ente Gans Henne Eule Krähe Maus Schlange Schildkröte Spinne Biene Königin Krankenschwester Malerin Sängerin
    Tänzerin Hexe Frau Mutter Schwester Tante Großmutter Cousine Suppe Nadel Leuchte Leiter Gitarre Geige Trommel Flöte Trompete Orgel
    Mundharmonika Klarinette Milch Limonade Krone Maske Weste Tulpe Eiche Kiefer Lilie Sonnenblume Weide Distel Palme""",
    "n": """Pferd Schaf Schwein Kamel Kaninchen Eichhörnchen Krokodil Kind Mädchen Brot Fleisch Boot Buch Messer Seil Akkordeon Xylophon
    Wasser Bier Hemd Gänseblümchen""",
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_noun_has_the_gender_that_a_dictionary_gives_it(kind):
    feminine, gender = set(SPANISH_FEMININE.split()), {word: g for g, words in GERMAN_GENDERS.items() for word in words.split()}
    assert [(n.es, n.es_gender) for n in lexicon.nouns(kind)] == [(n.es, "f" if n.es in feminine else "m") for n in lexicon.nouns(kind)]
    assert [(n.de, n.de_gender) for n in lexicon.nouns(kind)] == [(n.de, gender.get(n.de)) for n in lexicon.nouns(kind)]


# Which things Chinese counts by which word, as a dictionary of classifiers lists them; most things take several.
CLASSIFIERS = {
    "只": "狗 猫 绵羊 山羊 鸭子 鹅 母鸡 鸟 猫头鹰 猎鹰 乌鸦 天鹅 狼 狐狸 熊 老虎 "
    "猴子 狮子 鹿 兔子 老鼠 松鼠 刺猬 青蛙 乌龟 海豚 章鱼 螃蟹 蜘蛛 蜜蜂 蝴蝶 手套 篮子",
    "匹": "马 狼 骆驼",
    "头": "母牛 猪 熊 狮子 大象 骆驼 鹿 鲸鱼 海豚 绵羊 山羊 大蒜",
    "条": "蛇 鳄鱼 鲨鱼 鲸鱼 海豚 章鱼 狗 船 绳子 围巾 裙子 腰带",
    "位": "国王 女王 医生 护士 老师 画家 歌手 舞者 作家 法官 牧师 母亲 父亲 叔叔 阿姨 奶奶 客人 司机 王子 农民 士兵 猎人 厨师",
    "个": "农民 屠夫 士兵 水手 猎人 厨师 女巫 小偷 乞丐 孩子 女孩 男人 女人 哥哥 姐姐 表妹 邻居 牧羊人 园丁 木匠 渔夫 篮子 面具 喇叭",
    "块": "面包 奶酪 肉 蛋糕 火腿",
    "瓶": "蜂蜜 醋 牛奶 葡萄酒 啤酒 果汁 水",
    "碗": "汤 米饭",
    "份": "沙拉",
    "根": "玉米 针 绳子 竹子",
    "棵": "白菜 橡树 松树 柳树 蓟 棕榈树",
    "把": "钥匙 椅子 刀 雨伞 吉他 小提琴 口琴",
    "盏": "灯",
    "本": "书",
    "面": "镜子 鼓",
    "架": "梯子 手风琴 风琴 木琴",
    "支": "长笛 单簧管 喇叭",
    "杯": "水 牛奶 茶 咖啡 果汁 葡萄酒 啤酒 柠檬水 可可",
    "顶": "帽子 王冠",
    "件": "大衣 衬衫 背心",
    "朵": "郁金香 百合 雏菊 向日葵",
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_chinese_noun_is_counted_by_a_word_that_a_dictionary_gives_it(kind):
    allowed = {(classifier, noun) for classifier, nouns in CLASSIFIERS.items() for noun in nouns.split()}
    assert not [noun.zh for noun in lexicon.nouns(kind) if (noun.classifier, noun.zh) not in allowed]
    assert [chinese.phrase(meanings.Phrase(noun, False), {}) for noun in lexicon.nouns(kind)] == [
        f"一{noun.classifier}{noun.zh}" for noun in lexicon.nouns(kind)
    ]


def test_chinese_classifiers_and_place_before_the_verb():
    scene = meanings.Scene(phrase("horse", False), verb("sees"), phrase("king", True, "old"), place("forest"))
    assert chinese.scene(scene) == "一匹马在森林里看见了那位老国王。"


@pytest.mark.parametrize(
    ("n", "word"),
    [(1, "一"), (10, "十"), (12, "十二"), (20, "二十"), (35, "三十五"), (99, "九十九"), (100, "一百"), (101, "一百零一")],
)
def test_chinese_numbers(n, word):
    assert chinese.number(n) == word


def test_numbers_in_every_language():
    sum_ = meanings.Sum(21, "+", 5)
    assert world.equation("digits", sum_) == "26=21+5"
    assert world.equation("en", sum_) == "twenty-six equals twenty-one plus five"
    assert world.equation("es", sum_) == "veintiséis es igual a veintiuno más cinco"
    assert world.equation("de", sum_) == "sechsundzwanzig ist gleich einundzwanzig plus fünf"
    assert world.equation("zh", sum_) == "二十六等于二十一加五"


def test_a_switched_word_stands_where_its_translation_stood():
    scene = meanings.Scene(phrase("cat"), verb("sees"), phrase("dog", True, "old"))
    assert english.scene(scene, {"dog": "perro"}) == "The cat sees the old perro."
    assert chinese.scene(scene, {"dog": "dog"}) == "那只猫看见了那只老 dog。"
    assert german.scene(scene, {"sees": "sees", "dog": "dog"}) == "Die Katze sees den alten dog."


def test_no_content_word_is_spelled_alike_in_two_languages():
    spelled = Counter()
    for kind in lexicon.entries().values():
        for entry in kind:
            spelled.update({getattr(entry, language) for language in world.LANGUAGES})
    assert [word for word, n in spelled.items() if n > 1] == []


def test_every_concept_has_one_key_and_one_word_per_language():
    entries = [entry for kind in lexicon.entries().values() for entry in kind]
    for language in ("key", *world.LANGUAGES):
        words = [getattr(entry, language) for entry in entries]
        assert [word for word, n in Counter(words).items() if n > 1] == [], language


def test_scenes_are_of_their_split_and_carry_their_negatives():
    scenes = world.scenes(200, "test")
    assert len({scene.id for scene in scenes}) == 200
    for scene in scenes:
        swapped, other = scene.contrasts["swapped"], scene.contrasts["same-last-word"]
        for language in world.LANGUAGES:
            assert Counter(_stems(language, scene.text(language))) == Counter(_stems(language, swapped.text(language)))
            assert scene.text(language) != swapped.text(language)
            assert scene.text(language)[-2:] == other.text(language)[-2:]
        changed = scene.contrasts.get("changed-entity")
        if changed:
            beings = [set(_stems("en", each.text("en"))) for each in (scene, changed)]
            assert len(beings[0] & beings[1]) == 1 and changed.text("en").split()[-1] == scene.text("en").split()[-1]
        assert meanings.split_of(scene.facets["source"]) == "test"
    assert sum("changed-entity" in scene.contrasts for scene in scenes) > 150


def _stems(language, text):
    """Content beings of a sentence, whatever their case: the swapped scene must name the same two."""
    words = {getattr(noun, language): noun.key for noun in lexicon.beings()}
    if language == "de":
        words |= {noun.de_acc: noun.key for noun in lexicon.beings()}
    if language == "zh":
        return re.findall("|".join(sorted(words, key=len, reverse=True)), text)
    return [words[word] for word in re.findall(r"\w+", text) if word in words]


def test_splits_share_no_scene_and_hold_out_swapped_twins_together():
    rng = Random(0)
    for _ in range(300):
        scene = meanings.scene(rng, "dev")
        assert meanings.split_of(scene.swapped().key) == "dev"
    train = {scene.facets["source"] for scene in world.scenes(400, "train")}
    test = {scene.facets["source"] for scene in world.scenes(400, "test")}
    assert not train & test


def test_a_fifth_of_the_concepts_of_every_kind_is_never_bridged():
    for kind, entries in lexicon.entries().items():
        never = [entry for entry in entries if entry.key in meanings.never_bridged()]
        assert len(never) == round(len(entries) / 5), kind


def test_never_bridged_scenes_consist_of_such_words_alone():
    for scene in world.scenes(100, "test", bridged=False):
        assert scene.facets["bridged"] == "never"
        assert not [key for key in scene.id.split("-")[:-1] if key not in meanings.never_bridged()]


def test_questions_ask_in_one_type_and_answer_in_all():
    questions = world.questions(split="test", prompts=("es",))
    assert len(questions) == sum(meanings.fact_split(fact) == "test" for fact in meanings.facts())
    first = questions[0]
    assert first.type == "es" and first.prompt.endswith("Respuesta:")
    assert set(first.targets) == set(first.wrong) == set(world.LANGUAGES)
    for language in world.LANGUAGES:
        assert first.targets[language][0] not in first.wrong[language]


def test_the_papers_arithmetic_items():
    assert len(world.sums("+")) == 846
    assert len(world.sums("*")) == 277


def test_reviews_say_what_they_feel():
    good = {word for entry in lexicon.judgements(True) for word in (entry.es, entry.es_f)} | {"Bueno"}
    bad = {word for entry in lexicon.judgements(False) for word in (entry.es, entry.es_f)} | {"Malo"}
    for text, label in world.labelled_reviews(200, "test", "es"):
        words = re.findall(r"\w+", text)
        praise, blame = sum(word in good for word in words), sum(word in bad for word in words)
        assert (praise > blame) == bool(label) or abs(praise - blame) <= 1


def test_an_unknown_language_names_the_known_ones():
    with pytest.raises(UnknownName, match="'fr'"):
        world.probe("fr")


def test_the_same_seed_gives_the_same_items():
    assert [scene.id for scene in world.scenes(50, "dev", seed=3)] == [scene.id for scene in world.scenes(50, "dev", seed=3)]
    assert [scene.id for scene in world.scenes(50, "dev", seed=3)] != [scene.id for scene in world.scenes(50, "dev", seed=4)]
