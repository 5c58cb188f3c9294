"""The world as logical forms in the manner of COGS, with agent, theme and recipient; and the way back to the meaning.

A renderer like the languages' (`scene`, `gift`, ...); `read` gives the meaning of everything that it writes, wording aside.
Variables are numbered in order of mention.
"""

from collections.abc import Iterable

from semhub.data.logic import LogicalForm, Term, parse
from semhub.data.world import lexicon, meanings
from semhub.data.world.lexicon import NOTHING, Switch
from semhub.data.world.meanings import RELATIONS, Count, Fact, Gift, Opinion, Phrase, Review, Scene, Series, Sum, Visit, values, visits
from semhub.errors import BadInput

PREFIX = "formula :"
PROBE = "represents"
ANSWER = ":"
OPERATIONS = {"+": "plus", "*": "times"}


def word(entry, switch: Switch = NOTHING) -> str:
    return switch.get(entry.key, entry.lemma if isinstance(entry, lexicon.Verb) else entry.en)


def variable(n: int) -> str:
    return f"x _ {n}"


def form(given: Iterable[tuple], conjuncts: Iterable[tuple]) -> LogicalForm:
    """`("see.agent", "x _ 2", "x _ 1")` and so on, as terms."""
    terms = lambda parts: tuple(Term(tuple(name.split(".")), tuple(arguments)) for name, *arguments in parts)  # noqa: E731
    return LogicalForm(terms(given), terms(conjuncts))


def described(phrases: Iterable[tuple[Phrase, str]], switch: Switch) -> tuple[list[tuple], list[tuple]]:
    """(presupposed, asserted) terms of beings and things: a definite noun is presupposed, an adjective never."""
    given, said = [], []
    for phrase_, x in phrases:
        (given if phrase_.definite else said).append((word(meanings.singular(phrase_).noun, switch), x))
        said += [(word(phrase_.adjective, switch), x)] if phrase_.adjective else []
    return given, said


def scene_form(scene_: Scene, switch: Switch = NOTHING) -> LogicalForm:
    agent, event, theme, place = map(variable, range(1, 5))
    verb = word(scene_.verb, switch)
    given, said = described(((scene_.agent, agent), (scene_.patient, theme)), switch)
    where = [(f"{verb}.place", event, place), (word(scene_.place, switch), place)] if scene_.place else []
    return form(given, [(f"{verb}.agent", event, agent), (f"{verb}.theme", event, theme), *said, *where])


def gift_form(gift_: Gift, switch: Switch = NOTHING) -> LogicalForm:
    agent, event, theme, recipient = map(variable, range(1, 5))
    verb = word(gift_.verb, switch)
    given, said = described(((gift_.giver, agent), (gift_.thing, theme), (gift_.recipient, recipient)), switch)
    roles = ((f"{verb}.agent", event, agent), (f"{verb}.theme", event, theme), (f"{verb}.recipient", event, recipient))
    return form(given, [*roles, *said])


def scene(scene_: Scene, switch: Switch = NOTHING) -> str:
    return str(scene_form(scene_, switch))


def gift(gift_: Gift, switch: Switch = NOTHING) -> str:
    return str(gift_form(gift_, switch))


def gist(scene_: Scene) -> str:
    """Who does what to whom, as a headline would say it."""
    return f"{word(scene_.verb)} ( {word(scene_.agent.noun)} , {word(meanings.singular(scene_.patient).noun)} )"


def pair(scene_: Scene) -> str:
    """Who it is about, the one who suffers it first."""
    return f"pair ( {word(meanings.singular(scene_.patient).noun)} , {word(scene_.agent.noun)} )"


def series(series_: Series) -> str:
    whole = variable(len(series_.beings) + 1)
    places = [(word(being), variable(i)) for i, being in enumerate(series_.beings, 1)]
    return str(form(places, [("series.member", whole, x) for _, x in places]))


def count(count_: Count) -> str:
    x = variable(1)
    numbers = (("start", count_.start), ("stop", count_.stop), ("step", count_.step))
    return str(form((), [(f"count.{name}", x, str(n)) for name, n in numbers]))


def statement(fact: Fact, switch: Switch = NOTHING) -> str:
    x, y = variable(1), variable(2)
    return str(form([(word(fact.being, switch), x)], [(fact.relation, x, y), (word(fact.value, switch), y)]))


def question(fact: Fact, switch: Switch = NOTHING) -> str:
    x, y = variable(1), variable(2)
    return f"* {word(fact.being, switch)} ( {x} ) ; {fact.relation} ( {x} , {y} ) AND"


def visit_terms(visit: Visit, switch: Switch) -> list[tuple]:
    event, subject, companion = map(variable, range(1, 4))
    about = [("visit.theme", event, subject), (word(visit.subject, switch), subject), ("visit.companion", event, companion)]
    return [*about, (word(visit.companion, switch), companion), ("visit.day", event, lexicon.DAYS["en"][visit.day])]


def opener(visit: Visit, switch: Switch = NOTHING) -> str:
    return str(form((), visit_terms(visit, switch)))


def opinion(opinion_: Opinion, switch: Switch = NOTHING) -> str:
    x = variable(1)
    return str(form([(word(opinion_.aspect, switch), x)], [(word(opinion_.judgement, switch), x)]))


def review(review_: Review, switch: Switch = NOTHING) -> str:
    """The visit, each opinion in order, whether all in all it praises, and where the verdict stands."""
    x, given, said = variable(1), [], []
    for i, each in enumerate(review_.opinions, 4):
        given.append((word(each.aspect, switch), variable(i)))
        said.append((word(each.judgement, switch), variable(i)))
    stands = [("verdict", x, str(review_.verdict_at))] if review_.verdict_at is not None else []
    return str(form(given, [*visit_terms(review_.visit, switch), *said, ("good" if review_.good else "bad", x), *stands]))


