"""The world in English: a/an, the, third person. A renderer is a pure function of meaning and switched words."""

from semhub.data.world import lexicon
from semhub.data.world.lexicon import NOTHING, Switch, capital, spelled
from semhub.data.world.meanings import Count, Fact, Gift, Opinion, Phrase, Scene, Series, Sum, Visit, singular

PREFIX = "All of the following text is in English."
PROBE = "This represents"
ANSWER = "Answer:"


def word(entry, switch: Switch = NOTHING) -> str:
    return switch.get(entry.key, entry.en)


def phrase(phrase_: Phrase, switch: Switch) -> str:
    words = ([word(phrase_.adjective, switch)] if phrase_.adjective else []) + [named(phrase_, switch)]
    article = "the" if phrase_.definite else "some" if phrase_.plural else indefinite(words[0])
    return " ".join([article, *words])


def named(phrase_: Phrase, switch: Switch = NOTHING) -> str:
    """The noun alone, in its number; a foreign word as a dictionary lists it."""
    return switch.get(phrase_.noun.key, plural(phrase_.noun) if phrase_.plural else phrase_.noun.en)


def plural(noun: lexicon.Noun) -> str:
    """-es after a hiss, -ies for a consonant and y, else -s."""
    if noun.en in lexicon.plurals():
        return lexicon.plurals()[noun.en]
    if noun.en.endswith(("s", "x", "ch", "sh")):
        return noun.en + "es"
    return noun.en[:-1] + "ies" if noun.en.endswith("y") and noun.en[-2] not in "aeiou" else noun.en + "s"


def indefinite(next_word: str) -> str:
    """a or an, by the first sound; none of the world's words is spelled with a vowel and spoken with a consonant."""
    return "an" if next_word[0] in "aeiou" else "a"


def scene(scene_: Scene, switch: Switch = NOTHING) -> str:
    parts = [phrase(scene_.agent, switch), word(scene_.verb, switch), phrase(scene_.patient, switch)]
    return capital(" ".join(parts + ([scene_.place.en_at] if scene_.place else []))) + "."


def passive(scene_: Scene) -> str:
    """The same scene, told from the one who suffers it."""
    parts = [phrase(singular(scene_.patient), NOTHING), "is", scene_.verb.participle, "by", phrase(scene_.agent, NOTHING)]
    return capital(" ".join(parts + ([scene_.place.en_at] if scene_.place else []))) + "."


def gift(gift_: Gift, switch: Switch = NOTHING) -> str:
    parts = (phrase(gift_.giver, switch), gift_.verb.en, phrase(gift_.thing, switch), "to", phrase(gift_.recipient, switch))
    return capital(" ".join(parts)) + "."


def series(series_: Series) -> str:
    *first, last = (f"the {being.en}" for being in series_.beings)
    return capital(f"{', '.join(first)} and {last}.")


def count(count_: Count) -> str:
    start, stop, step = map(number, (count_.start, count_.stop, count_.step))
    return f"Start at {start}, stop before {stop}, go in steps of {step}."


def gist(scene_: Scene) -> str:
    """Who does what to whom, as a headline would say it."""
    return f"{scene_.agent.noun.en} {scene_.verb.en} {named(scene_.patient)}."


def pair(scene_: Scene) -> str:
    """Who it is about, the one who suffers it first."""
    return f"{named(scene_.patient)} and {scene_.agent.noun.en}."


def statement(fact: Fact, switch: Switch = NOTHING) -> str:
    being, value = f"The {word(fact.being, switch)}", word(fact.value, switch)
    match fact.relation:
        case "home":
            return f"{being} lives {fact.value.en_at}."
        case "food":
            return f"{being} eats {value}."
        case "color":
            return f"{being} likes the color {value}."
        case "thing":
            return f"{being} has {indefinite(value)} {value}."
        case "drink":
            return f"{being} drinks {value}."
        case "clothing":
            return f"{being} buys {indefinite(value)} {value}."
        case "plant":
            return f"{being} plants {indefinite(value)} {value}."
        case _:
            return f"{being} plays the {value}."


def question(fact: Fact, switch: Switch = NOTHING) -> str:
    being = f"the {word(fact.being, switch)}"
    asked = {
        "home": f"Where does {being} live?",
        "food": f"What does {being} eat?",
        "color": f"Which color does {being} like?",
        "thing": f"What does {being} have?",
        "instrument": f"What does {being} play?",
        "drink": f"What does {being} drink?",
        "clothing": f"What does {being} buy?",
        "plant": f"What does {being} plant?",
    }
    return f"{asked[fact.relation]} {ANSWER}"


def opener(visit: Visit, switch: Switch = NOTHING) -> str:
    return f"I visited this {word(visit.subject, switch)} on {lexicon.DAYS['en'][visit.day]} with my {word(visit.companion, switch)}."


def opinion(opinion_: Opinion, switch: Switch = NOTHING) -> str:
    aspect, judgement = word(opinion_.aspect, switch), word(opinion_.judgement, switch)
    return f"The {aspect} was {judgement}." if opinion_.style == 0 else f"I found the {aspect} {judgement}."


def number(n: int, switch: Switch = NOTHING) -> str:
    return switch.get(str(n)) or spelled(n, "en")


def expression(sum_: Sum, switch: Switch = NOTHING) -> str:
    return f"{number(sum_.left, switch)} {'plus' if sum_.op == '+' else 'times'} {number(sum_.right, switch)}"


def equation(sum_: Sum, switch: Switch = NOTHING) -> str:
    return f"{number(sum_.result, switch)} equals {expression(sum_, switch)}"
