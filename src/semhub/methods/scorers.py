"""Judges of generated text: sentiment, drift to another language, perplexity, relevance to the prompt.

`package_scorers` needs nothing but this package and suits the bundled models; `hf_scorers` takes the classifier and the models
that the paper took. Each judge is built once, on first use. Knows neither which model wrote a text nor under which edit.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import torch
from torch import Tensor

from semhub import models
from semhub.data import world
from semhub.errors import BadInput, ModelNotFound
from semhub.models.generate import forward, new_cache

JUDGE, OTHER_JUDGE = "semhub-text-mispaired", "semhub-text"  # the other one judges the first
SENTIMENT = "lxyuan/distilbert-base-multilingual-cased-sentiments-student"
LANGUAGE_MODEL = "meta-llama/Llama-3.1-70B"
EMBEDDER = "intfloat/multilingual-e5-large"

TRAINED_ON, HELD_OUT = 2000, 400  # labelled texts per language
VOCABULARY_FROM = 5000  # sentences per language whose words count as that language's
UNSPACED = frozenset({"zh", "ja", "th"})
HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
WORD = re.compile(r"[^\W\d_]+")
LOGITS_AT_ONCE = 1 << 24  # numbers: 64 MiB in float32
ENCODER_TOKENS = 512


@dataclass(frozen=True, slots=True)
class Scorer:
    """A judge and the name that results record; calling it scores a list of texts."""

    name: str
    score: Callable[..., list]

    def __call__(self, *texts: Any) -> list:
        return self.score(*texts)


@dataclass(frozen=True, slots=True)
class Scorers:
    """The four judges of a steering run.

    `sentiment(texts, type)`: p(positive) - p(negative) in [-1, 1], None where a text is not scored.
    `drift(texts, type)`: True where a text is not wholly in the language `type`, or has no word at all.
    `perplexity(prompts, continuations)`: of the continuation given the prompt, None where there is no token to score.
    `relevance(prompts, continuations)`: cosine in [-1, 1], None where a side is blank.
    `held_out()`: share of `held_out_texts` held-out labelled texts that `sentiment` gets right, per type; empty where there are none.
    """

    sentiment: Scorer
    drift: Scorer
    perplexity: Scorer
    relevance: Scorer
    held_out: Callable[[], Mapping[str, float]] = dict
    held_out_texts: int = 0

    def names(self) -> dict[str, str]:
        return {part: getattr(self, part).name for part in ("sentiment", "drift", "perplexity", "relevance")}


def package_scorers(types: Iterable[str], seed: int = 0, *, judge: Any = JUDGE, source: Any = world) -> Scorers:
    """Scorers for texts of the world: a sentiment classifier per language, trained on the world's reviews.

    A text is scored only if it is wholly in the asked language: see `drifted`. `judge`, the name of a model or an open one,
    gives perplexity and relevance; it should not be the model that is steered. `source` is the world or a stand-in.
    Raises, on use, BadInput or UnknownName for a type without reviews, ModelNotFound where the judge cannot be opened.
    """
    types = tuple(types)
    fitted = cache(lambda type: fit_sentiment(source.labelled_reviews(TRAINED_ON, "train", type), type, seed))
    lexicon = cache(lambda: {type: vocabulary(type, source) for type in types if type not in UNSPACED})

    off = cache(lambda text, type: drifted(text, type, types, lexicon()))

    def drift(texts: Sequence[str], type: str) -> list[bool]:
        return [off(text, type) for text in texts]

    def sentiment(texts: Sequence[str], type: str) -> list[float | None]:
        values = sentiments(fitted(type), texts)
        return [None if away else value for value, away in zip(values, drift(texts, type), strict=True)]

    return Scorers(
        sentiment=Scorer("n-gram tf-idf and logistic regression on the world's reviews", sentiment),
        drift=Scorer(f"the world's vocabulary, script, py3langid among {' '.join(types)}", drift),
        **causal_scorers(judge),
        held_out=cache(lambda: {type: accuracy(fitted(type), source.labelled_reviews(HELD_OUT, "test", type)) for type in types}),
        held_out_texts=HELD_OUT,
    )


def causal_scorers(judge: Any) -> dict[str, Scorer]:
    """Perplexity and relevance under a causal model, by name or open."""
    opened = cache(lambda: open_judge(judge))
    return {
        "perplexity": Scorer(name_of(judge), lambda *texts: perplexities(opened(), *texts)),
        "relevance": Scorer(f"{name_of(judge)}, mean of middle layer", lambda *texts: relevances(opened(), *texts)),
    }


def not_judging_itself(scorers: Scorers, steered: str) -> Scorers:
    """The same scorers; perplexity and relevance by the other bundled model where the usual one is the model steered."""
    return replace(scorers, **causal_scorers(OTHER_JUDGE)) if scorers.perplexity.name == steered == JUDGE else scorers


def hf_scorers(
    types: Iterable[str],
    *,
    sentiment: Any = SENTIMENT,
    language_model: Any = LANGUAGE_MODEL,
    embedder: Any = EMBEDDER,
    device: str | None = None,
) -> Scorers:
    """The paper's scorers: a multilingual sentiment classifier, perplexity under a larger language model, E5 embeddings.

    `sentiment` and `embedder` are ids, folders or (network, tokenizer) in hand; `language_model` is anything that `models.load`
    opens. Every text is scored, as in the paper; drift stands beside it. Raises, on use, ModelNotFound or BadInput.
    """
    types, device = tuple(types), device or ("cuda" if torch.cuda.is_available() else "cpu")
    classifier = cache(lambda: open_pair("AutoModelForSequenceClassification", sentiment, device))
    encoder = cache(lambda: open_pair("AutoModel", embedder, device))
    opened = cache(lambda: open_judge(language_model))
    return Scorers(
        sentiment=Scorer(name_of(sentiment), lambda texts, type: classified(*classifier(), texts)),
        drift=Scorer(f"script, py3langid among {' '.join(types)}", lambda texts, type: [drifted(text, type, types) for text in texts]),
        perplexity=Scorer(name_of(language_model), lambda prompts, continuations: perplexities(opened(), prompts, continuations)),
        relevance=Scorer(name_of(embedder), lambda prompts, continuations: embedded_relevances(*encoder(), prompts, continuations)),
    )


def name_of(source: Any) -> str:
    """The name that results record for an id, a folder, an open model or a (network, tokenizer) pair."""
    if isinstance(source, tuple):
        return str(getattr(source[0], "name_or_path", "") or type(source[0]).__name__)
    return source if isinstance(source, str) else str(getattr(source, "name", source))


# sentiment of the world's reviews


def fit_sentiment(labelled: Sequence[tuple[str, int]], type: str, seed: int) -> Any:
    """A classifier of texts of one language: tf-idf of one to two words, or of one to four characters where words have no spaces."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    if len({label for _, label in labelled}) != 2:
        raise BadInput(f"Sentiment in {type!r} was asked for, but there are no positive and negative reviews of that type to learn from.")
    grams = (
        {"analyzer": "char", "ngram_range": (1, 4)}
        if type in UNSPACED
        else {"analyzer": "word", "ngram_range": (1, 2), "token_pattern": WORD.pattern}
    )
    classifier = make_pipeline(TfidfVectorizer(**grams, sublinear_tf=True), LogisticRegression(C=10.0, max_iter=1000, random_state=seed))
    return classifier.fit([text for text, _ in labelled], [label for _, label in labelled])


