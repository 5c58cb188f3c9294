"""The world as short Python: calls with named or positional arguments, ranges, lists, small functions with docstrings.

A renderer like the languages', whose words are names of things; `seed` chooses between ways of writing the same (arguments
by name or by place). Everything but `question`, the beginning of a line, is a whole program; nothing here is ever run.
"""

from random import Random

from semhub.data.world import english, lexicon
from semhub.data.world.lexicon import NOTHING, Switch
from semhub.data.world.meanings import Count, Fact, Gift, Opinion, Phrase, Review, Scene, Series, Sum, Visit, singular

PREFIX = "# Python"
PROBE = "# This represents"
ANSWER = ""
SCENE, GIFT = ("agent", "theme", "place"), ("agent", "theme", "recipient")


def word(entry, switch: Switch = NOTHING) -> str:
    return switch.get(entry.key, entry.lemma if isinstance(entry, lexicon.Verb) else entry.en)


def phrase(phrase_: Phrase, switch: Switch = NOTHING) -> str:
    """`the(old, dog)`, `a(cat)`."""
    words = ([word(phrase_.adjective, switch)] if phrase_.adjective else []) + [word(singular(phrase_).noun, switch)]
    return f"{'the' if phrase_.definite else 'a'}({', '.join(words)})"


def call(function: str, names: tuple[str, ...], arguments: list[str], seed: int) -> str:
    """A call with its arguments by place, by name, or the last by name: always the same for one seed and call."""
    named = Random(f"call:{seed}:{function}:{arguments}").choice((0, len(arguments), len(arguments) - 1))
    shown = [a if place < named else f"{name}={a}" for place, (name, a) in enumerate(zip(names, arguments, strict=False))]
    return f"{function}({', '.join(shown)})"


def scene(scene_: Scene, switch: Switch = NOTHING, seed: int = 0) -> str:
    arguments = [phrase(scene_.agent, switch), phrase(scene_.patient, switch)] + ([word(scene_.place, switch)] if scene_.place else [])
    return call(word(scene_.verb, switch), SCENE, arguments, seed)


def gist(scene_: Scene) -> str:
    """Who does what to whom, as a headline would say it."""
    return f"{word(scene_.verb)}({word(scene_.agent.noun)}, {word(singular(scene_.patient).noun)})"


def pair(scene_: Scene) -> str:
    """Who it is about, the one who suffers it first."""
    return f"[{word(singular(scene_.patient).noun)}, {word(scene_.agent.noun)}]"


def gift(gift_: Gift, switch: Switch = NOTHING, seed: int = 0) -> str:
    return call(word(gift_.verb, switch), GIFT, [phrase(each, switch) for each in (gift_.giver, gift_.thing, gift_.recipient)], seed)


def series(series_: Series) -> str:
    return f"[{', '.join(map(word, series_.beings))}]"


def count(count_: Count) -> str:
    """With as few arguments as Python needs."""
    numbers = (count_.start, count_.stop, count_.step)
    shown = numbers if count_.step != 1 else numbers[:2] if count_.start else numbers[1:2]
    return f"range({', '.join(map(str, shown))})"


def statement(fact: Fact, switch: Switch = NOTHING) -> str:
    return f"{word(fact.being, switch)}.{fact.relation} = {word(fact.value, switch)}"


def question(fact: Fact, switch: Switch = NOTHING) -> str:
    return f"{word(fact.being, switch)}.{fact.relation} ="


def opener(visit: Visit, switch: Switch = NOTHING) -> str:
    day = lexicon.DAYS["en"][visit.day].lower()
    return f"visit({word(visit.subject, switch)}, day={day}, companion={word(visit.companion, switch)})"


def opinion(opinion_: Opinion, switch: Switch = NOTHING) -> str:
    names = ("", "") if opinion_.style == 0 else ("aspect=", "judgement=")
    return f"rate({names[0]}{word(opinion_.aspect, switch)}, {names[1]}{word(opinion_.judgement, switch)})"


def verdict(good: bool) -> str:
    return f"verdict({'good' if good else 'bad'})"


def review(review_: Review, switch: Switch = NOTHING) -> str:
    said = [opinion(each, switch) for each in review_.opinions]
    if review_.verdict_at is not None:
        said.insert(review_.verdict_at, verdict(review_.good))
    return "\n".join([opener(review_.visit, switch), *said])


def expression(sum_: Sum) -> str:
    return f"{sum_.left} {sum_.op} {sum_.right}"


def equation(sum_: Sum) -> str:
    return f"{sum_.result} == {expression(sum_)}"


# programs ------------------------------------------------------------------------------------------------------------


def commented(code: str, said: str, above: bool) -> str:
    """A line of code beside the sentence that means the same."""
    return f"# {said}\n{code}" if above else f"{code}  # {said}"


def documented(name: str, code: str, said: str) -> str:
    """A function whose docstring is the sentence that means the same as its body."""
    body = "\n    ".join(code.split("\n"))
    return f'def {name}():\n    """{said}"""\n    {body}'


def definition(verb: lexicon.Verb) -> str:
    """What a verb's function is: its parameters, and a docstring that names them."""
    if verb in lexicon.givings():
        said = f"The agent {verb.en} the theme to the recipient."
        return f'def {verb.lemma}(agent, theme, recipient):\n    """{said}"""\n    return [agent, theme, recipient]'
    return f'def {verb.lemma}(agent, theme, place=None):\n    """The agent {verb.en} the theme."""\n    return [agent, theme]'


def program(scene_: Scene, series_: Series, count_: Count) -> str:
    """A function, a list and a loop that calls the function by place."""
    arguments = ", ".join(phrase(each) for each in (scene_.agent, scene_.patient))
    return "\n".join(
        (
            definition(scene_.verb),
            f"beings = {series(series_)}",
            f"for number in {count(count_)}:",
            f"    {word(scene_.verb)}({arguments})",
        )
    )


def loop(count_: Count, series_: Series) -> str:
    """A loop over a range, with its docstring in words."""
    said = english.count(count_)
    return documented("loop", f"for number in {count(count_)}:\n    print({word(series_.beings[0])}, number)", said)