def expression(sum_: Sum) -> str:
    return str(form((), [(OPERATIONS[sum_.op], variable(1), str(sum_.left), str(sum_.right))]))


def equation(sum_: Sum) -> str:
    x = variable(1)
    return str(form((), [("equal", x, str(sum_.result)), (OPERATIONS[sum_.op], x, str(sum_.left), str(sum_.right))]))


# and back ------------------------------------------------------------------------------------------------------------


def read(text: str):
    """The meaning of a form that this file writes. Raises BadInput for any other text."""
    found = parse(text)
    if found is None:
        raise BadInput(f"{text[:60]!r} is no logical form.")
    names = {term.name[0] for term in found.conjuncts} | {term.name[-1] for term in found.conjuncts if len(term.name) > 1}
    for marks, reader in READERS:
        if marks & names:
            try:
                return reader(found)
            except (KeyError, StopIteration, IndexError, ValueError) as error:
                raise BadInput(f"{text[:60]!r} says something that this world does not have.") from error
    raise BadInput(f"{text[:60]!r} is no logical form of this world.")


def entries(*kinds: Iterable) -> dict[str, object]:
    return {word(entry): entry for kind in kinds for entry in kind}


def argument(found: LogicalForm, last: str) -> str:
    """The second argument of the conjunct whose name ends so."""
    return next(term.arguments[1] for term in found.conjuncts if term.name[-1] == last)


def said_of(found: LogicalForm, x: str, among: dict[str, object]):
    """The entry whose word is said of a variable; raises StopIteration where there is none."""
    return next(among[term.name[0]] for term in found.terms if term.arguments == (x,) and term.name[0] in among)


def phrase_of(found: LogicalForm, x: str, among: dict[str, object]) -> Phrase:
    definite = any(term.arguments == (x,) for term in found.given)
    adjectives = entries(lexicon.adjectives())
    adjective = next((adjectives[t.name[0]] for t in found.terms if t.arguments == (x,) and t.name[0] in adjectives), None)
    return Phrase(said_of(found, x, among), definite, adjective)


def beings() -> dict[str, object]:
    return entries(lexicon.beings())


def read_event(found: LogicalForm) -> Scene | Gift:
    verb = next(term.name[0] for term in found.conjuncts if term.name[-1] == "agent")
    agent, theme = argument(found, "agent"), argument(found, "theme")
    if any(term.name[-1] == "recipient" for term in found.conjuncts):
        thing = phrase_of(found, theme, entries(lexicon.nouns("thing")))
        recipient = phrase_of(found, argument(found, "recipient"), beings())
        return Gift(phrase_of(found, agent, beings()), entries(lexicon.givings())[verb], thing, recipient)
    where = any(term.name[-1] == "place" for term in found.conjuncts)
    place = said_of(found, argument(found, "place"), entries(lexicon.places())) if where else None
    return Scene(phrase_of(found, agent, beings()), entries(lexicon.verbs())[verb], phrase_of(found, theme, beings()), place)


def read_series(found: LogicalForm) -> Series:
    return Series(tuple(said_of(found, term.arguments[1], beings()) for term in found.conjuncts))


def read_count(found: LogicalForm) -> Count:
    return Count(*(int(argument(found, name)) for name in ("start", "stop", "step")))


def read_fact(found: LogicalForm) -> Fact:
    relation = next(term for term in found.conjuncts if len(term.arguments) == 2)
    name = relation.name[0]
    return Fact(said_of(found, relation.arguments[0], beings()), name, said_of(found, relation.arguments[1], entries(values(name))))


def read_visit(found: LogicalForm) -> Visit:
    subject = said_of(found, argument(found, "theme"), entries(lexicon.subjects()))
    companion, day = said_of(found, argument(found, "companion"), beings()), lexicon.DAYS["en"].index(argument(found, "day"))
    return next(v for v in visits() if (v.subject, v.day, v.companion) == (subject, day, companion))


def read_review(found: LogicalForm) -> Review | Visit:
    visit, judgements = read_visit(found), entries(lexicon.judgements(True), lexicon.judgements(False))
    whole = {term.name[0] for term in found.conjuncts}
    if not whole & {"good", "bad"}:
        return visit
    said = tuple(read_opinion(found, term, judgements) for term in found.given)
    stands = next((int(term.arguments[1]) for term in found.conjuncts if term.name == ("verdict",)), None)
    return Review(visit, "good" in whole, said, stands)


def read_opinion(found: LogicalForm, aspect: Term, judgements: dict[str, object]) -> Opinion:
    return Opinion(entries(lexicon.nouns("aspect"))[aspect.name[0]], said_of(found, aspect.arguments[0], judgements))


def read_one_opinion(found: LogicalForm) -> Opinion:
    return read_opinion(found, found.given[0], entries(lexicon.judgements(True), lexicon.judgements(False)))


def read_sum(found: LogicalForm) -> Sum:
    op, term = next((op, t) for t in found.conjuncts for op, name in OPERATIONS.items() if t.name == (name,))
    return Sum(int(term.arguments[1]), op, int(term.arguments[2]))


READERS = (
    ({"agent"}, read_event),
    ({"visit"}, read_review),
    ({"series"}, read_series),
    ({"count"}, read_count),
    (set(OPERATIONS.values()), read_sum),
    (set(RELATIONS), read_fact),
    (set(entries(lexicon.judgements(True), lexicon.judgements(False))), read_one_opinion),
)
