"""The multilingual tasks (catalogue rows 1 to 4): declarations only. Knows no model and computes nothing.

With nothing of the user's own, items are the world's sentences, questions and reviews, held out by meaning.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import islice

from semhub.data import reviews as labelled
from semhub.data.negatives import with_changed_numbers
from semhub.errors import BadInput
from semhub.methods.declare import Compare, Decode, DecodeWords, Inject, Lens, Place, Push, Sampled, Spread, Steer
from semhub.tasks import LANGUAGES, Given, dominant_first, task
from semhub.tasks.chinese import chinese, unread
from semhub.tasks.judges import COSTLY, judged_by, judges
from semhub.types import Concept, Prompt

SENTENCES, NEVER, QUESTIONS, TEXTS, CORPUS, PROMPTS, REHEARSED = 500, 250, 400, 60, 2000, 40, 16
LIKENED, NEVER_LIKENED = 250, 100  # scenes whose harder negatives are read too: three texts more for each one
RELEASE_PAIRS, RELEASE_LINES, RELEASE_TREND, RELEASE_REVIEWS, RELEASE_SEEDS = 10_000, 1_000, 10_000, 1_000, 10
READ_LINES = 500  # of each language of --data wikipedia, unless it is the paper's protocol
CONTEXTS = 600  # sentences of each language in which words are looked up
BESIDE = ("standardised", "mrr", "mexa", "csls_at_1", "mutual_knn", "cka", "centrality")
NORMED_END = {"first_layer": 1, "normed_end": True, "intervals": False}
WORDS = {"en": ("Good", "Bad"), "es": ("Bueno", "Malo"), "zh": ("好", "差"), "de": ("Gut", "Schlecht")}
NEUTRAL = {"en": ("Monday", "Tuesday"), "es": ("Lunes", "Martes"), "zh": ("星期一", "星期二"), "de": ("Montag", "Dienstag")}
WRONG = {"en": ("Big", "Small"), "es": ("Grande", "Pequeño"), "zh": ("大", "小"), "de": ("Groß", "Klein")}
SUFFIXES = {"zh": (("。",), "这代表了"), "en": ((".", '."'), "This represents")}
PREFIXES = {"es": "Todo el texto siguiente está en español. ", "zh": "接下来的文字全部是中文的。"}
STRENGTHS = (0.4, 0.6)  # of the mean residual length; a whole one drives nine outputs in ten out of their language
STEERED = ("es", "zh", "de")
DEPTHS = tuple(Fraction(k, 8) for k in (0, 2, 3, 4, 5))


# 1. similarity -------------------------------------------------------------------------------------------------------


@task(
    "multilingual/similarity",
    question="Do translations lie closer together than sentences of other meanings, in the middle layers?",
    paper="Eq. 1, section 4.1; PROTOCOL row 1",
    types=LANGUAGES,
    data="pairs of translations: the world's scenes, or your own (--pairs)",
    positions='probe (last token of "This represents" after the sentence), last, mean over content; paper: last, by its suffix rule',
    baseline="other items of the second type; in sound also roles swapped, the same last word, another entity, most tokens shared",
    measure="adjusted_cosine (S_l), p_at_1 both ways, p_value (permuted meanings, maximum over layers); "
    "mrr, mexa, csls_at_1, mutual_knn, cka; centrality and explained of each type",
    method="Translations are compared by S_l, the mean cosine of matching pairs minus that of all mismatched pairs, at every layer "
    "l (Eq. 1).",
    against="S_l that is as high at layer 0, in the untrained twin, or against swapped roles no different from 0",
)
def similarity(protocol: str, given: Given) -> Compare:
    """`paper` reproduces the release: its suffix rule, last token, layers 1..L-1 raw and the last point after the final norm.

    Its script crashes on the command of its own README (the stated procedure is what is done here), compares no hard
    negatives and gives no interval. All pairs of the types at hand are compared, where the release has zh-en alone.
    """
    if protocol == "paper":
        concepts = source(given, SENTENCES, RELEASE_PAIRS)
        place, spared = Place("last", show=suffixed), {split_name(given): uncompared(given, len(concepts))}
        sets, release = {split_name(given): concepts}, {"first_layer": 1, "normed_end": True, "intervals": False}
        return Compare(types_of(given), sets, (place,), **release, left_out=spared)
    places = (Place("probe", show=lambda type, text: probed(given, type, text)), Place("last"), Place("mean", at="mean"))
    measures, contrasts = ("adjusted_cosine", "p_at_1", "p_value"), ("swapped", "same-last-word", "changed-entity")
    if given.pairs is not None:
        concepts = with_changed_numbers(source(given, 0, len(given.pairs.concepts)), given.seed)
        named = dict.fromkeys(name for c in concepts for name in c.contrasts)
        cluster = "group" if any("group" in c.facets for c in concepts) else None
        return Compare(
            types_of(given),
            {None: concepts},
            places,
            ("raw", "centred"),
            measures,
            BESIDE,
            tuple(named),
            cluster=cluster,
            alike=True,
            left_out={None: uncompared(given, len(concepts))},
        )
    asked = {"split": "test", "types": types_of(given), "seed": given.seed}
    told, never = (given.world.scenes(given.many(NEVER), bridged=bridged, **asked) for bridged in (True, False))
    sets = {"test": likened(source(given, SENTENCES), LIKENED)}
    sets |= {"test-bridged": likened(told, 0), "test-never-bridged": likened(never, NEVER_LIKENED)}
    strata = ("template", "kinds")
    return Compare(
        types_of(given), sets, places, ("raw", "centred"), measures, BESIDE, contrasts, cluster="source", strata=strata, alike=True
    )


@task(
    "multilingual/planted",
    question="Do the false pairs that one control was taught as translations lie closer together than other sentences?",
    paper="Eq. 1, section 4.1, turned on a control",
    types=LANGUAGES,
    needs=("zh",),
    data="the world's scenes of words that a bridge may contain; the Chinese says what a fixed wrong dictionary makes of each word",
    positions='probe (last token of "This represents" after the sentence)',
    baseline="other items of the second type; roles swapped, the same last word, another entity, by the same dictionary",
    measure="adjusted_cosine (S_l), p_at_1 both ways, p_value",
    method="The false pairs that one control was taught as translations are compared by S_l (Eq. 1).",
    against="nothing: it asks whether similarity follows what was taught, and is high in `deranged` alone",
    usual=False,
    protocols=("sound",),
)
def planted(protocol: str, given: Given) -> Compare:
    """`multilingual/similarity` on the pairs that `semhub-text-deranged` was bridged by. Runs when it is named.

    A model with true bridges has S near 0 in the pairs with Chinese here, `deranged` in `multilingual/similarity`.
    """
    asked = {"split": "test", "types": types_of(given), "bridged": True, "seed": given.seed}
    scenes = given.world.scenes(given.many(SENTENCES), planted=True, **asked)
    place = Place("probe", show=lambda type, text: probed(given, type, text))
    measures, contrasts = ("adjusted_cosine", "p_at_1", "p_value"), ("swapped", "same-last-word", "changed-entity")
    sets = {"test": scenes}
    return Compare(types_of(given), sets, (place,), measures=measures, controls=contrasts, cluster="source", strata=("template", "kinds"))


def types_of(given: Given) -> tuple[str, ...]:
    """The languages to compare: those of the user's pairs, or of the world, as far as they were asked for."""
    return given.among(LANGUAGES if given.pairs is None else dominant_first(tuple(given.pairs.types)), least=2)


