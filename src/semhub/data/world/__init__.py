"""The world: meanings with known ground truth, in every type, as items for every task.

A meaning can be had in any type (`sentence`, `RENDERERS`), and a held-out one is held out in all of them (`meanings`).
Knows no model: what is one token, and what is not, is for the reader of these items to find out.
"""

from collections.abc import Sequence
from random import Random

from semhub.data import cogs
from semhub.data.programs import Program
from semhub.data.world import chinese, code, deranged, english, formula, german, lexicon, meanings, spanish
from semhub.data.world.meanings import Count, Fact, Gift, Opinion, Review, Scene, Series, Sum, Visit
from semhub.errors import UnknownName
from semhub.types import Cloze, Concept, Exchange, Form, Mark, Prompt

GRAMMARS = {"en": english, "es": spanish, "zh": chinese, "de": german}
LANGUAGES = tuple(GRAMMARS)
RENDERERS = GRAMMARS | {"code": code, "formula": formula}
SAYINGS = {Scene: "scene", Gift: "gift", Series: "series", Count: "count"}
SAYINGS |= {Fact: "statement", Sum: "equation", Visit: "opener", Opinion: "opinion"}
DOMINANT = "en"
STEERING_WORDS = {type: (good, bad) for type, (bad, good) in lexicon.VERDICTS.items()}
NEUTRAL_WORDS = {type: days[0] for type, days in lexicon.DAYS.items()}


def renderer(type: str):
    """The grammar of a type; raises `UnknownName` for one that the world cannot write."""
    if type not in RENDERERS:
        raise UnknownName("language of the world", type, RENDERERS)
    return RENDERERS[type]


def sentence(type: str, meaning, seed: int = 0) -> str:
    """Any meaning in any type: a pure function of these three; the seed chooses between ways of writing the same code."""
    if isinstance(meaning, Review):
        return review(type, meaning)
    if type == "digits":
        return equation(type, meaning)
    say = getattr(renderer(type), SAYINGS[meaning.__class__])
    return say(meaning, seed=seed) if type == "code" and isinstance(meaning, Scene | Gift) else say(meaning)


def probe(type: str) -> str:
    """ "This represents" in the language's own words."""
    return renderer(type).PROBE


def prefix(type: str) -> str:
    """The sentence that says which language the text after it is in."""
    return renderer(type).PREFIX


def joined(type: str, *texts: str) -> str:
    """Sentences one after another, as the language writes them: with a space between, but not in Chinese."""
    return ("" if type == "zh" else " ").join(text for text in texts if text)


def scenes(
    n: int,
    split: str = "test",
    types: Sequence[str] = LANGUAGES,
    bridged: bool | None = None,
    seed: int = 0,
    planted: bool = False,
) -> list[Concept]:
    """`n` different scenes of the split, each with its negatives `swapped`, `same-last-word` and (for most) `changed-entity`.

    Where all types are languages, some patients are plural, and `changed-number` is another negative, if every type tells the two apart.
    `bridged=False` gives scenes whose every word is one that no bridge ever contained, `True` only bridgeable words. `planted`: the
    Chinese says what the wrong dictionary makes of the scene (`deranged`), and of each of its negatives.
    Scenes that share who, what and whom (and differ in adjectives or place) share the facet `source`; those whose two beings are of
    the same kinds (people, animals), which a language may mark, the facet `kinds`.
    """
    rng = Random(f"scenes:{split}:{bridged}:{seed}")
    found: dict[Scene, Concept] = {}
    while len(found) < n:
        scene = meanings.scene(rng, split, bridged=bridged, plural=_plural(types))
        if scene not in found:
            found[scene] = _contrasted(scene, meanings.same_ending(rng, scene, bridged), split, types, planted)
    return list(found.values())


def _plural(types: Sequence[str]) -> float:
    """How likely a patient is plural: in languages alone."""
    return meanings.PLURAL if set(types) <= set(LANGUAGES) else 0.0


def _contrasted(scene: Scene, other: Scene, split: str, types: Sequence[str], planted: bool) -> Concept:
    contrasts = {"swapped": _concept(scene.swapped(), types, planted), "same-last-word": _concept(other, types, planted)}
    changed = meanings.other_agent(Random(f"changed:{scene.id}"), scene)
    if changed != scene:
        contrasts["changed-entity"] = _concept(changed, types, planted)
    forms = _forms(scene, types, planted)
    renumbered = _concept(scene.renumbered(), types, planted) if _plural(types) else None
    if renumbered and all(forms[type] != renumbered.forms[type] for type in types):  # "the sheep" may be one or several
        contrasts["changed-number"] = renumbered
    never = meanings.never_bridged().intersection(scene.concepts())
    bridged = "yes" if not never else "never" if len(never) == len(set(scene.concepts())) else "partly"
    kinds = f"{scene.agent.noun.kind}-{scene.patient.noun.kind}"
    facets = {"split": split, "bridged": bridged, "template": scene.template(), "kinds": kinds, "source": scene.key}
    return Concept(scene.id, forms, contrasts, facets)


