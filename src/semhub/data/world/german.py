"""The world in German: three genders and the plural, nominative and accusative, strong and weak adjective endings, capital nouns."""

from semhub.data.world import lexicon
from semhub.data.world.lexicon import NOTHING, Switch, capital, spelled
from semhub.data.world.meanings import Count, Fact, Gift, Opinion, Phrase, Scene, Series, Sum, Visit

PREFIX = "Der gesamte folgende Text ist auf Deutsch."
PROBE = "Dies bedeutet"
ANSWER = "Antwort:"

# By case and gender, or "pl"; nobody is given anything in the plural, so it has no dative.
DEFINITE = {
    "nom": {"m": "der", "f": "die", "n": "das", "pl": "die"},
    "acc": {"m": "den", "f": "die", "n": "das", "pl": "die"},
    "dat": {"m": "dem", "f": "der", "n": "dem"},
}
INDEFINITE = {
    "nom": {"m": "ein", "f": "eine", "n": "ein", "pl": "einige"},
    "acc": {"m": "einen", "f": "eine", "n": "ein", "pl": "einige"},
    "dat": {"m": "einem", "f": "einer", "n": "einem"},
}
WEAK = {
    "nom": {"m": "e", "f": "e", "n": "e", "pl": "en"},
    "acc": {"m": "en", "f": "e", "n": "e", "pl": "en"},
    "dat": {"m": "en", "f": "en", "n": "en"},
}
MIXED = {
    "nom": {"m": "er", "f": "e", "n": "es", "pl": "e"},
    "acc": {"m": "en", "f": "e", "n": "es", "pl": "e"},
    "dat": {"m": "en", "f": "en", "n": "en"},
}


def word(entry, switch: Switch = NOTHING, case: str = "nom") -> str:
    # nouns that change in the accusative (Bären) have the same form in the dative
    return switch.get(entry.key, entry.de_acc if case != "nom" and isinstance(entry, lexicon.Noun) else entry.de)


def phrase(phrase_: Phrase, case: str, switch: Switch) -> str:
    gender = "pl" if phrase_.plural else phrase_.noun.de_gender
    words = [(DEFINITE if phrase_.definite else INDEFINITE)[case][gender]]
    if phrase_.adjective:
        ending = (WEAK if phrase_.definite else MIXED)[case][gender]
        words.append(switch.get(phrase_.adjective.key, phrase_.adjective.de.removesuffix("e") + ending))
    return " ".join([*words, named(phrase_, case, switch)])


def named(phrase_: Phrase, case: str, switch: Switch = NOTHING) -> str:
    """The noun alone, in its number; a foreign word as a dictionary lists it."""
    return switch.get(phrase_.noun.key, phrase_.noun.de_plural) if phrase_.plural else word(phrase_.noun, switch, case)


def scene(scene_: Scene, switch: Switch = NOTHING) -> str:
    parts = [phrase(scene_.agent, "nom", switch), word(scene_.verb, switch), phrase(scene_.patient, "acc", switch)]
    return capital(" ".join(parts + ([scene_.place.de_at] if scene_.place else []))) + "."


def gift(gift_: Gift, switch: Switch = NOTHING) -> str:
    giver, thing, recipient = gift_.giver, gift_.thing, gift_.recipient
    parts = (phrase(giver, "nom", switch), gift_.verb.de, phrase(recipient, "dat", switch), phrase(thing, "acc", switch))
    return capital(" ".join(parts)) + "."


def series(series_: Series) -> str:
    *first, last = (f"{DEFINITE['nom'][being.de_gender]} {being.de}" for being in series_.beings)
    return capital(f"{', '.join(first)} und {last}.")


def count(count_: Count) -> str:
    start, stop = number(count_.start), number(count_.stop)
    steps = "in Einerschritten weiter" if count_.step == 1 else f"in Schritten von {number(count_.step)} weiter"
    return f"Beginne bei {start}, höre vor {stop} auf, gehe {steps}."


def gist(scene_: Scene) -> str:
    """Who does what to whom, as a headline would say it."""
    return f"{scene_.agent.noun.de} {scene_.verb.de} {named(scene_.patient, 'acc')}."


def pair(scene_: Scene) -> str:
    """Who it is about, the one who suffers it first."""
    return f"{named(scene_.patient, 'nom')} und {scene_.agent.noun.de}."


def statement(fact: Fact, switch: Switch = NOTHING) -> str:
    being = capital(f"{DEFINITE['nom'][fact.being.de_gender]} {word(fact.being, switch)}")
    value = word(fact.value, switch, "acc")
    match fact.relation:
        case "home":
            return f"{being} lebt {fact.value.de_at}."
        case "food":
            return f"{being} {eats(fact)} {value}."
        case "color":
            return f"{being} mag die Farbe {value}."
        case "thing":
            return f"{being} hat {INDEFINITE['acc'][fact.value.de_gender]} {value}."
        case "drink":
            return f"{being} trinkt {value}."
        case "clothing":
            return f"{being} kauft {INDEFINITE['acc'][fact.value.de_gender]} {value}."
        case "plant":
            return f"{being} pflanzt {INDEFINITE['acc'][fact.value.de_gender]} {value}."
        case _:
            return f"{being} spielt {value}."


def eats(fact: Fact) -> str:
    """Animals fressen, people essen."""
    return "frisst" if fact.being.kind == "animal" else "isst"


def question(fact: Fact, switch: Switch = NOTHING) -> str:
    being = f"{DEFINITE['nom'][fact.being.de_gender]} {word(fact.being, switch)}"
    asked = {
        "home": f"Wo lebt {being}?",
        "food": f"Was {eats(fact)} {being}?",
        "color": f"Welche Farbe mag {being}?",
        "thing": f"Was hat {being}?",
        "instrument": f"Was spielt {being}?",
        "drink": f"Was trinkt {being}?",
        "clothing": f"Was kauft {being}?",
        "plant": f"Was pflanzt {being}?",
    }
    return f"{asked[fact.relation]} {ANSWER}"


def opener(visit: Visit, switch: Switch = NOTHING) -> str:
    demonstrative, noun = visit.subject.de.split()
    possessive = "meiner" if visit.companion.de_gender == "f" else "meinem"
    subject, companion = switch.get(visit.subject.key, noun), word(visit.companion, switch)
    return f"Ich besuchte {demonstrative} {subject} am {lexicon.DAYS['de'][visit.day]} mit {possessive} {companion}."


def opinion(opinion_: Opinion, switch: Switch = NOTHING) -> str:
    case = "nom" if opinion_.style == 0 else "acc"
    aspect = f"{DEFINITE[case][opinion_.aspect.de_gender]} {word(opinion_.aspect, switch, case)}"
    judgement = word(opinion_.judgement, switch)
    return capital(f"{aspect} war {judgement}.") if opinion_.style == 0 else f"Ich fand {aspect} {judgement}."


def number(n: int, switch: Switch = NOTHING) -> str:
    return switch.get(str(n)) or spelled(n, "de")


def expression(sum_: Sum, switch: Switch = NOTHING) -> str:
    return f"{number(sum_.left, switch)} {'plus' if sum_.op == '+' else 'mal'} {number(sum_.right, switch)}"


def equation(sum_: Sum, switch: Switch = NOTHING) -> str:
    return f"{number(sum_.result, switch)} ist gleich {expression(sum_, switch)}"