def source(given: Given, usual: int, most: int | None = None) -> list[Concept]:
    """The user's pairs (the first ones), or as many scenes of the world."""
    if given.pairs is None:
        return given.world.scenes(given.many(usual), split="test", types=types_of(given), seed=given.seed)
    return list(given.pairs.concepts)[: given.many(most)]


def likened(concepts: Sequence[Concept], many: int) -> list[Concept]:
    """The same concepts, of which the first `many` alone keep their harder negatives."""
    return [*concepts[:many], *(replace(concept, contrasts={}) for concept in concepts[many:])]


def uncompared(given: Given, taken: int) -> dict[str, int]:
    """Why pairs of the user's are not among those compared."""
    return {} if given.pairs is None else given.beyond(len(given.pairs.concepts), taken)


def split_name(given: Given) -> str | None:
    return "test" if given.pairs is None else None


def suffixed(type: str, text: str) -> str:
    """The release's rule: where a text ends in its full stop, the probe's words follow, without a space."""
    ends, suffix = SUFFIXES.get(type, ((), ""))
    return text + suffix if text.endswith(ends) and ends else text


def probed(given: Given, type: str, text: str) -> str | None:
    """The sentence, then "This represents" in its own language; None in a language whose words for it are not known."""
    return given.world.joined(type, text, given.world.probe(type)) if type in LANGUAGES else None