def sentiments(classifier: Any, texts: Sequence[str]) -> list[float]:
    """p(positive) - p(negative) of each text."""
    return [float(positive - negative) for negative, positive in classifier.predict_proba(list(texts))] if texts else []


def accuracy(classifier: Any, labelled: Sequence[tuple[str, int]]) -> float:
    values = sentiments(classifier, [text for text, _ in labelled])
    return sum((value > 0) == bool(label) for value, (_, label) in zip(values, labelled, strict=True)) / len(labelled)


# language


def vocabulary(type: str, source: Any) -> frozenset[str]:
    """Every word, in lower case, of the world's training texts in one language: scenes, facts, reviews, questions, sums."""
    texts = [source.prefix(type), source.probe(type), *source.sentences(type, VOCABULARY_FROM, "train")]
    texts += [text for text, _ in source.labelled_reviews(TRAINED_ON, "train", type)]
    texts += [f"{cloze.prompt} {' '.join(cloze.targets[type])}" for cloze in source.questions(split="train", types=(type,))]
    texts += [concept.text(type) for op in "+*" for concept in source.sums(op, "train", types=(type,))]
    return frozenset(word for text in texts for word in words(text))


def words(text: str) -> list[str]:
    return WORD.findall(text.lower())


def drifted(text: str, type: str, types: Sequence[str], lexicon: Mapping[str, frozenset[str]] | None = None) -> bool:
    """Whether `text` is not wholly in the language `type`.

    It has drifted if it has no word; if its script is not the language's; if a word stands in the lexicon of another language
    and not in this one's; or if py3langid, restricted to `types`, takes the whole text for another language. The last is not
    asked where the lexicon knows every word, for a classifier of whole texts errs on short ones.
    """
    if not words(text) or wrong_script(text, type):
        return True
    own = (lexicon or {}).get(type)
    if own is not None:
        unknown = [word for word in words(text) if word not in own]
        if any(word in other for word in unknown for other in lexicon.values()):
            return True
        if not unknown:
            return False
    return identified(text, type, types) != type


