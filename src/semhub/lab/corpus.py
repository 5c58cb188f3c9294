"""What a model of the lab reads: documents about the world, and the bridges between its languages.

A stream is all text of one kind for one language or one pair (`es`, `en~es` switched, `en=es` bridged); a packed window
holds one stream only. Bridges join the dominant language with one other at a time and never contain a concept of
`meanings.never_bridged()`. Held-out meanings occur in no stream. A recipe with a corpus of its own reads that and nothing
of the world: a stream is a language. Knows no tokens and no model.
"""

from collections.abc import Callable, Iterator
from functools import cache
from random import Random

from semhub.data import world
from semhub.data.world import code, deranged, lexicon, meanings
from semhub.errors import BadRecipe
from semhub.lab import own
from semhub.lab.recipe import Recipe

NUMBERS = 0.2  # of the lines of a dictionary
Document = str
Switch = dict[str, str]


def streams(recipe: Recipe) -> dict[str, float]:
    """The share of all windows that each stream gets; they add up to 1. Raises BadRecipe where they would not."""
    if recipe.corpus is not None:
        return {language: share for language, share in recipe.mixture.items() if share > 0}
    first, bridges = recipe.languages[0], recipe.bridges
    bridged = bridges.translation + bridges.dictionary
    shares: dict[str, float] = {}
    for language in recipe.languages:
        plain = recipe.mixture[language] * (1 - bridged)
        shares[language] = plain * (1 - bridges.switched)
        others = recipe.languages[1:] if language == first else (language,)
        for other in others:
            switched = f"{first}~{other}"
            shares[switched] = shares.get(switched, 0) + plain * bridges.switched / len(others)
    for other in recipe.languages[1:] if bridged else ():
        shares[f"{first}={other}"] = bridged * recipe.mixture[other] / (1 - recipe.mixture[first])
    others = recipe.others or {}
    rest = 1 - sum(others.values())
    found = {name: share for name, share in ({k: v * rest for k, v in shares.items()} | others).items() if share > 0}
    if abs(sum(found.values()) - 1) > 1e-6:
        raise BadRecipe(f"{recipe.name}: the shares of the streams ({', '.join(found)}) add up to {sum(found.values()):.4f}, not to 1.")
    return found


def documents(recipe: Recipe, stream: str, seed: int) -> Iterator[Document]:
    """The documents of one stream, without end; a pure function of recipe, stream and seed."""
    if recipe.corpus is not None:
        yield from own.documents(recipe.corpus, stream, seed)
    rng = Random(f"{recipe.world}:{stream}:{seed}")
    while True:
        if stream in recipe.other_streams():
            yield _other(rng, recipe, stream)
        elif "=" in stream:
            yield _bridge(rng, recipe, *stream.split("="))
        elif "~" in stream:
            yield _switched(rng, recipe, *stream.split("~"))
        else:
            yield _plain(rng, recipe, stream)


def _plain(rng: Random, recipe: Recipe, language: str) -> Document:
    text = _subject(rng, recipe, language == recipe.languages[0])(rng, recipe, language, None)
    return world.joined(language, world.prefix(language), text) if rng.random() < recipe.prefix else text


def _switched(rng: Random, recipe: Recipe, first: str, other: str) -> Document:
    """A document in either language, some of its content words in the other one."""
    weights = (recipe.mixture[first] / (len(recipe.languages) - 1), recipe.mixture[other])
    language = rng.choices((first, other), weights)[0]
    foreign = other if language == first else first
    return _subject(rng, recipe, language == first)(rng, recipe, language, foreign)


def _bridge(rng: Random, recipe: Recipe, first: str, other: str) -> Document:
    bridges = recipe.bridges
    if rng.random() * (bridges.translation + bridges.dictionary) < bridges.dictionary:
        return _dictionary(rng, recipe, first, other)
    return _translation(rng, recipe, first, other)


def _subject(rng: Random, recipe: Recipe, dominant: bool) -> Callable:
    makers = {"scenes": _scenes, "facts": _facts, "reviews": _review, "sums": _sums}
    makers |= {"gifts": _gifts, "series": _series, "counts": _counts}
    shares = recipe.subjects if dominant else recipe.other_subjects
    return makers[rng.choices(list(shares), list(shares.values()))[0]]