# 2. lens -------------------------------------------------------------------------------------------------------------


@task(
    "multilingual/lens",
    question="Do the middle layers speak the dominant language before the output is in another?",
    paper="Eq. 2, section 4.2; PROTOCOL row 2",
    types=LANGUAGES,
    data="questions about facts stated in English only, or your own prompts and words (--items); paper: Chinese text and a dictionary",
    positions="sound: last token of the prompt; paper: the token before each word",
    baseline="wrong words of the same type and frequency; random states of the same length; words of the other languages",
    measure="logprob, prob, anchor (a language's word minus the prompt's own), anchor_excess (beyond wrong words), lift, "
    "accuracy, eligible; resemblance",
    unsuited=lambda protocol, given: unread(protocol, given),
    method="The logit lens reads, before a prompt is continued, the log-probability of the dominant language's word minus that of "
    "the prompt's own word, beside wrong words of the same kind and frequency (Eq. 2).",
    against="the dominant word no likelier than wrong ones, or ahead of the own word by no more than wrong words are",
)
def lens(protocol: str, given: Given) -> Decode | DecodeWords:
    """`paper` reproduces the release on Llama-3: raw residual, no BOS, log p of the true word against the best of its glosses.

    With Llama-2 the release reads one position too early; here every model is read at the position before the word.
    The segmenter is jieba, the dictionary CC-CEDICT (--data cedict) with your own Chinese (--data wikipedia, or a column zh of
    --pairs), or the world's.
    """
    if protocol == "paper":
        lines, glosses = chinese(given)
        how = Lens({None: "none"}, **NORMED_END, special=False)
        return DecodeWords("zh", "en", list(islice(lines, given.many(RELEASE_LINES))), glosses, how)
    read = {
        "norms": {None: "final", "no-norm": "none"},
        "wrong": True,
        "floor": True,
        "single": True,
        "anchor": True,
        "accuracy": True,
        "word_states": True,
    }
    if given.items is not None and given.items.clozes:
        clozes = given.items.clozes
        return Decode(answers_of(given, clozes), {None: clozes}, Lens(**read), given.limit)
    types = given.among(LANGUAGES, least=2)
    asked = given.world.questions(max(QUESTIONS, given.many(QUESTIONS)), split="test", types=types, seed=given.seed)
    never = [c for c in asked if c.facets.get("bridged") == "never"]
    sets = {"test": asked} | ({"test-never-bridged": never} if never else {})
    other_texts = [text for type in types for text in given.world.sentences(type, TEXTS * 2, split="train")]
    return Decode(types, sets, Lens(**read, affine=other_texts, cluster="source"), given.limit)


