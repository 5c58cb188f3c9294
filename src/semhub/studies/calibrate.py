"""CALIBRATE: are p-values uniform and verdicts rarely wrong where nothing is to be found, and are both sharp where something is?

P-values come from untrained networks, from grown models turned at random, and from shuffled meanings (`nulls`); verdicts from
untrained networks asked for real, and from tables in which a claim is false at its very edge (`planted`). Every draw is the very
test of `methods.compare`, or the very judgement of a run; finished chunks are kept. Draws no picture.

    spec.json              what was asked
    parts/<chunk>.json     the draws of one chunk
    calibration.parquet    one row per draw: source, model, group, draw, items, p, claim, verdict
    calibration.json       per source: draws, models, Kolmogorov-Smirnov distance and p, share of p <= 0.05 with its upper end;
                           per claim: share of false "supported" with its upper end; power
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from fractions import Fraction
from functools import cache, partial
from itertools import combinations
from pathlib import Path

import numpy as np

from semhub.data import world
from semhub.errors import BadInput
from semhub.measures.statistics import share_at_most, uniformity
from semhub.methods import alike
from semhub.methods.compare import PERMUTATIONS
from semhub.methods.declare import Decode, Judges, Lens, Steer
from semhub.runs import store
from semhub.runs.plan import known_hash
from semhub.studies import nulls, planted
from semhub.studies.kept import begin, table
from semhub.studies.nulls import FACETS, FIRST_SEED, Shown

ALPHA = 0.05
SMALLEST = 0.05  # S, the smallest effect of interest
ITEMS = 500  # of a default run
AT_FULL = 16  # untrained networks with as many items as a default run has
TURNED = 0.12  # of all draws, those of each grown model
TURNS = 2  # of one set of items
SETS = 4  # of the hub's items, shuffled over and over
POWER_DRAWS = 40
ASKED_LENS, ASKED_STEER, PROMPTS = 60, 12, 40  # untrained networks that are asked for real, and how much
PUSH_LAYER, PUSH_STRENGTH = 3, 0.4
PAIRS = tuple(combinations(world.LANGUAGES, 2))
NULLS = ("untrained", "untrained-full", "turned", "shuffled")  # exact: p should be uniform
SHOWN = ("grown",)  # shown beside them: nothing should be shared, and something may be
POWERED = ("hub", "planted")
TABLES, ASKED = "tables", "untrained"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a study is asked to do: `draws` null p-values in all, `seeds` of them from as many untrained networks, `items` in each;
    `tables` of each kind in which a claim is false."""

    draws: int = 1000
    seeds: int = 200
    items: int = 100
    tables: int = 60
    seed: int = 0
    models: tuple[str, ...] = ()

    def __post_init__(self):
        for name, least in (("draws", 1), ("seeds", 0), ("items", 20), ("tables", 0)):
            if getattr(self, name) < least:
                raise BadInput(f"--{name} {getattr(self, name)}: it must be {least} or more.")


QUICK = {"draws": 240, "seeds": 40, "tables": 10}


