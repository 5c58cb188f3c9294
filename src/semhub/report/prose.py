"""Texts of the page that hang on what was run, not on what was found: how to read it, objections, methods, citation, provenance.

Composed by rule from spec and readings; quotes no value.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from semhub.report.folder import Run, listed, mapped
from semhub.report.origins import items_told, source_told
from semhub.report.words import count, listing, written
from semhub.verdicts.judging import CLAIMS
from semhub.verdicts.slices import distinct
from semhub.verdicts.thresholds import told

PAPER = """\
@inproceedings{wu2025semantichub,
  title     = {The Semantic Hub Hypothesis: Language Models Share Semantic Representations Across Languages and Modalities},
  author    = {Wu, Zhaofeng and Yu, Xinyan Velocity and Yogatama, Dani and Lu, Jiasen and Kim, Yoon},
  booktitle = {The Thirteenth International Conference on Learning Representations},
  year      = {2025},
  note      = {arXiv:2411.04986},
  url       = {https://arxiv.org/abs/2411.04986}
}"""


def bibtex(run: Run) -> str:
    """The paper, and semhub in the version that made the run."""
    version = mapped(run.spec.get("versions")).get("semhub", "unknown")
    own = (
        "@software{semhub,\n"
        "  title   = {semhub: does a language model keep one shared space of meaning, and does it use it?},\n"
        f"  version = {{{brace(str(version))}}},\n"
        "  note    = {Computer program}\n}"
    )
    return f"{PAPER}\n\n{own}\n"


def brace(text: str) -> str:
    return "".join(c for c in text if c.isprintable() and c not in "{}\\")


GLOSSARY = {
    "layer": (
        "A language model rewrites its inner state of each word step by step. Layer 0 is the state before the first step, "
        "the last layer the one from which the next word is chosen; the middle layers lie between."
    ),
    "S": (
        "How much more alike the states of two texts of the same meaning are than those of two texts that have nothing to do with "
        "each other: a mean difference of cosines. 0 means no more alike; 1 is the most there can be."
    ),
    "P@1": "The share of texts whose true translation is the nearest of all texts of the other language.",
    "lens": "What a layer would say if the model had to choose its next word there and then.",
    "push": (
        "Adding to the model's states, while it writes, the difference between its states for two words (good and bad). "
        "Its strength is counted in mean lengths of a state."
    ),
    "interval": (
        "The range in square brackets, and the shade around a curve: if the experiment were repeated with other items of the same "
        "kind, 95 of 100 such ranges would hold the true mean."
    ),
    "verdict": (
        "Supported: the whole interval lies at or above the smallest effect that would matter, every control was beaten, and chance is "
        "ruled out after correction for all tests of the run. Contradicted: the whole interval lies below the smallest effect that would "
        "matter. Undecided: anything else; that no effect could be shown is no proof that there is none."
    ),
    "control model": (
        "A model in which no hub is expected: untrained (random weights), or trained on texts whose translations were swapped "
        "for random ones (mispaired). What a control shows too is no sign of a hub."
    ),
}


# objections ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Objection:
    """What a careful reader would ask, and where this run answers it: a column of the readings that must hold a value."""

    asked: str
    answer: str
    column: str
    value: str


OBJECTIONS = (
    Objection("A model without training may look the same.", "The untrained twin stands in every panel.", "role", "control:untrained"),
    Objection("Training without true translations may do.", "The mispaired control stands in every panel.", "role", "control:mispaired"),
    Objection("A shared last word could do it.", "Negatives with the same last word stand beside.", "control", "same-last-word"),
    Objection("The form of the sentence could do it.", "Negatives with the roles swapped stand beside.", "control", "swapped"),
    Objection("Length, template or shared tokens could.", "The p-value permutes meanings among like items only.", "measure", "p_value"),
    Objection("All states may point one way.", "The same figures with states centred per type.", "variant", "centred"),
    Objection("The best layer was picked.", "The p-value takes the maximum over layers.", "measure", "p_value"),
    Objection("Frequent words win every lens.", "Wrong words of the same kind and frequency stand beside.", "control", "wrong-word"),
    Objection("The lens may read noise.", "Random states of the same length stand beside.", "control", "random-state"),
    Objection("The norm before the lens may make it.", "The same without the norm.", "variant", "no-norm"),
    Objection("The lens itself may mislead.", "A second reader (an affine map to the last layer).", "variant", "affine"),
    Objection("Words of one token are a special choice.", "The share of items used, and single-token ones apart.", "measure", "eligible"),
    Objection("Any large push changes any output.", "A random direction of the same length.", "control", "random-direction"),
    Objection("Any word would do.", "Neutral words of the same kind.", "control", "neutral-word"),
    Objection("The push is read as a word.", "The same words put into the prompt as text.", "control", "as-text"),
    Objection("A table of words would do.", "The same push at layer 0.", "control", "layer-0"),
    Objection("Layer and strength were picked.", "They were chosen on one half of the prompts.", "split", "choose"),
)


def objections(run: Run) -> list[tuple[str, str, bool]]:
    """(objection, what this run holds against it, whether it holds anything)."""
    roles = {s.role for s in run.subjects}
    present = {column: set(distinct(run.readings[column])) for column in ("control", "variant", "split", "measure")} | {"role": roles}
    told = lambda o, held: (o.asked, o.answer if held else "Not answered by this run.", held)  # noqa: E731
    return [told(o, o.value in present[o.column]) for o in OBJECTIONS]


# methods and provenance ----------------------------------------------------------------------------------------------


def title(run: Run) -> str:
    """What the page asks, of every model that a task was asked of."""
    return f"Is there a semantic hub in {listing(subject.name for subject, _ in run.asked)}?"


def asked_told(run: Run) -> list[str]:
    """Each model that is no control, with its role; where the tasks went to several, with its tasks."""
    role = lambda subject: f" ({subject.role})" if subject.role else ""  # noqa: E731
    tasks = lambda mine: f": {', '.join(mine)}" if run.several else ""  # noqa: E731
    return [f"model: {subject.name}{role(subject)}{tasks(mine)}" for subject, mine in run.asked]


def methods(run: Run) -> str:
    """A paragraph to paste: models and their tasks, items, protocol, measures, inference."""
    version = mapped(run.spec.get("versions")).get("semhub", "(version not recorded)")
    seed = run.spec.get("seed", "not recorded")
    examined = listing(f"{subject.name} ({', '.join(mine)})" if run.several else subject.name for subject, mine in run.asked)
    names = listing(s.name for s in run.controls)
    beside = f", beside {count(len(run.controls), 'control model')} ({names})" if names else ", without a control model"
    return (
        f"We examined {examined}{beside} with semhub {version} (protocol “{run.protocol}”, seed {seed}), following Wu et al. (2025). "
        f"{items_told(run)} {measured(run)}"
    )


def measured(run: Run) -> str:
    """How each task of the run measures, as it states itself, and how sure its figures are."""
    if run.protocol == "paper":
        return "Procedures, positions and baselines are those of the paper's release; no interval is computed."
    told = [str(stated["method"]) for stated in run.tasks.values() if stated.get("method")]
    return " ".join([*told, "Intervals are 95% bootstrap intervals over items, clustered where items share a source."])


def needs_told() -> list[tuple[str, list[tuple[str, str]]]]:
    """What each claim needs to be supported: (claim, (need, how it is decided))."""
    return [(claim.CLAIM, [(name, what.replace("`", "")) for name, what in claim.NEEDS.items()]) for claim in CLAIMS]


def thresholds_told(run: Run) -> list[tuple[str, str, str]]:
    """(name, value, what it is) of every threshold that decided this page's verdicts."""
    told_of = told()
    values = run.limits.as_dict()
    return [(name, ", ".join(value) if isinstance(value, list) else str(value), told_of[name]) for name, value in values.items()]


def provenance(run: Run) -> list[tuple[str, str]]:
    """What a reader needs to make the run again."""
    data = mapped(run.spec.get("data"))
    facts = [
        ("protocol", run.protocol),
        ("seed", run.spec.get("seed")),
        ("limit of items per task", run.spec.get("limit") or "none"),
        ("types", ", ".join(str(t) for t in listed(run.spec.get("types"))) or None),
        ("data", f"{data['source']} (hash {data.get('hash', 'not recorded')})" if data.get("source") else None),
        *([("licence of the data", data["licence"])] if data.get("licence") else []),
        *([("commit of the data", data["revision"])] if data.get("revision") else []),
        *((f"data: {name}", source_told(mapped(each))) for name, each in mapped(data.get("kinds")).items()),
        ("rows left out as bad", data.get("skipped")),
        ("scorers of generated text", run.spec.get("scorers")),
        *mapped(run.spec.get("versions")).items(),
    ]
    return [(name, "not recorded" if value is None else str(value)) for name, value in facts]


def certificate(subject) -> list[tuple[str, str, str]]:
    """(check, result, error against tolerance) of a model's certificate."""
    checks = [mapped(c) for c in listed(mapped(subject.facts.get("certificate")).get("checks"))]
    told = {True: "passed", False: "failed"}
    error = lambda c: f"{short(c.get('error'))} (allowed {short(c.get('tolerance'))})"  # noqa: E731
    return [(str(c.get("name", "unnamed")), told.get(c.get("passed"), "not recorded"), error(c)) for c in checks]


def short(value: object) -> str:
    return f"{value:.2g}" if isinstance(value, (int, float)) else written(None)


def subjects_told(run: Run) -> Iterable[dict[str, str]]:
    """One entry per model: name, role, revision, hash, layers."""
    told = lambda value: "not recorded" if value is None else str(value)  # noqa: E731
    for subject in run.subjects:
        facts = {key: told(subject.facts.get(key)) for key in ("revision", "weights_hash", "layers")}
        yield {"name": subject.name, "role": subject.role or "given by the user"} | facts