def _concept(scene: Scene, types: Sequence[str], planted: bool) -> Concept:
    return Concept(scene.id, _forms(scene, types, planted))


def _forms(scene: Scene, types: Sequence[str], planted: bool) -> dict[str, Form]:
    said = {type: deranged.meaning(scene) if planted and type == deranged.LANGUAGE else scene for type in types}
    return {type: Form(type, renderer(type).scene(said[type])) for type in types}


def questions(
    n: int | None = None,
    split: str = "test",
    types: Sequence[str] = LANGUAGES,
    prompts: Sequence[str] | None = None,
    bridged: bool | None = None,
    seed: int = 0,
) -> list[Cloze]:
    """Questions about facts, asked in each of `prompts` (default: all of `types`), with answers in every one of `types`.

    Facts of the splits `dev` and `test` are stated in the dominant language alone; those of `train` everywhere.
    `wrong` are the other values of the same relation: same kind, same frequency by construction.
    """
    chosen = [fact for fact in meanings.facts() if meanings.fact_split(fact) == split]
    if bridged is not None:
        chosen = [fact for fact in chosen if meanings.bridgeable(fact) == bridged]
    Random(f"questions:{split}:{seed}").shuffle(chosen)
    return [_question(fact, type, types) for type in prompts or types for fact in chosen[:n]]


def _question(fact: Fact, type: str, types: Sequence[str]) -> Cloze:
    others = [value for value in meanings.values(fact.relation) if value is not fact.value]
    targets = {answer: (renderer(answer).word(fact.value),) for answer in types}
    wrong = {answer: tuple(renderer(answer).word(value) for value in others) for answer in types}
    bridged = "yes" if meanings.bridgeable(fact) else "never"
    facets = {"split": meanings.fact_split(fact), "relation": fact.relation, "bridged": bridged, "source": fact.being.key}
    return Cloze(f"{fact.key}@{type}", type, renderer(type).question(fact), targets, wrong, facets)


def exchanges(n: int, half: int, types: Sequence[str] = LANGUAGES, seed: int = 0) -> list[Exchange]:
    """Questions about three facts of one relation with different answers, all of them stated in every language.

    The beings are divided into two halves; no being of one half (0 or 1) occurs in the other. Those whose target is the same being
    share the facet `source`. Gives fewer than `n` where a half has fewer facts.
    """
    beings = sorted({fact.being.key for fact in meanings.facts()})
    Random(f"halves:{seed}").shuffle(beings)
    mine = set(beings[half::2])
    known = [fact for fact in meanings.facts() if meanings.fact_split(fact) == "train" and fact.being.key in mine]
    rng, made = Random(f"exchanges:{half}:{seed}"), []
    rng.shuffle(known)
    for target in known:
        others = [fact for fact in known if fact.relation == target.relation and fact.value is not target.value]
        rng.shuffle(others)
        third = next((fact for fact in others if others[0].value is not fact.value), None)
        if third is not None:
            asked = [{type: _question(fact, type, types) for type in types} for fact in (others[0], target, third)]
            made.append(Exchange(f"{others[0].key}>{target.key}", *asked, {"source": target.being.key, "relation": target.relation}))
    return made[:n]


def sums(op: str = "+", split: str | None = None, types: Sequence[str] = ("digits", *LANGUAGES)) -> list[Concept]:
    """The paper's arithmetic items: "3+2" and "three plus two"; facets `left`, `right` (the target), `result`, `split`."""
    chosen = [sum_ for sum_ in meanings.sums(op) if split in (None, meanings.split_of(sum_.key))]
    return [_sum(sum_, types) for sum_ in chosen]


def _sum(sum_: Sum, types: Sequence[str]) -> Concept:
    facets = {"op": sum_.op, "left": str(sum_.left), "right": str(sum_.right), "result": str(sum_.result)}
    forms = {type: Form(type, expression(type, sum_)) for type in types}
    return Concept(sum_.key, forms, facets=facets | {"split": meanings.split_of(sum_.key)})


def expression(type: str, sum_: Sum) -> str:
    """`left op right` in digits or in a language's words."""
    return f"{sum_.left}{sum_.op}{sum_.right}" if type == "digits" else renderer(type).expression(sum_)


def equation(type: str, sum_: Sum, switch: lexicon.Switch = lexicon.NOTHING) -> str:
    """`result = left op right` in digits or in a language's words, those numbers foreign that `switch` names in digits."""
    return f"{sum_.result}={expression(type, sum_)}" if type == "digits" else renderer(type).equation(sum_, switch)


def reviews(n: int, split: str, type: str, seed: int = 0) -> list[Prompt]:
    """Beginnings of reviews that praise and blame nothing yet, after the sentence that names their language."""
    chosen = [visit for visit in meanings.visits() if meanings.split_of(visit.key) == split]
    Random(f"reviews:{split}:{seed}").shuffle(chosen)
    return [
        Prompt(f"{visit.key}@{type}", type, joined(type, prefix(type), renderer(type).opener(visit)), {"split": split, "source": visit.key})
        for visit in chosen[:n]
    ]