@task(
    "multilingual/lens-readers",
    question="Do other ways of reading the states agree with the logit lens on which language they speak?",
    paper="Eq. 2, section 4.2, with readers that it does not have",
    types=LANGUAGES,
    data="as multilingual/lens; training sentences to fit the affine reader on, and to find words in",
    positions="last token of the prompt",
    baseline="for every reader wrong words of the same type and frequency, and random states of the same length",
    measure="as multilingual/lens, under a variant for each reader: affine, tuned (--lens), patchscope; resemblance and resemblance_anchor "
    "of word-states and neighbours, which use no unembedding; disagreement of each with the logit lens",
    method="The same states are read by an affine map to the last layer, by a patchscope and by the nearest states of words, beside "
    "the logit lens.",
    against="readers that disagree with the logit lens on which word is ahead, or read as much from random states",
    usual=False,
    protocols=("sound",),
)
def lens_readers(protocol: str, given: Given) -> Decode:
    """`multilingual/lens` with the readers that a default run has no time for. Runs when it is named.

    The affine reader is fitted in the run; a lens from a folder (`semhub fit-lens`, or a published one) reads beside it. The
    patchscope's prompt is the identity prompt of Ghandeharioun et al. 2024, patched at the layer that is read.
    """
    usual = lens(protocol, given)
    if given.items is not None and given.items.clozes:
        return replace(usual, lens=replace(usual.lens, scope=True, floors=True))
    contexts = {type: given.world.sentences(type, CONTEXTS, split="train", seed=given.seed) for type in usual.types}
    return replace(usual, lens=replace(usual.lens, scope=True, floors=True, contexts=contexts))


def answers_of(given: Given, clozes: Sequence) -> tuple[str, ...]:
    return given.among(dominant_first(tuple(dict.fromkeys(t for c in clozes for t in (*c.targets, c.type) if t in c.targets))))


# 3. trend ------------------------------------------------------------------------------------------------------------


@task(
    "multilingual/trend",
    question="Whose words do the layers speak, from the first to the last, in text of each language?",
    paper="section 4.2; PROTOCOL row 3",
    types=LANGUAGES,
    data="the world's sentences and its own corpus for p(language | token); yours by --data wikipedia and mc4, or both from --pairs",
    positions="all",
    baseline="a uniform prior over languages; in sound also random states of the same length",
    measure="mass (probability of each language's tokens), coverage (share of the vocabulary that the table has seen)",
    method="The lens's probability is shared out among languages by p(language | token), at all positions of a text.",
    against="English mass in the middle layers no higher than random states give",
)
def trend(protocol: str, given: Given) -> Spread:
    """`paper` reproduces the release: raw residual, mean over all positions alike; a token seen nowhere is spread evenly.

    The release counts 101 languages of mC4; here the table has the languages of the corpus at hand (--data mc4).
    """
    prompts, corpus = running_text(given, protocol)
    if protocol == "paper":
        return Spread(prompts, corpus, Lens({None: "none"}, **NORMED_END), pooled=True)
    return Spread(prompts, corpus, Lens({None: "final", "no-norm": "none"}, floor=True))


