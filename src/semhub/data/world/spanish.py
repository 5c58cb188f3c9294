"""The world in Spanish: gender and number of articles and adjectives, adjectives after their noun, the personal a."""

from semhub.data.world import lexicon
from semhub.data.world.lexicon import NOTHING, Switch, capital, spelled
from semhub.data.world.meanings import Count, Fact, Gift, Opinion, Phrase, Scene, Series, Sum, Visit

PREFIX = "Todo el texto siguiente está en español."
PROBE = "Esto representa"
ANSWER = "Respuesta:"
PLAIN = str.maketrans("áéíóú", "aeiou")


def word(entry, switch: Switch = NOTHING) -> str:
    return switch.get(entry.key, entry.es)


def agreeing(entry, gender: str, switch: Switch, several: bool = False) -> str:
    """An adjective or judgement in the gender and number of its noun."""
    said = entry.es if gender == "m" else entry.es_f
    return switch.get(entry.key, plural(said) if several else said)


def article(noun: lexicon.Noun, definite: bool = True, several: bool = False) -> str:
    if several:
        return ("l" if definite else "un") + ("os" if noun.es_gender == "m" else "as")
    return {("m", True): "el", ("f", True): "la", ("m", False): "un", ("f", False): "una"}[noun.es_gender, definite]


def phrase(phrase_: Phrase, switch: Switch) -> str:
    noun, several = phrase_.noun, phrase_.plural
    words = [article(noun, phrase_.definite, several), named(phrase_, switch)]
    return " ".join(words + ([agreeing(phrase_.adjective, noun.es_gender, switch, several)] if phrase_.adjective else []))


def named(phrase_: Phrase, switch: Switch = NOTHING) -> str:
    """The noun alone, in its number; a foreign word as a dictionary lists it."""
    return switch.get(phrase_.noun.key, plural(phrase_.noun.es) if phrase_.plural else phrase_.noun.es)


def plural(said: str) -> str:
    """Of a noun or an adjective. The stress stays where it was, so an accent may be lost (león, leones) or won (joven, jóvenes)."""
    if said == "joven":
        return "jóvenes"
    if said[-1] in "aeiouáéíóú":
        return said + "s"
    return said[:-1] + "ces" if said[-1] == "z" else said[:-2] + said[-2:].translate(PLAIN) + "es"


def to(phrase_: str) -> str:
    """The preposition a, which melts with el: "al perro"."""
    return "al " + phrase_[3:] if phrase_.startswith("el ") else "a " + phrase_


def scene(scene_: Scene, switch: Switch = NOTHING) -> str:
    parts = [phrase(scene_.agent, switch), word(scene_.verb, switch), to(phrase(scene_.patient, switch))]
    return capital(" ".join(parts + ([scene_.place.es_at] if scene_.place else []))) + "."


def gift(gift_: Gift, switch: Switch = NOTHING) -> str:
    parts = (phrase(gift_.giver, switch), "le", gift_.verb.es, phrase(gift_.thing, switch), to(phrase(gift_.recipient, switch)))
    return capital(" ".join(parts)) + "."


def series(series_: Series) -> str:
    *first, last = (f"{article(being)} {being.es}" for being in series_.beings)
    return capital(f"{', '.join(first)} y {last}.")


def count(count_: Count) -> str:
    start, stop, step = map(number, (count_.start, count_.stop, count_.step))
    return f"Empieza en {start}, para antes de {stop}, avanza de {step} en {step}."


def gist(scene_: Scene) -> str:
    """Who does what to whom, as a headline would say it."""
    return f"{scene_.agent.noun.es} {scene_.verb.es} a {named(scene_.patient)}."


def pair(scene_: Scene) -> str:
    """Who it is about, the one who suffers it first."""
    return f"{named(scene_.patient)} y {scene_.agent.noun.es}."


def statement(fact: Fact, switch: Switch = NOTHING) -> str:
    being, value = f"{article(fact.being)} {word(fact.being, switch)}", word(fact.value, switch)
    match fact.relation:
        case "home":
            return capital(f"{being} vive {fact.value.es_at}.")
        case "food":
            return capital(f"{being} come {value}.")
        case "color":
            return capital(f"{to(being)} le gusta el {value}.")
        case "thing":
            return capital(f"{being} tiene {article(fact.value, definite=False)} {value}.")
        case "drink":
            return capital(f"{being} bebe {value}.")
        case "clothing":
            return capital(f"{being} compra {article(fact.value, definite=False)} {value}.")
        case "plant":
            return capital(f"{being} planta {article(fact.value, definite=False)} {value}.")
        case _:
            return capital(f"{being} toca {article(fact.value)} {value}.")


def question(fact: Fact, switch: Switch = NOTHING) -> str:
    being = f"{article(fact.being)} {word(fact.being, switch)}"
    asked = {
        "home": f"¿Dónde vive {being}?",
        "food": f"¿Qué come {being}?",
        "color": f"¿Qué tono le gusta {to(being)}?",
        "thing": f"¿Qué tiene {being}?",
        "instrument": f"¿Qué toca {being}?",
        "drink": f"¿Qué bebe {being}?",
        "clothing": f"¿Qué compra {being}?",
        "plant": f"¿Qué planta {being}?",
    }
    return f"{asked[fact.relation]} {ANSWER}"


def opener(visit: Visit, switch: Switch = NOTHING) -> str:
    subject = f"{visit.subject.es.split()[0]} {switch.get(visit.subject.key, visit.subject.es.split()[1])}"
    return f"Visité {subject} el {lexicon.DAYS['es'][visit.day]} con mi {word(visit.companion, switch)}."


def opinion(opinion_: Opinion, switch: Switch = NOTHING) -> str:
    aspect = f"{article(opinion_.aspect)} {word(opinion_.aspect, switch)}"
    judgement = agreeing(opinion_.judgement, opinion_.aspect.es_gender, switch)
    return capital(f"{aspect} era {judgement}.") if opinion_.style == 0 else f"Me pareció {judgement} {aspect}."


def number(n: int, switch: Switch = NOTHING) -> str:
    return switch.get(str(n)) or spelled(n, "es")


def expression(sum_: Sum, switch: Switch = NOTHING) -> str:
    return f"{number(sum_.left, switch)} {'más' if sum_.op == '+' else 'por'} {number(sum_.right, switch)}"


def equation(sum_: Sum, switch: Switch = NOTHING) -> str:
    return f"{number(sum_.result, switch)} es igual a {expression(sum_, switch)}"