@dataclass(frozen=True, slots=True)
class Draw:
    """One p-value of a source, model and pair of types, with how many items; or one verdict on a claim (`p` None)."""

    source: str
    model: str
    group: str
    draw: int
    items: int
    p: float | None = None
    claim: str = ""
    verdict: str = ""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Draws that are made together and kept together."""

    name: str
    size: int
    make: Callable[[], list[Draw]] = field(repr=False)

    @property
    def kind(self) -> str:
        """`untrained` of `untrained-0005`, `false-shared` of `false-shared-no-meaning`."""
        return "-".join(self.name.split("-")[: 2 if self.name.startswith(("false", "true", "asked")) else 1])


def calibrate(
    out: Path,
    draws: int = 1000,
    seeds: int = 200,
    items: int = 100,
    tables: int = 60,
    seed: int = 0,
    models: Sequence[str] = (),
    progress: Callable[[int, int, str], None] | None = None,
) -> dict:
    """Make the missing draws in `out` and sum all up -> the content of `calibration.json`. The same call again goes on where it stopped.

    `models`: further grown models that share nothing by construction, beside the bundled ones. `progress(done, all, chunk)`.
    What is there so far is summed up after every chunk. Raises BadInput for numbers too small, RunMismatch for a folder of another
    study, ModelNotFound.
    """
    asked = Asked(draws, seeds, items, tables, seed, tuple(models))
    out, told = Path(out), progress or (lambda done, total, source: None)
    begin(out, record(asked))
    with store.claimed(out):
        chunks = interleaved(list(planned(asked)))
        done, total, found, seconds, summary = 0, sum(chunk.size for chunk in chunks), [], 0.0, {}
        for chunk in chunks:
            told(done, total, chunk.name)
            new, part = not (out / "parts" / f"{chunk.name}.json").exists(), once(out, chunk)
            found += [Draw(**row) for row in part["draws"]]
            seconds += part["seconds"]
            done += chunk.size
            if new or chunk is chunks[-1]:
                summary = {"asked": record(asked), "finished": chunk is chunks[-1], "seconds": round(seconds, 1), **summed(found)}
                store.write_whole(out / "calibration.parquet", table([asdict(draw) for draw in found]))
                store.write_whole(out / "calibration.json", store.to_json(summary))
        told(total, total, "done")
    return summary


def record(asked: Asked) -> dict:
    fixed = {"alpha": ALPHA, "smallest": SMALLEST, "permutations": PERMUTATIONS, "full": ITEMS, "power_draws": POWER_DRAWS}
    weights = {name: known_hash(name) for name, *_ in nulls.grown(asked.models)}
    return {"study": "calibrate", **asdict(asked), "models": list(asked.models), **fixed, "weights": weights}


def interleaved(chunks: Sequence[Chunk]) -> list[Chunk]:
    """Every kind of chunk spread evenly over the study, so that what is there when it is stopped says something of each."""
    kinds: dict[str, list[Chunk]] = {}
    for chunk in chunks:
        kinds.setdefault(chunk.kind, []).append(chunk)
    places = [((i + 0.5) / len(mine), chunk) for mine in kinds.values() for i, chunk in enumerate(mine)]
    return [chunk for _, chunk in sorted(places, key=lambda place: place[0])]


def once(out: Path, chunk: Chunk) -> dict:
    """The draws of a chunk and the processor's seconds they took: those kept, or made now."""
    path = out / "parts" / f"{chunk.name}.json"
    if not path.exists():
        started = time.process_time()
        made = [asdict(draw) for draw in chunk.make()]
        store.write_whole(path, store.to_json({"draws": made, "seconds": round(time.process_time() - started, 2)}))
    return store.read_json(path)


# what is drawn -------------------------------------------------------------------------------------------------------


def planned(asked: Asked) -> Iterator[Chunk]:
    """P-values of untrained networks, of grown nulls, and of shuffles for the rest; power; verdicts."""
    seeds = min(asked.seeds, asked.draws)
    for start in range(0, seeds, 5):
        numbers = range(start, min(start + 5, seeds))
        yield Chunk(f"untrained-{start:04}", 2 * len(numbers), partial(untrained, asked, numbers, "untrained", asked.items))
    left = asked.draws - seeds
    for name, types, null in nulls.grown(asked.models) if left else ():
        pairs = list(combinations(types, 2))
        for number in range(max(1, round(TURNED * asked.draws / len(pairs) / TURNS))):
            size = min(TURNS * len(pairs), left)
            left -= size
            if size:
                yield Chunk(f"grown-{store.slug(name)}-{number:04}", size, partial(grown, asked, name, types, null, number, size))
    hub = cache(
        lambda number: nulls.read(nulls.opened(None), nulls.scenes(asked.seed, number, asked.items, "shuffled"), world.LANGUAGES, FACETS)
    )
    for start in range(0, left, 24):
        numbers = range(start, min(start + 24, left))
        yield Chunk(f"shuffled-{start:04}", len(numbers), partial(shuffled, hub, numbers, asked.items))
    pool = cache(lambda: nulls.read(nulls.opened(None), nulls.scenes(asked.seed, 0, ITEMS, "power"), ("en", "es"), FACETS))
    for start in range(0, POWER_DRAWS, 10):
        yield Chunk(f"hub-{start:04}", 10, partial(of_hub, asked, pool, range(start, start + 10)))
        yield Chunk(f"planted-{start:04}", 10, partial(organisms, asked, pool, range(start, start + 10)))
    yield from judged(asked, pool)
    for start in range(0, AT_FULL if seeds else 0, 2):
        numbers = range(seeds + start, seeds + start + 2)
        yield Chunk(f"full-{start:04}", 4, partial(untrained, asked, numbers, "untrained-full", ITEMS))


