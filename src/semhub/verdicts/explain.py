"""How each verdict is decided, told from the needs of the claims and the thresholds themselves: the text of `docs/verdicts.md`.

`python -m semhub.verdicts.explain` writes it; a test compares the two, so that the page cannot go stale.
"""

from dataclasses import fields
from pathlib import Path

from semhub.verdicts import anchored, shared, used
from semhub.verdicts.evidence import NULLS, Null
from semhub.verdicts.thresholds import LIMITS, Thresholds, example, told

PAGE = Path(__file__).parents[3] / "docs" / "verdicts.md"

START = """\
# How verdicts are decided

*Written by `python -m semhub.verdicts.explain` from `src/semhub/verdicts/`; a test keeps the two alike.*

The hypothesis is three claims, and a model can satisfy one without the others. Each is judged for every pair of types (for *anchored*:
every type of prompt), of every model in a run, the controls included:

- **supported**: the whole 95% interval of the effect lies at or above the smallest effect of interest, everything that the claim needs
  was measured and holds, and the corrected p-value is at most `alpha`.
- **contradicted**: the upper end of the interval lies below the smallest effect of interest, at every layer where the claim could hold.
- **undecided**: anything else. A p-value above `alpha` alone never contradicts, and what was not measured never supports.

Of several positions or subsets of items a verdict reads the one that its task's declaration names first, which the run keeps
(`headline` in `parts/*.json`).

`verdicts.json` lists them, each with its effect and interval, p-value (`p` corrected, `p_raw` not), the controls (name, effect beyond the
control, interval, passed, and `why` not where the interval does not tell), the objections (first those that decided it, which
`reasons` names one by one; then those that remain) and the thresholds that were used.
"""

NULLED = """\
## Control models

A control model counts against a claim where nothing is expected of it. The types of a group are those of the pair or push; of prompts,
theirs and the one whose word is read:

"""

SHOWN_AND_MATCHED = """\
A mispaired model that sees or hears is no null where a group joins pictures or sounds with a language in which it was told of them: that
pairing was true, only translations were not. The bundled ones were told in English alone, so they are no null for images or sounds and
English, and one for images or sounds and every other language. What a model was shown is read from `types` of the model in `spec.json`;
where a run recorded none, a mispaired model counts as a null everywhere.

A trained control ought to be as good as the model in every type (nine tenths of its accuracy, `semhub lab card CONTROL --beside MODEL`),
since one that has learnt less has less to show. The types in which a bundled control falls short stand in `spec.json` as `unmatched`; where
nothing is recorded, nothing is known. Such a control is judged like any other, and its being weak alters no verdict: where it shows the
effect all the same, that counts against the claim; where it is beaten, an objection says in which type of the group it is weak, and the
table of controls marks it with an asterisk. No claim needs a trained control (*shared* needs the untrained twin), so none is undecided for
want of a good one, and to leave a weak one out would only make a claim easier.
"""

CORRECTION = """\
## p-values

They are corrected by Holm's method over all tests of one model in the run, over all claims and tasks. The tests of a control model are no
questions of the run and weigh on that model's verdicts alone. A p-value of permuted meanings cannot be smaller than one over the number of
permutations plus one; with many tests in a run it then stays above `alpha` after correction, and the claim is undecided. Without a
p-value among the readings, signs of items are flipped, whole sources together (largest studentised mean over layers and candidates);
without items, the interval is taken for that of a normal curve and its p-value multiplied by the number of layers.
"""

ENDING = """\
A file gives other values, such as `similarity = 0.1`:

    semhub run --thresholds mine.toml
    semhub report runs/DIR --thresholds mine.toml     # the same readings judged again
    semhub compare runs/A runs/B --thresholds mine.toml

Without `--thresholds` the first two use the defaults above, and `compare` those by which its first run was judged.
"""


def page(limits: Thresholds = LIMITS) -> str:
    """The whole page, as Markdown."""
    parts = [START, *map(needs, (shared, anchored, used)), NULLED + nulls(), SHOWN_AND_MATCHED, CORRECTION, thresholds(limits), ENDING]
    return "\n".join(parts)


def needs(claim) -> str:
    """One claim: the question that its module opens with, and what it needs."""
    question = claim.__doc__.strip().splitlines()[0]
    rows = "\n".join(f"| {name} | {what.replace('|', '&#124;')} |" for name, what in claim.NEEDS.items())
    return f"## {claim.CLAIM}\n\n{question}\n\n| needs | decided by |\n|---|---|\n{rows}\n"


def nulls() -> str:
    """What each kind of control is a null for."""
    rows = "\n".join(f"| {kind} | {about(null)} |" for kind, null in NULLS.items())
    return f"| control | is a null for |\n|---|---|\n{rows}\n| any other | {about(Null())} |\n"


def about(null: Null) -> str:
    if not null.claims:
        return "nothing"
    of, but = f", of groups with {null.type}" if null.type else "", f", but not in `{null.taught_in}`" if null.taught_in else ""
    return f"{', '.join(null.claims)}{of}{but}"


def thresholds(limits: Thresholds) -> str:
    rows = [
        f"| `{each.name}` | {shown(getattr(limits, each.name))} | {told()[each.name].replace('|', '&#124;')} |" for each in fields(limits)
    ]
    return "\n".join(["## Thresholds", "", "| name | default | what it is |", "|---|---|---|", *rows, ""])


def shown(value: object) -> str:
    return ", ".join(f"`{each.replace('|', '&#124;')}`" for each in value) if isinstance(value, tuple) else f"`{example(value)}`"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