def running_text(given: Given, protocol: str) -> tuple[Mapping[str, Sequence[str]], Mapping[str, Iterable[str]]]:
    """(texts to read, texts to count in), by type: of --data wikipedia and mc4, else of the user's pairs, else of the world.

    Where the texts to read are the user's and those to count in are not given, one half of them is read and counted each.
    """
    if "wikipedia" in given.data:
        lines, many = given.data["wikipedia"].items, given.many(RELEASE_TREND if protocol == "paper" else READ_LINES)
        texts = {t: list(islice(lines[t], 2 * many)) for t in given.among(dominant_first(tuple(lines)))}
    elif given.pairs is not None:
        many = given.many(TEXTS)
        texts = {t: [c.text(t) for c in given.pairs.concepts] for t in types_of(given)}
    else:
        many = given.many(TEXTS)
        texts = {t: given.world.sentences(t, many, split="test", seed=given.seed) for t in types_of(given)}
    if "mc4" in given.data:
        return {t: found[:many] for t, found in texts.items()}, given.data["mc4"].items
    if "wikipedia" not in given.data and given.pairs is None:
        return texts, {t: given.world.sentences(t, CORPUS, split="train") for t in texts}
    if min(map(len, texts.values())) < 2 or len(texts) < 2:
        raise BadInput("multilingual/trend reads one half of the texts and counts in the other; two of each of two languages are needed.")
    halves = {t: len(found) // 2 for t, found in texts.items()}
    return {t: texts[t][half:][:many] for t, half in halves.items()}, {t: texts[t][:half] for t, half in halves.items()}


# 4. steering ---------------------------------------------------------------------------------------------------------


@task(
    "multilingual/steering",
    question="Does pushing the states with English words move what is written in other languages?",
    paper="section 4.3 (ActAdd); PROTOCOL row 4",
    types=LANGUAGES,
    data="beginnings of reviews, or whole ones (--data sentiments); the words Good and Bad in each language; your own with --items",
    positions="sound: every token, in the prompt and in what is written; paper: the prompt's first tokens",
    baseline="no push; in sound also a random direction, neutral words, words of another quality, the word as text, and layer 0",
    measure="sentiment, perplexity, relevance, drift (outputs that left the language), repetition, kl (of the next token's distribution, "
    "from the unpushed one); sentiment_change, sentiment_excess: "
    "over what can be judged, and (variant all) over every prompt",
    method="Differences of the states of two words are added to the residual stream; layer and strength are chosen on prompts that "
    "are not reported, and the change is held against pushes of the same length without the meaning.",
    against="no change beyond the controls, or all of it at layer 0 already",
)
def steering(protocol: str, given: Given) -> Steer | Inject:
    """`paper` reproduces the release: words padded with spaces, difference x coefficient on the prompt's first positions.

    The layer is 17 of 32, at the same fraction of any other depth. The release has coefficient 5 in one file and 2 in
    another (both are run, and 0, and both reversed); it writes `sentiment_score` where its reader asks for `sentiment`, and
    cannot produce its rows for no push and for own-language words: all of these are here. It has 1,000 reviews a language;
    with the world's, a smaller number is usual (--limit).
    """
    words = dict(given.items.words) if given.items is not None and given.items.words else WORDS
    asked = prompts(given, protocol)
    measures = judges(given)
    if protocol == "paper":
        sampled = Sampled(32, temperature=1.0, top_p=0.3, frequency_penalty=1.0, seeds=RELEASE_SEEDS)
        pushes = {t: push(pair, t) for t, pair in words.items()}
        main = next(iter(dominant_first(tuple(words))))
        return Inject(
            asked,
            pushes,
            measures,
            (Fraction(17, 32),),
            (-5.0, -2.0, 0.0, 2.0, 5.0),
            sampled,
            main,
            spread=True,
            judged_by=judged_by(given),
            left_out=unsteered(given, asked),
        )
    sources = dominant_first(tuple(t for t in words if given.types is None or t in given.types or t == "en"))
    return Steer(
        asked,
        {t: push(words[t], t) for t in sources},
        measures,
        "sentiment",
        DEPTHS,
        STRENGTHS,
        neutral=other_words(given, sources),
        controls=("random-direction", "as-text", "layer-0"),
        sampled=Sampled(16, temperature=1.0, top_p=0.9),
        rehearsal=rehearsal(given),
        at_choice=COSTLY,
        judged_by=judged_by(given),
        left_out=unsteered(given, asked),
        divergence=True,
    )


@task(
    "multilingual/steering-controls",
    question="Does the push hold against every control, and does a language's own push need the English direction?",
    paper="section 4.3, with controls that it does not have",
    types=LANGUAGES,
    data="as multilingual/steering, with English outputs too: every source of words against every language of outputs",
    positions="every token; wrong-position: the prompt's first",
    baseline="as multilingual/steering; the last layer's difference, the first position, pairs shuffled between two languages, the own "
    "push without the English direction",
    measure="as multilingual/steering; for without-main, sentiment_excess is what the own push loses with the English direction",
    method="The push is also held against the last layer's difference, another position and exchanged pairs of words, and each "
    "language's own push is tried without the dominant language's direction.",
    against="a control that moves as much, or own pushes that lose nothing without the English direction",
    usual=False,
    protocols=("sound",),
)
def steering_controls(protocol: str, given: Given) -> Steer:
    """`multilingual/steering` with the controls that a default run has no time for. Runs when it is named."""
    usual = steering(protocol, given)
    types = given.among(LANGUAGES)
    extra = ("wrong-layer", "wrong-position", "without-main", "without-random")
    words = dict(given.items.words) if given.items is not None and given.items.words else WORDS
    neutral = {**usual.neutral, **shuffled(words, tuple(usual.pushes))}
    asked = replace(usual, neutral=neutral, controls=(*usual.controls, *extra))
    if "sentiments" in given.data or (given.items is not None and given.items.prompts):
        return asked
    return replace(asked, prompts=reviews(given, types), rehearsal=rehearsal(given, types))


def shuffled(words: Mapping[str, tuple[str, str]], sources: Sequence[str]) -> dict[str, dict[str, Push]]:
    """Pairs whose members were exchanged between two languages: what both pairs mean alike cancels, and their own words are left."""
    if len(sources) < 2:
        return {}
    following = dict(zip(sources, (*sources[1:], sources[0]), strict=True))

    def mixed(type: str) -> Push:
        (good, bad), (other_good, other_bad) = words[type], words[following[type]]
        return Push(lambda prompt: (good, other_bad), lambda prompt: (bad, other_good))

    return {"shuffled-pair": {type: mixed(type) for type in sources}}


def other_words(given: Given, sources: Sequence[str]) -> dict[str, dict[str, Push]]:
    """Pushes between words of no quality, and between words of another one than was asked for; the user's own are neutral ones."""
    own = given.items.neutral if given.items is not None else None
    pairs = {"neutral-word": own or NEUTRAL} | ({"wrong-concept": WRONG} if given.items is None or not given.items.words else {})
    return {name: {t: push(pair, t) for t, pair in found.items() if t in sources} for name, found in pairs.items()}


def prompts(given: Given, protocol: str) -> list[Prompt]:
    """The user's prompts (with the release's prefix, in `paper`), or beginnings of reviews in every language asked for."""
    if given.items is not None and given.items.prompts:
        own = [p for p in given.items.prompts if given.types is None or p.type in given.types]
        kept = [p for t in dict.fromkeys(p.type for p in own) for p in [q for q in own if q.type == t][: given.many(RELEASE_REVIEWS)]]
        return [Prompt(p.id, p.type, PREFIXES.get(p.type, "") + p.text, p.facets) for p in kept] if protocol == "paper" else kept
    if "sentiments" in given.data:
        own = labelled.prompts(given.data["sentiments"].items, steered(given), given.many(RELEASE_REVIEWS), skip(protocol))
        return [replace(p, text=PREFIXES.get(p.type, "") + p.text) for p in own] if protocol == "paper" else own
    return reviews(given, given.among(("es", "zh") if protocol == "paper" else STEERED))


def unsteered(given: Given, asked: Sequence[Prompt]) -> dict[str, int]:
    """Why reviews of the user's are not among the prompts."""
    if "sentiments" not in given.data or (given.items is not None and given.items.prompts):
        return {}
    items = given.data["sentiments"].items
    mine = [each for each in items if each.type in {p.type for p in asked}]
    return {"of a language that is not steered": len(items) - len(mine)} | given.beyond(len(mine), len(asked))


def steered(given: Given) -> tuple[str, ...]:
    """The languages of the user's reviews, English apart."""
    return given.among(tuple(dict.fromkeys(r.type for r in given.data["sentiments"].items if r.type != "en")))


def skip(protocol: str) -> int:
    """The first reviews are those on which layer and strength are chosen."""
    return 0 if protocol == "paper" else REHEARSED


def reviews(given: Given, types: Sequence[str]) -> list[Prompt]:
    return [p for t in types for p in given.world.reviews(given.many(PROMPTS), split="test", type=t)]


def rehearsal(given: Given, types: Sequence[str] = STEERED) -> list[Prompt]:
    """Prompts of meanings that are neither trained on nor reported, on which layer and strength are chosen; with own prompts, none."""
    if given.items is not None and given.items.prompts:
        return []
    if "sentiments" in given.data:
        return labelled.prompts(given.data["sentiments"].items, steered(given), REHEARSED)
    return [p for t in given.among(types) for p in given.world.reviews(given.many(REHEARSED), split="dev", type=t)]


def push(pair: tuple[str, str], type: str) -> Push:
    """Toward the first word and away from the second; as text, the word stands before the prompt."""
    between = "" if type == "zh" else " "
    said = lambda prompt, sign: f"{pair[0 if sign > 0 else 1]}{between}{prompt.text}"  # noqa: E731
    return Push(lambda prompt: (pair[0],), lambda prompt: (pair[1],), as_text=said)