def judged(asked: Asked, pool: Callable[[], Shown]) -> Iterator[Chunk]:
    """Verdicts where a claim is false, then where it is true, then of untrained networks that are asked for real."""
    pools = {
        "shared": cache(lambda: planted.Similar(*pool().influences("en", "es"))),
        "anchored": cache(hub_spoken),
        "used": cache(hub_pushed),
    }
    many = min(asked.tables, POWER_DRAWS)
    for claim, cases in planted.FALSE.items():
        for case in cases if asked.tables else ():
            yield Chunk(f"false-{claim}-{store.slug(case)}", asked.tables, partial(tables, asked, claim, case, pools[claim], asked.tables))
    for claim, cases in planted.TRUE.items():
        for case in cases if asked.tables else ():
            yield Chunk(f"true-{claim}-{store.slug(case)}", many, partial(tables, asked, claim, case, pools[claim], many))
    for claim, ask, most in (("anchored", asked_lens, ASKED_LENS), ("used", asked_steer, ASKED_STEER)):
        for start in range(0, min(most, asked.tables), 4):
            numbers = range(start, min(start + 4, most, asked.tables))
            yield Chunk(f"asked-{claim}-{start:04}", len(numbers), partial(asked_really, asked, claim, ask, numbers))


def untrained(asked: Asked, numbers: Sequence[int], source: str, items: int) -> list[Draw]:
    """One network of random weights per draw, on items of unequal lengths, some of which share figures; no template is told.

    Each gives a p-value, and a verdict beside another network of the chunk as its twin.
    """
    left, right = PAIRS[numbers[0] // max(1, len(numbers)) % len(PAIRS)]
    found, parts = [], []
    for number in numbers:
        network = nulls.random_network(FIRST_SEED + 1000 * asked.seed + number)
        shown = nulls.read(network, nulls.uneven(asked.seed, number, items), (left, right), ())
        found.append(Draw(source, f"seed {number}", f"{left}-{right}", number, items, shown.p(left, right, seed=number)))
        parts.append(shown.influences(left, right))
    for i, draw in enumerate(list(found)):
        twin = parts[i - 1][0] if len(parts) > 1 else None
        word = planted.shared(*parts[i], twin, draw.p)
        found.append(replace(draw, source=ASKED, p=None, claim="shared", verdict=word))
    return found


def grown(asked: Asked, name: str, types: tuple[str, ...], null: bool, number: int, size: int) -> list[Draw]:
    """All pairs of types of one grown model, one side turned at random, on items that no other draw has; a null also as it stands."""
    shown = nulls.read(nulls.opened(name), nulls.scenes(asked.seed, number, asked.items, "grown"), types, FACETS)
    pairs, found = list(combinations(types, 2)), []
    for k in range(size):
        a, b = pairs[k % len(pairs)]
        draw = Draw("turned", name, f"{a}-{b}", number, asked.items)
        found.append(replace(draw, p=shown.turned(b, FIRST_SEED + 1000 * number + k).p(a, b, seed=number)))
    as_it_stands = [Draw("grown", name, f"{a}-{b}", number, asked.items, shown.p(a, b, seed=number)) for a, b in pairs if null]
    return found + as_it_stands


def shuffled(hub: Callable[[int], Shown], numbers: Sequence[int], items: int) -> list[Draw]:
    """The hub's own states, each meaning beside another one of its stratum."""
    found = []
    for number in numbers:
        left, right = PAIRS[number % len(PAIRS)]
        p = hub(number // 24 % SETS).shuffled(left, right, FIRST_SEED + number).p(left, right, seed=number)
        found.append(Draw("shuffled", "hub", f"{left}-{right}", number, items, p))
    return found


def of_hub(asked: Asked, pool: Callable[[], Shown], numbers: Sequence[int]) -> list[Draw]:
    """The bundled hub as it is, on half as many items as a default run has."""
    found = []
    for number in numbers:
        rows = np.random.default_rng([asked.seed, number]).permutation(ITEMS)[: ITEMS // 2].tolist()
        found.append(Draw("hub", "hub", "en-es", number, len(rows), pool().of(rows).p("en", "es", seed=number)))
    return found


def organisms(asked: Asked, pool: Callable[[], Shown], numbers: Sequence[int], dim: int = 128, layers: int = 8) -> list[Draw]:
    """The words of the same items at random, type by type, and in one layer a meaning that both types share at S of `SMALLEST`."""
    found = []
    for number in numbers:
        tokens = pool().tokens
        states = nulls.planted_states(*alike.aligned(*tokens.values()), 1000 * asked.seed + number, dim, layers, SMALLEST)
        p = replace(pool(), states=dict(zip(tokens, states, strict=True))).p("en", "es", seed=number)
        found.append(Draw("planted", f"organism {number}", "en-es", number, ITEMS, p))
    return found


# verdicts ------------------------------------------------------------------------------------------------------------


def tables(asked: Asked, claim: str, case: str, pool: Callable, many: int) -> list[Draw]:
    """Verdicts on tables of one kind, each of items drawn anew."""
    found = []
    for number in range(many):
        rng = np.random.default_rng([asked.seed, number, *case.encode()])
        found.append(Draw(TABLES, f"table {number}", case, number, pool().items, claim=claim, verdict=pool().verdict(case, rng)))
    return found


def hub_spoken() -> planted.Spoken:
    return planted.spoken(nulls.opened(None), lens_of(("en", "es", "zh"), None), "es")


def hub_pushed() -> planted.Pushed:
    return planted.pushed(nulls.opened(None), steering_of(None), "es", PUSH_LAYER, PUSH_STRENGTH)


def lens_of(types: tuple[str, ...], limit: int | None) -> Decode:
    """`multilingual/lens` on Spanish prompts, without the other readers."""
    from semhub.tasks import find, given

    ask = find("multilingual/lens")("sound", given(types=types))
    spanish = [c for c in ask.sets["test"] if c.type == "es"][:limit]
    return replace(ask, sets={"test": spanish}, lens=Lens(wrong=True, anchor=True, cluster="source"))


def steering_of(limit: int | None) -> Steer:
    """`multilingual/steering` of Spanish outputs by English words, judged by sentiment alone."""
    from semhub.tasks import find, given

    ask = find("multilingual/steering")("sound", given(types=("en", "es"), limit=limit))
    return replace(ask, pushes={"en": ask.pushes["en"]}, judges={ask.target: ask.judges[ask.target]}, at_choice=(), judged_by=Judges)


def asked_lens() -> Decode:
    return lens_of(("en", "es", "zh"), PROMPTS)


def asked_steer() -> Steer:
    return replace(steering_of(PROMPTS // 2), depths=(Fraction(0), Fraction(3, 8)), strengths=(PUSH_STRENGTH,))


def asked_really(asked: Asked, claim: str, ask: Callable, numbers: Sequence[int]) -> list[Draw]:
    """Untrained networks that are asked as a run asks a model, with few items."""
    from semhub.methods import carry_out
    from semhub.methods.bench import Bench

    found, declared = [], ask()
    for number in numbers:
        network = replace(nulls.random_network(FIRST_SEED + 1000 * asked.seed + number), name=planted.NAME)
        result = carry_out(declared, Bench(network, planted.TASK, "sound", number))
        word = planted.judged(claim, result.readings, result.outcomes, network.layers)
        found.append(Draw(ASKED, f"seed {number}", claim, number, PROMPTS, claim=claim, verdict=word))
    return found


# summing up ----------------------------------------------------------------------------------------------------------


def summed(found: Sequence[Draw]) -> dict:
    """Per null source how uniform its p are, with its models and pairs apart; per claim how often it is falsely supported; power."""
    of = lambda source: [draw for draw in found if draw.source == source and draw.p is not None]  # noqa: E731
    verdicts = [draw for draw in found if draw.claim]
    return {
        "alpha": ALPHA,
        "nulls": {s: {**uniform(of(s)), "exact": s in NULLS, "groups": by_group(of(s))} for s in (*NULLS, *SHOWN) if of(s)},
        "verdicts": {claim: false_ones(claim, verdicts) for claim in planted.FALSE if any(d.claim == claim for d in verdicts)},
        "power": {source: powered(of(source)) for source in POWERED if of(source)} | found_by_claim(verdicts),
    }


def uniform(draws: Sequence[Draw]) -> dict:
    """Of one source; draws of one model and pair share what that model is, and count as one cluster, unless each has a rotation or
    a permutation of its own."""
    p, clusters = np.array([draw.p for draw in draws]), [f"{draw.model} {draw.group}" for draw in draws]
    clusters = None if draws[0].source in ("turned", "shuffled") else clusters
    distance, chance_of_it = uniformity(p, clusters)
    share, upper = share_at_most(p <= ALPHA, clusters)
    facts = {"ks": distance, "ks_p": chance_of_it, "false": share, "false_upper": upper}
    models = len({draw.model for draw in draws})
    return {"draws": len(draws), "models": models} | {name: rounded(value) for name, value in facts.items()}


def by_group(draws: Sequence[Draw]) -> list[dict]:
    """The same of each pair of types (and of each grown model)."""
    names = dict.fromkeys((draw.model if draw.source in ("turned", "grown") else "", draw.group) for draw in draws)
    found = []
    for model, group in names:
        mine = np.array([draw.p for draw in draws if draw.group == group and model in ("", draw.model)])
        distance, chance_of_it = uniformity(mine)
        facts = {"ks": distance, "ks_p": chance_of_it, "false": (mine <= ALPHA).mean(), "mean_p": mine.mean()}
        found.append({"model": model, "group": group, "draws": len(mine)} | {name: rounded(value) for name, value in facts.items()})
    return found


def false_ones(claim: str, verdicts: Sequence[Draw]) -> dict:
    """How often a claim that is false is called supported: in all kinds of table together, and in each; of untrained networks too.

    A network counts once, however many verdicts it gets; every table is of items drawn anew.
    """
    mine = [d for d in verdicts if d.claim == claim and (d.source == ASKED or d.group in planted.FALSE[claim])]
    kinds = dict.fromkeys("untrained networks" if d.source == ASKED else d.group for d in mine)
    of = lambda kind: [d for d in mine if (kind == "untrained networks") == (d.source == ASKED) and (d.source == ASKED or d.group == kind)]  # noqa: E731
    return {**shares(mine), "kinds": [{"kind": kind, **shares(of(kind))} for kind in kinds]}


def shares(verdicts: Sequence[Draw]) -> dict:
    units: dict[tuple, bool] = {}
    for d in verdicts:
        key = (d.source, d.model) if d.source == ASKED else (d.source, d.model, d.group)
        units[key] = units.get(key, False) or d.verdict == "supported"
    share, upper = share_at_most(list(units.values()))
    return {"draws": len(units), "supported": sum(units.values()), "false": rounded(share), "false_upper": rounded(upper)}


def found_by_claim(verdicts: Sequence[Draw]) -> dict:
    """Of tables in which a claim is true, the share that is called supported, p corrected as over a whole run."""
    kinds = dict.fromkeys((d.claim, d.group) for d in verdicts if d.source == TABLES and d.group in planted.TRUE[d.claim])
    found = {}
    for claim, case in kinds:
        mine = [d for d in verdicts if (d.claim, d.group) == (claim, case)]
        share, upper = share_at_most([d.verdict != "supported" for d in mine])
        facts = {"power": rounded(1 - share), "power_lower": rounded(1 - upper)}
        found[f"{claim}, {case}"] = {"draws": len(mine), "items": mine[0].items, **facts}
    return found


def powered(draws: Sequence[Draw]) -> dict:
    share, upper = share_at_most([draw.p > ALPHA / planted.TESTS for draw in draws])
    facts = {"power": 1 - share, "power_lower": 1 - upper}
    return {"draws": len(draws), "items": draws[0].items} | {name: rounded(value) for name, value in facts.items()}


def rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)