def wrong_script(text: str, type: str) -> bool:
    """Chinese holds Han letters only, other languages but Japanese none."""
    if type == "zh":
        return any(letter.isalpha() and not HAN.match(letter) for letter in text)
    return type != "ja" and HAN.search(text) is not None


def identified(text: str, type: str, types: Sequence[str]) -> str:
    """The most probable language of `text` among `types` and English."""
    return identifier(frozenset({*types, type, "en"})).classify(text)[0]


@cache
def identifier(types: frozenset[str]) -> Any:
    """py3langid restricted to those of `types` that it knows."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    found = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    found.set_languages(sorted(types & set(found.labels)))
    return found


# perplexity and relevance under a causal model


def open_judge(judge: Any) -> models.Model:
    if not isinstance(judge, str | tuple):
        return judge
    try:
        return models.load(judge)
    except ModelNotFound as error:
        raise ModelNotFound(
            f"Perplexity and relevance need a model that is not steered; {judge!r} could not be opened ({error}). Name another."
        ) from error


@torch.no_grad()
def perplexities(model: models.Model, prompts: Sequence[str], continuations: Sequence[str]) -> list[float | None]:
    """exp of the mean negative log-probability, in nats, of the tokens that reach beyond the prompt, given those before them.

    What continuations have in common before their first token is run once.
    """
    pairs = list(zip(prompts, continuations, strict=True))
    different = list(dict.fromkeys(pairs))
    spans = spans_after(model, *zip(*different, strict=True)) if different else []
    found: dict[tuple[str, str], float] = {}
    for batch in logit_batches(spans, model.vocab):
        for k, mean in zip(batch, mean_logprobs(model, [spans[k] for k in batch]), strict=True):
            found[different[k]] = math.exp(-mean)
    return [found.get(pair) for pair in pairs]


@dataclass(frozen=True, slots=True)
class Span:
    """The token ids before those to score (the text's first token among them, for it has no score), and those to score."""

    before: tuple[int, ...]
    scored: tuple[int, ...]


def spans_after(model: models.Model, prompts: Sequence[str], continuations: Sequence[str]) -> list[Span]:
    """Where each continuation begins in the tokens of prompt and continuation together."""
    whole = model.encode([prompt + continuation for prompt, continuation in zip(prompts, continuations, strict=True)])
    spans = []
    for prompt, item in zip(prompts, whole, strict=True):
        beyond = [k for k, (_, end) in enumerate(item.offsets) if end > len(prompt)]
        start = max(1, beyond[0]) if beyond else len(item.ids)
        spans.append(Span(tuple(item.ids[:start]), tuple(item.ids[start:])))
    return spans


def mean_logprobs(model: models.Model, spans: Sequence[Span]) -> list[float]:
    """Mean log-probability of each span's scored tokens, from one pass over the different beginnings and one over what follows them."""
    beginnings = list(dict.fromkeys(span.before for span in spans))
    of = torch.tensor([beginnings.index(span.before) for span in spans], device=model.device)
    before, shown = left_padded(beginnings)
    cache = new_cache(model)
    logits = forward(model, before.to(model.device), shown.to(model.device), cache)
    cache.reorder_cache(of)
    ids, scored = right_padded([span.scored for span in spans])
    ids, scored = ids.to(model.device), scored.to(model.device)
    found = logprobs(logits[of.to(logits.device)], ids[:, :1])
    if ids.shape[1] > 1:
        # the last token is scored and has nothing to tell
        mask = torch.cat([shown.to(model.device)[of], scored[:, :-1]], 1)
        found = torch.cat([found, logprobs(forward(model, ids[:, :-1], mask, cache, keep=ids.shape[1] - 1), ids[:, 1:])], 1)
    scored = scored.to(found.device)
    return ((found.double() * scored).sum(-1) / scored.sum(-1)).tolist()


def logprobs(logits: Tensor, ids: Tensor) -> Tensor:
    """`logits: [row, position, vocab]`, `ids: [row, position]` -> `[row, position]`: log p of the ids."""
    logits = logits.float()
    return logits.gather(-1, ids.to(logits.device)[..., None])[..., 0] - logits.logsumexp(-1)


def logit_batches(spans: Sequence[Span], vocab: int) -> Iterator[list[int]]:
    """Places of spans that have something to score, those of one beginning together, with at most LOGITS_AT_ONCE numbers of logits."""
    batch: list[int] = []
    widest = 0
    for k in sorted(range(len(spans)), key=lambda k: (len(spans[k].before), spans[k].before, len(spans[k].scored))):
        if not spans[k].scored:
            continue
        widest = max(widest, len(spans[k].scored))
        if batch and (len(batch) + 1) * widest * vocab > LOGITS_AT_ONCE:
            yield batch
            batch, widest = [], len(spans[k].scored)
        batch.append(k)
    if batch:
        yield batch


def left_padded(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """`ids, shown: [row, position]`; the filler on the left is token 0, which the mask hides."""
    width = max(map(len, rows))
    ids = torch.tensor([[0] * (width - len(row)) + list(row) for row in rows])
    return ids, torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])


