"""A few inputs whose layers are shown word by word, as in the paper's first figure; for the eye, nothing is measured on them.

Knows where the inputs of a run come from, not how the map is drawn.
"""

from semhub.runs.plan import Plan

LONGEST = 120  # characters that a map still shows well
TOP = 3  # words per cell


def token_maps(plan: Plan, model) -> dict:
    """What `model` would say next at every token and layer of the inputs: `tokens` holds one map per input, with its `type`."""
    from semhub.methods.decode import token_map

    if hasattr(model, "speakers"):
        return {"model": model.name, "norm": "final", "tokens": []}
    shown = inputs(plan)
    maps = token_map(model, [text for _, text in shown], top=TOP, layers=plan.spec.layers)
    return {"model": model.name, "norm": "final", "tokens": [{"type": type, **found} for (type, _), found in zip(shown, maps, strict=True)]}


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