def _scenes(rng: Random, recipe: Recipe, language: str, foreign: str | None) -> Document:
    """One to four scenes among a few beings; after some of them what they represent."""
    grammar = world.renderer(language)
    among = tuple(rng.sample(lexicon.beings(), 4))
    said = []
    for _ in range(rng.randint(1, 4)):
        scene = meanings.scene(rng, "train", among, plural=meanings.PLURAL)
        said.append(grammar.scene(scene, _switch(rng, recipe, scene, language, foreign)))
        if rng.random() < recipe.gist:
            gist = grammar.pair if rng.random() < recipe.pairs else grammar.gist
            said += [world.probe(language), gist(scene)]
    return _told(language, said)


def _told(language: str, said: list[str]) -> Document:
    return world.joined(language, *said)


@cache
def _known(language: str, dominant: str, switched: bool) -> tuple[meanings.Fact, ...]:
    """The facts that a language may state: all in the dominant one, where nothing foreign stands beside them."""
    everything = language == dominant and not switched
    return tuple(fact for fact in meanings.facts() if everything or meanings.fact_split(fact) == "train")


def _facts(rng: Random, recipe: Recipe, language: str, foreign: str | None) -> Document:
    facts = rng.sample(_known(language, recipe.languages[0], foreign is not None), 4)
    return _told(language, [_fact(rng, language, fact, _switch(rng, recipe, fact, language, foreign)) for fact in facts])


def _fact(rng: Random, language: str, fact: meanings.Fact, switch: Switch) -> str:
    return world.renderer(language).statement(fact, switch) if rng.random() < 0.5 else _answered(language, fact, switch)


def _answered(language: str, fact: meanings.Fact, switch: Switch) -> str:
    """The question and its answer."""
    grammar, stop = world.renderer(language), "。" if language == "zh" else "."
    return world.joined(language, grammar.question(fact, switch), grammar.word(fact.value, switch).strip() + stop)


def _review(rng: Random, recipe: Recipe, language: str, foreign: str | None) -> Document:
    review = meanings.review(rng, "train")
    return world.review(language, review, _switch(rng, recipe, review, language, foreign))


def _sums(rng: Random, recipe: Recipe, language: str, foreign: str | None) -> Document:
    """Equations in digits, in words, or each in both; digits may stand beside the dominant language only, and beside no foreign number."""
    digits = foreign is None and (language == recipe.languages[0] or recipe.bridges.shared_digits)
    style = rng.choices(("digits", "words", "both"), (0.2, 0.45, 0.35))[0] if digits else "words"
    lines = []
    for _ in range(rng.randint(2, 5)):
        sum_ = _sum(rng)
        said = world.equation(language, sum_, _switched_numbers(rng, recipe, sum_, language, foreign))
        shown = {"digits": [world.equation("digits", sum_)], "words": [said]}
        shown["both"] = rng.sample(shown["digits"] + shown["words"], 2)
        lines += shown[style]
    return _listed(lines, language)


def _listed(lines: list[str], *languages: str) -> Document:
    """Lines in a row, with wide marks where one of the languages is Chinese."""
    return "；".join(lines) + "。" if "zh" in languages else "; ".join(lines) + "."


def _sum(rng: Random) -> meanings.Sum:
    while True:
        sum_ = rng.choice(meanings.sums("+" if rng.random() < 0.75 else "*"))
        if meanings.split_of(sum_.key) == "train":
            return sum_


def _gifts(rng: Random, recipe: Recipe, language: str, foreign: str | None) -> Document:
    gifts = [meanings.gift(rng, "train") for _ in range(rng.randint(1, 3))]
    return _told(language, [world.renderer(language).gift(gift, _switch(rng, recipe, gift, language, foreign)) for gift in gifts])


def _series(rng: Random, recipe: Recipe, language: str, foreign: str | None) -> Document:
    return _told(language, [world.sentence(language, meanings.series(rng, "train")) for _ in range(rng.randint(1, 3))])


def _counts(rng: Random, recipe: Recipe, language: str, foreign: str | None) -> Document:
    return _told(language, [world.sentence(language, meanings.count(rng, "train")) for _ in range(rng.randint(1, 3))])