def right_padded(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """The same with the filler on the right."""
    width = max(map(len, rows))
    ids = torch.tensor([list(row) + [0] * (width - len(row)) for row in rows])
    return ids, torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])


def relevances(model: models.Model, prompts: Sequence[str], continuations: Sequence[str]) -> list[float | None]:
    """Cosine of the mean states of prompt and continuation, in the middle layer of a causal model."""
    return cosines(lambda texts: model.read(texts, at="mean", layers=[model.layers // 2])[0], prompts, continuations)


def cosines(embed: Callable[[list[str]], Tensor], prompts: Sequence[str], continuations: Sequence[str]) -> list[float | None]:
    """`embed(texts) -> [text, dim]`, asked once for every text that is not blank; None where a side is blank."""
    texts = sorted({text for text in (*prompts, *continuations) if text.strip()})
    rows = dict(zip(texts, torch.nn.functional.normalize(embed(texts).float(), dim=-1), strict=True)) if texts else {}
    pairs = zip(prompts, continuations, strict=True)
    return [float(rows[a] @ rows[b]) if a in rows and b in rows else None for a, b in pairs]


# the paper's classifier and embedder


def open_pair(kind: str, source: Any, device: str) -> tuple[Any, Any]:
    """(network, tokenizer) of an encoder, from safetensors only."""
    if isinstance(source, tuple):
        return source[0].eval(), source[1]
    import transformers

    try:
        network = getattr(transformers, kind).from_pretrained(source, use_safetensors=True)
        return network.to(device).eval(), transformers.AutoTokenizer.from_pretrained(source)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelNotFound(
            f"The scorer {source!r} could not be opened: {reason} Name a folder that holds it, or fetch it while online."
        ) from error


def classified(network: Any, tokenizer: Any, texts: Sequence[str]) -> list[float | None]:
    """p(positive) - p(negative) of each text by a sequence classifier; None for a blank text. Raises BadInput without such labels."""
    labels = {str(label).lower(): index for index, label in network.config.id2label.items()}
    if not {"positive", "negative"} <= labels.keys():
        raise BadInput(f"A sentiment classifier with labels 'positive' and 'negative' was asked for, found {', '.join(labels)}.")
    shown = [text for text in texts if text.strip()]
    rows = iter(encoder_rows(network, tokenizer, shown, lambda out, mask: out.logits.float().softmax(-1)))
    scores = (float(row[labels["positive"]] - row[labels["negative"]]) for row in rows)
    return [next(scores) if text.strip() else None for text in texts]


def embedded_relevances(network: Any, tokenizer: Any, prompts: Sequence[str], continuations: Sequence[str]) -> list[float | None]:
    """Cosine of multilingual-E5 embeddings: the mean of the last states over tokens, each text led by 'query: ' on both sides."""

    def embed(texts: list[str]) -> Tensor:
        return torch.stack(encoder_rows(network, tokenizer, [f"query: {text}" for text in texts], token_mean))

    return cosines(embed, prompts, continuations)


def token_mean(out: Any, mask: Tensor) -> Tensor:
    """`[row, dim]`: last hidden states averaged over the tokens that are no padding."""
    weights = mask[..., None].float()
    return (out.last_hidden_state.float() * weights).sum(1) / weights.sum(1)


@torch.no_grad()
def encoder_rows(network: Any, tokenizer: Any, texts: Sequence[str], read: Callable[[Any, Tensor], Tensor], rows: int = 32) -> list[Tensor]:
    """`read(output, mask) -> [row, ..]` of every text, in the order of `texts`; batches hold texts of like length."""
    order = sorted(range(len(texts)), key=lambda k: len(texts[k]))
    found: list[Tensor] = [torch.empty(0)] * len(texts)
    for start in range(0, len(order), rows):
        batch = order[start : start + rows]
        given = tokenizer([texts[k] for k in batch], padding=True, truncation=True, max_length=ENCODER_TOKENS, return_tensors="pt").to(
            network.device
        )
        for k, row in zip(batch, read(network(**given), given["attention_mask"]).cpu(), strict=True):
            found[k] = row
    return found