def review(type: str, review_: Review, switch: dict[str, str] | None = None) -> str:
    """A whole review in one type, its one-word verdict included."""
    if type not in LANGUAGES:
        return renderer(type).review(review_, switch or {})
    grammar, switch = renderer(type), switch or {}
    said = [grammar.opinion(opinion, switch) for opinion in review_.opinions]
    if review_.verdict_at is not None:
        said.insert(review_.verdict_at, lexicon.VERDICTS[type][review_.good] + ("。" if type == "zh" else "."))
    return joined(type, grammar.opener(review_.visit, switch), *said)


def labelled_reviews(n: int, split: str, type: str, seed: int = 0) -> list[tuple[str, int]]:
    """Whole reviews with 1 for praise and 0 for blame; visits of the split only."""
    rng = Random(f"labelled:{split}:{type}:{seed}")
    made = [meanings.review(rng, split) for _ in range(n)]
    return [(review(type, review_), int(review_.good)) for review_ in made]


def sentences(type: str, n: int, split: str = "train", seed: int = 0) -> list[str]:
    """Scenes, facts and reviews in one language: a small corpus (only facts that were stated in that language)."""
    rng = Random(f"sentences:{split}:{type}:{seed}")
    facts = [fact for fact in meanings.facts() if type == DOMINANT or meanings.fact_split(fact) == "train"]
    makers = (
        lambda: renderer(type).scene(meanings.scene(rng, split, plural=_plural([type]))),
        lambda: renderer(type).statement(rng.choice(facts)),
        lambda: review(type, meanings.review(rng, split)),
    )
    return [makers[i % len(makers)]() for i in range(n)]


def programs(n: int, split: str = "test", seed: int = 0) -> list[Program]:
    """Small programs of the split's meanings: a function with a docstring, a list, a loop that calls the function by place."""
    rng = Random(f"programs:{split}:{seed}")
    made = [(meanings.scene(rng, split), meanings.series(rng, split), meanings.written_range(rng, split)) for _ in range(n)]
    return [Program(f"program-{i}", code.program(*parts), english.scene(parts[0])) for i, parts in enumerate(made)]


def logical_sentences(n: int, split: str = "test", seed: int = 0) -> list[Concept]:
    """English sentences with their logical forms, every third one a gift; negatives are forms alone, as with COGS:
    `swapped` (the two beings in each other's roles), `swapped-shuffled` and `shuffled` (conjuncts in another order).
    """
    rng, found = Random(f"logical:{split}:{seed}"), {}
    while len(found) < n:
        meaning = (meanings.gift if len(found) % 3 == 2 else meanings.scene)(rng, split)
        found.setdefault(meaning.id, _logical(rng, meaning))
    return list(found.values())


def _logical(rng: Random, meaning: Scene | Gift) -> Concept:
    forms = {"swapped": _logical_form(meaning.swapped()), "shuffled": _logical_form(meaning).shuffled(rng)}
    forms["swapped-shuffled"] = forms["swapped"].shuffled(rng)
    contrasts = {name: Concept(f"{meaning.id}:{name}", {"formula": Form("formula", str(form))}) for name, form in forms.items()}
    facets = {"template": meaning.__class__.__name__.lower() + meaning.id.split("-")[-1], "source": meaning.key}
    return Concept(meaning.id, _said(meaning), contrasts, facets)


def _logical_form(meaning: Scene | Gift):
    return formula.gift_form(meaning) if isinstance(meaning, Gift) else formula.scene_form(meaning)


def _said(meaning) -> dict[str, Form]:
    return {type: Form(type, sentence(type, meaning)) for type in ("en", "formula")}


def role_marks(n: int, split: str = "test", seed: int = 0) -> list[Mark]:
    """The place before the noun of each being or thing in English sentences, but the first: agents in passives, recipients of gifts."""
    rng, marks = Random(f"roles:{split}:{seed}"), []
    makers = ((meanings.scene, english.passive, ("agent",)), (meanings.scene, english.scene, ("theme",)))
    makers += ((meanings.gift, english.gift, ("theme", "recipient")),)
    while len(marks) < n:
        for make, say, roles in makers:
            meaning = make(rng, split)
            text, nouns = say(meaning), dict(zip(("agent", "theme", "recipient"), _nouns(meaning), strict=False))
            for role in roles:
                before = text[: text.rindex(f" {nouns[role].en}")]
                marks.append(cogs.role_mark(f"{meaning.id}:{role}:{len(marks)}", text, before, nouns[role].en, role))
    return marks[:n]


def _nouns(meaning: Scene | Gift) -> tuple[lexicon.Noun, ...]:
    parts = (meaning.agent, meaning.patient) if isinstance(meaning, Scene) else (meaning.giver, meaning.thing, meaning.recipient)
    return tuple(part.noun for part in parts)
