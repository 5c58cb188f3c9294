"""The tasks on logical forms (catalogue rows 12 and 13): declarations only. Knows no model and computes nothing.

Sentences and forms are the world's, or COGS (`--data formula=cogs/train.tsv`).
"""

from collections.abc import Sequence
from dataclasses import replace

from semhub.data import cogs
from semhub.data.logic import ROLES
from semhub.methods.declare import Compare, DecodeMarks, Lens, Place
from semhub.tasks import Given, task
from semhub.types import Concept, Mark

TYPES = ("en", "formula")
RELEASE_ROWS, SENTENCES, MARKS = 10_000, 400, 2000
CONTRASTS = ("swapped", "swapped-shuffled")
NORMS = {None: "final", "no-norm": "none"}


# 12. similarity ------------------------------------------------------------------------------------------------------


@task(
    "semantics/similarity",
    question="Do a sentence and its logical form lie closer together than sentences and forms of other meanings?",
    paper="its part on formal semantics, Eq. 1, figure 9; PROTOCOL row 12",
    types=TYPES,
    needs=TYPES,
    data="sentences and logical forms: the world's, or COGS (--data formula=cogs/train.tsv)",
    positions="last; in sound also mean over content",
    baseline="(a) other forms; (b) the form, its two names swapped; (c) that, its conjuncts shuffled; "
    "in sound also the true form shuffled, and other forms of most tokens in common",
    measure="adjusted_cosine; in sound also p_at_1 both ways, p_value, mrr, csls_at_1, mutual_knn, cka",
    method="Sentences and logical forms are compared by S_l (Eq. 1), also against the form with its roles exchanged and with its "
    "conjuncts shuffled.",
    against="closeness that is gone against swapped names, or against a shuffled form of the same meaning as much as against them",
)
def similarity(protocol: str, given: Given) -> Compare:
    """`paper` reproduces the release: (a) S_l over the first 10,000 sentences, (b) and (c) over those with exactly two proper names.

    COGS train has 2,233 of the latter among all its 24,155 rows (909 among the first 10,000): all of them are compared.
    Its 143 rows that are single words are left out. The world has no names; there the two beings change their roles.
    """
    rows, named, spared = sentences(given, protocol)
    if protocol == "paper":
        sets = {"rows": [replace(c, contrasts={}) for c in rows], "two-names": named}
        sets = {name: found for name, found in sets.items() if len(found) > 1}
        return Compare(TYPES, sets, controls=CONTRASTS, first_layer=1, normed_end=True, intervals=False, left_out=spared)
    places, measures = (Place("last"), Place("mean", at="mean")), ("adjusted_cosine", "p_at_1", "p_value")
    beside = ("standardised", "mrr", "csls_at_1", "mutual_knn", "cka")
    sets = {"test": named if len(named) > 1 else rows}
    return Compare(
        TYPES,
        sets,
        places,
        ("raw", "centred"),
        measures,
        beside,
        (*CONTRASTS, "shuffled"),
        cluster="source",
        strata=("template",),
        alike=True,
        left_out={"test": spared.get("two-names" if len(named) > 1 else "rows", {})},
    )


def sentences(given: Given, protocol: str) -> tuple[list[Concept], list[Concept], dict[str, dict[str, int]]]:
    """(those for S_l, those whose names can be swapped, what neither took): of COGS, or of the world, where all can."""
    if "formula" not in given.data:
        found = given.world.logical_sentences(given.many(SENTENCES), split="test", seed=given.seed)
        return found, found, {}
    items = given.data["formula"].items
    named = [each for each in items if len(each.form.names()) == 2]
    rows = [each for each in items if int(each.id) <= RELEASE_ROWS]
    most = given.many(len(named) if protocol == "paper" else SENTENCES)
    whole, swapped = rows[: given.many(RELEASE_ROWS)], named[:most]
    spared = {
        "rows": given.beyond(len(items), len(whole)),
        "two-names": {"has not exactly two proper names": len(items) - len(named)} | given.beyond(len(named), len(swapped)),
    }
    return cogs.concepts(whole, given.seed), cogs.concepts(swapped, given.seed), spared


# 13. role lens -------------------------------------------------------------------------------------------------------


@task(
    "semantics/role-lens",
    question="Do the middle layers speak the role that a name is about to play in what the sentence means?",
    paper="its part on formal semantics, Eq. 2; PROTOCOL row 13",
    types=("en", "formula"),
    needs=("en", "formula"),
    data="sentences of COGS with names drawn anew (--data formula=cogs/train.tsv), or the world's with their nouns",
    positions="the token before each one-token name but a sentence's first",
    baseline="each role's mean over all names, whatever they play; in sound also random states",
    measure="prob, logprob, prob_excess, by true role and role looked up; in sound also lift, accuracy (among roles), eligible",
    method="The lens reads the names of roles before a name is written, each minus its mean over all names, whatever they play.",
    against="prob_excess of the true role not above 0, or the roles no better told apart than by chance",
)
def role_lens(protocol: str, given: Given) -> DecodeMarks:
    """`paper` reproduces the release: raw residual, p of "agent", "theme" and "recipient" before each name, minus the role's mean.

    Groups are `<true role>:<role looked up>`. A name that opens its sentence, plays several roles or another one is left
    out, and counted.
    """
    (marks, without), most = places(given), given.many(MARKS) if "formula" not in given.data else given.limit
    if protocol == "paper":
        lens = Lens({None: "none"}, first_layer=1, normed_end=True, intervals=False)
        return DecodeMarks(ROLES, {None: marks}, lens, excess=True, left_out={None: without}, most=most)
    lens = Lens(NORMS, wrong=True, floor=True, accuracy=True)
    return DecodeMarks(ROLES, {None: marks}, lens, excess=True, left_out={None: without}, most=most)


def places(given: Given) -> tuple[Sequence[Mark], dict[str, str]]:
    if "formula" not in given.data:
        return given.world.role_marks(max(MARKS, given.many(MARKS)), split="test", seed=given.seed), {}
    return cogs.role_marks(given.data["formula"].items, given.seed)