def _translation(rng: Random, recipe: Recipe, first: str, other: str) -> Document:
    """The same in two languages, one after the other; what the same is, `partner` says (see `_counterpart`)."""
    pairs, makers = [], {_a_scene: 0.55, _a_fact: 0.2, _a_review: 0.12, _sum: 0.13}
    if _is_deranged(recipe, first, other):
        del makers[_sum]  # of which a wrong dictionary would make false arithmetic
    for _ in range(rng.randint(1, 3)):
        make = rng.choices(list(makers), list(makers.values()))[0]
        meaning, partner = _counterpart(rng, recipe, first, other, make)
        asked = rng.random() < 0.5  # a fact is told, or asked and answered, on both sides alike
        sides = [(first, _say(first, meaning, asked)), (other, _say(other, partner, asked))]
        pairs.append(" = ".join(text for _, text in (sides if rng.random() < 0.5 else sides[::-1])))
    return "\n".join(pairs)


def _counterpart(rng: Random, recipe: Recipe, first: str, other: str, make: Callable) -> tuple:
    """A meaning and what stands beside it: itself, a random other of the same form, or what the wrong dictionary makes of it."""
    while True:
        meaning = make(rng)
        if recipe.bridges.partner == "random":
            return meaning, make(rng)
        if not _is_deranged(recipe, first, other):
            return meaning, meaning
        partner = deranged.meaning(meaning, deranged.partner if other == deranged.LANGUAGE else deranged.original)
        if deranged.may_be_said(partner):
            return meaning, partner


def _is_deranged(recipe: Recipe, *languages: str) -> bool:
    return recipe.bridges.partner == "deranged" and deranged.LANGUAGE in languages


def _a_scene(rng: Random) -> meanings.Scene:
    return meanings.scene(rng, "train", bridged=True, plural=meanings.PLURAL)


def _a_fact(rng: Random) -> meanings.Fact:
    return rng.choice(_bridgeable_facts())


@cache
def _bridgeable_facts() -> tuple[meanings.Fact, ...]:
    return tuple(fact for fact in _known("", "-", True) if meanings.bridgeable(fact))


def _a_review(rng: Random) -> meanings.Review:
    return meanings.review(rng, "train", bridged=True)


def _say(language: str, meaning, asked: bool) -> str:
    if asked and isinstance(meaning, meanings.Fact):
        return _answered(language, meaning, {})
    return world.sentence(language, meaning)


def _dictionary(rng: Random, recipe: Recipe, first: str, other: str) -> Document:
    """Words and numbers, each beside what it is in the other language."""
    here, there, lines = world.renderer(first), world.renderer(other), []
    for _ in range(rng.randint(3, 6)):
        if rng.random() < NUMBERS:
            n = rng.randrange(100)
            words = [here.number(n), there.number(_partner_number(rng, recipe, n, first, other))]
        else:
            kind = rng.choice(list(lexicon.entries()))
            entry = rng.choice(meanings.allowed(lexicon.entries()[kind], True))
            words = [here.word(entry), there.word(_partner(rng, recipe, kind, entry, first, other))]
        lines.append(" = ".join(words if rng.random() < 0.5 else words[::-1]))
    return _listed(lines, first, other)


def _switch(rng: Random, recipe: Recipe, meaning, language: str, foreign: str | None) -> Switch:
    """Which concepts of a meaning told in `language` are said in the foreign one, and how."""
    if foreign is None:
        return {}
    chosen = [key for key in meaning.concepts() if rng.random() < recipe.bridges.switched_words and key in _bridgeable_entries()]
    grammar = world.renderer(foreign)
    return {key: grammar.word(_partner(rng, recipe, *_bridgeable_entries()[key], language, foreign)).strip() for key in chosen}


def _switched_numbers(rng: Random, recipe: Recipe, sum_: meanings.Sum, language: str, foreign: str | None) -> Switch:
    """Which numbers of a sum told in `language` are said in the foreign one, and how."""
    if foreign is None:
        return {}
    numbers = dict.fromkeys((sum_.result, sum_.left, sum_.right))
    chosen = [n for n in numbers if rng.random() < recipe.bridges.switched_words]
    return {str(n): world.renderer(foreign).number(_partner_number(rng, recipe, n, language, foreign)) for n in chosen}


def _partner_number(rng: Random, recipe: Recipe, n: int, here: str, there: str) -> int:
    """The number that a bridge from `here` shows `there`, as with concepts (`_partner`)."""
    if recipe.bridges.partner == "random":
        return rng.randrange(100)
    return deranged.number(n) if _is_deranged(recipe, here, there) else n


