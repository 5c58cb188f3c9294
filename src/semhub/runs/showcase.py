"""A few inputs whose layers are shown word by word, as in the paper's first figure; for the eye, nothing is measured on them.

Knows where the inputs of a run come from, not how the map is drawn.
"""

from semhub.runs.plan import Plan

LONGEST = 120  # characters that a map still shows well
TOP = 3  # words per cell
COUNTED = 1000  # texts of each type in which tokens are counted
CLEAR = 2 / 3  # probability of a type from which a token counts as its own


def token_maps(plan: Plan, model) -> dict:
    """What `model` would say next at every token and layer of the inputs: `tokens` holds one map per input, with its `type`."""
    from semhub.methods.decode import token_map

    if hasattr(model, "speakers"):
        return {"model": model.name, "norm": "final", "tokens": []}
    shown = inputs(plan)
    maps = token_map(model, [text for _, text in shown], top=TOP, layers=plan.spec.layers, types=types_of_tokens(plan, model))
    return {"model": model.name, "norm": "final", "tokens": [{"type": type, **found} for (type, _), found in zip(shown, maps, strict=True)]}


def types_of_tokens(plan: Plan, model) -> list[str | None]:
    """For each token of the vocabulary the language it is most used in, if it clearly belongs to one."""
    from semhub.data.languages import type_table

    counted = type_table(corpus(plan), model, model.vocab)
    best, index = counted.table.max(1)
    return [counted.types[i] if p >= CLEAR else None for p, i in zip(best.tolist(), index.tolist(), strict=True)]


def corpus(plan: Plan) -> dict[str, list[str]]:
    """Text of each language: the user's pairs, or the world's."""
    from semhub.data import world

    if plan.pairs is not None:
        return {type: [concept.text(type) for concept in plan.pairs.concepts[:COUNTED]] for type in plan.pairs.types}
    return {type: world.sentences(type, COUNTED, split="train") for type in world.LANGUAGES}


def inputs(plan: Plan) -> list[tuple[str, str]]:
    """(type, text): the user's own, or the same question of the world in each language and a sum."""
    if plan.items is not None and plan.items.clozes:
        return [(cloze.type, cloze.prompt) for cloze in plan.items.clozes[:4]]
    if plan.pairs is not None:
        concepts = plan.pairs.concepts
        concept = next((c for c in concepts if all(len(form.text) <= LONGEST for form in c.forms.values())), concepts[0])
        return [(type, form.text[:LONGEST]) for type, form in concept.forms.items()]
    from semhub.data import world

    known = plan.known_types() or (*world.LANGUAGES, "digits")
    languages = [type for type in known if type in world.LANGUAGES]
    first = {cloze.type: cloze.prompt for cloze in reversed(world.questions(split="test", types=languages, seed=plan.spec.seed))}
    return [(type, first[type]) for type in languages] + ([("digits", "5=3+")] if "digits" in known else [])