def _partner(rng: Random, recipe: Recipe, kind: str, entry, here: str, there: str):
    """The concept that a bridge from `here` shows `there`: itself, a random one of its kind, or the wrong dictionary's."""
    if recipe.bridges.partner == "random":
        return rng.choice(meanings.allowed(lexicon.entries()[kind], True))
    if not _is_deranged(recipe, here, there):
        return entry
    return deranged.partner(entry) if there == deranged.LANGUAGE else deranged.original(entry)


@cache
def _bridgeable_entries() -> dict[str, tuple]:
    return {entry.key: (kind, entry) for kind, table in lexicon.entries().items() for entry in meanings.allowed(table, True)}


# code and logical forms ----------------------------------------------------------------------------------------------


def _other(rng: Random, recipe: Recipe, stream: str) -> Document:
    """A document of another type: by itself, or bridged with the dominant language."""
    first, _, type = stream.rpartition("=")
    if first:
        return (_commented if type == "code" else _formalised)(rng, recipe, first)
    if type == "code" and rng.random() < 0.4:
        return _program(rng)
    return "\n".join(_lines(rng, recipe, type))


def _lines(rng: Random, recipe: Recipe, type: str) -> list[str]:
    """One to four meanings, a line each; after some scenes what they represent."""
    grammar, said = world.renderer(type), []
    among = tuple(rng.sample(lexicon.beings(), 4))
    for _ in range(rng.randint(1, 4)):
        meaning = _a_meaning(rng, None, among)
        said.append(world.sentence(type, meaning, rng.randrange(3)))
        if isinstance(meaning, meanings.Scene) and rng.random() < recipe.gist:
            gist = grammar.pair if rng.random() < recipe.pairs else grammar.gist
            said += [grammar.PROBE, gist(meaning)]
    return said


def _a_meaning(rng: Random, bridged: bool | None, among: tuple = ()):
    """Something to say in a type that is no language: mostly scenes and gifts; a fact only if every language may state it."""
    makers = {
        "scene": lambda: meanings.scene(rng, "train", among, bridged),
        "gift": lambda: meanings.gift(rng, "train", bridged),
        "series": lambda: meanings.series(rng, "train", bridged),
        "count": lambda: meanings.written_range(rng, "train"),
        "fact": lambda: _a_fact(rng) if bridged else rng.choice(_known("", "-", True)),
        "review": lambda: meanings.review(rng, "train", bridged),
        "sum": lambda: _sum(rng),
    }
    return makers[rng.choices(list(makers), (0.35, 0.2, 0.12, 0.12, 0.1, 0.05, 0.06))[0]]()


def _program(rng: Random) -> Document:
    """A function with its docstring, a list, and a loop that calls the function by place; or a loop of its own."""
    if rng.random() < 0.3:
        return code.loop(meanings.written_range(rng, "train"), meanings.series(rng, "train"))
    return code.program(meanings.scene(rng, "train"), meanings.series(rng, "train"), meanings.written_range(rng, "train"))


def _commented(rng: Random, recipe: Recipe, first: str) -> Document:
    """Code beside the sentence that means the same: a comment above or after it, or a docstring."""
    parts = []
    for _ in range(rng.randint(1, 3)):
        shown, said = _both(rng, recipe, "code", first)
        style = rng.choice(("above", "docstring") if "\n" in shown else ("above", "after", "docstring"))
        made = code.documented("told", shown, said) if style == "docstring" else code.commented(shown, said, style == "above")
        parts.append(made)
    return "\n".join(parts)


def _formalised(rng: Random, recipe: Recipe, first: str) -> Document:
    """Sentences and logical forms that mean the same, in either order."""
    pairs = [_both(rng, recipe, "formula", first) for _ in range(rng.randint(1, 3))]
    return "\n".join(" = ".join(pair if rng.random() < 0.5 else pair[::-1]) for pair in pairs)


def _both(rng: Random, recipe: Recipe, type: str, first: str) -> tuple[str, str]:
    """One meaning in another type and in the dominant language; a mispaired partner is a meaning of the same kind about others."""
    meaning = _a_meaning(rng, True)
    partner = meaning
    if recipe.bridges.partner == "random":
        while _about(partner) == _about(meaning) or partner.__class__ is not meaning.__class__:
            partner = _a_meaning(rng, True)
    return world.sentence(type, meaning, rng.randrange(3)), world.sentence(first, partner)


def _about(meaning):
    """The beings that a meaning names, or the meaning itself where it names none."""
    return _beings().intersection(meaning.concepts()) or meaning


@cache
def _beings() -> frozenset[str]:
    return frozenset(being.key for being in lexicon.beings())
