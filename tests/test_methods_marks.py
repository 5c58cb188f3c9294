"""Places inside running texts: which token is read, what is left out and why, and what the rows say."""

from types import SimpleNamespace

import numpy as np
import pytest

from families import FAMILIES, words_of
from semhub.errors import BadInput
from semhub.methods import DecodeMarks, Lens, Sampled, carry_out
from semhub.methods.bench import Bench
from semhub.methods.marks import token_before
from semhub.models.sampling import Sampling
from semhub.models.tokens import encode
from semhub.types import Mark

KINDS = {words.__name__: name for name, words in ((name, each.words) for name, each in FAMILIES.items())}
TEXT = "dog cat, dog"


def mark(text, at, **more):
    return Mark("m", "code", text, at, {"en": (" dog",)}, **more)


@pytest.mark.parametrize("words", sorted(KINDS))
@pytest.mark.parametrize("bos", [True, False])
def test_the_token_before_what_follows(words, bos):
    """The place is the same character for every tokenizer, with and without a space in the token and a first token."""
    tokenizer = FAMILIES[KINDS[words]].words(bos=bos)
    (encoding,) = encode(tokenizer, [TEXT])
    at = TEXT.index(",")
    place = token_before(mark(TEXT, at, alone=True, follows=(9, 12)), encoding, None)
    assert isinstance(place, int), place
    assert encoding.offsets[place][1] == at + 1 and encoding.special[0] == bos
    start, end = encoding.offsets[place + 1]
    assert TEXT[start:end].strip().startswith("d")


@pytest.mark.parametrize(
    ("text", "at", "more", "reason"),
    [
        ("dog", 2, {}, "nothing follows"),
        ("dog cat", 1, {}, "the mark does not end its token"),
        ("dog cat", 2, {"alone": True}, "the mark is no token of its own"),
        ("dog cat", 2, {"follows": (5, 7)}, "what follows does not begin with the next token"),
        ("dog cat", 2, {"follows": (4, 6), "whole": True}, "what follows is not one token"),
        ("狗鼹猫", 1, {}, "ambiguous offsets"),
    ],
)
def test_places_that_cannot_be_read_say_why(text, at, more, reason):
    (encoding,) = encode(words_of("gpt2"), [text])
    assert token_before(mark(text, at, **more), encoding, None) == reason
    assert token_before(mark(text, at, **more), encoding, 0) == "the text is longer than the model's context"


def marks(texts):
    return [
        Mark(str(k), "code", text, text.index(" the"), {"en": (" cat",)}, {"en": (" dog",)}, facets={"kind": k % 2 and "odd" or ""})
        for k, text in enumerate(texts)
    ]


TEXTS = ["dogs, the cat sees", "The dog sees, the cat", "a dog, the house is red.", "and, the dogs"]


def test_rows_by_reader_and_facet(opened):
    bench = Bench(opened("llama-tied" if "llama-tied" in FAMILIES else "gpt2"), "a/b", "sound")
    spots = [Mark(m.id, m.type, m.text, m.at - 1, m.words, m.wrong, facets=m.facets) for m in marks(TEXTS)]
    lens = Lens({None: "final", "no-norm": "none"}, wrong=True, floor=True, anchor=True, cluster="kind")
    ask = DecodeMarks(("code", "en"), {"x": spots}, lens, by="kind", excess=True)
    result = carry_out(ask, bench)
    rows = result.readings
    assert {r.split for r in rows} == {"x", "odd"} and {r.variant for r in rows} == {None, "no-norm"}
    assert {r.control for r in rows} == {None, "wrong-word", "random-state"} and {r.position for r in rows} == {"before"}
    whole = {(r.measure, r.group, r.layer): r for r in rows if (r.split, r.variant, r.control) == ("x", None, None)}
    for layer in range(bench.depth + 1):
        code, en, anchor = whole["logprob", "code:code", layer], whole["logprob", "code:en", layer], whole["anchor", "code:en", layer]
        assert anchor.value == pytest.approx(en.value - code.value, abs=1e-6) and code.n == result.extras["x"]["kept"]
        assert whole["prob_excess", "code:en", layer].value == pytest.approx(0, abs=1e-9)
    for measure in ("logprob", "anchor"):
        items = [o for o in result.outcomes if (o.measure, o.group, o.layer) == (measure, "code:en", 1)]
        assert np.mean([o.value for o in items]) == pytest.approx(whole[measure, "code:en", 1].value)
        assert {o.item: o.source for o in items}.items() <= {m.id: m.facets["kind"] for m in spots}.items() and len(items) > 1
    known = {m.id: {"prompt": m.text[: m.at + 1], "en": "cat"} for m in spots}
    assert result.extras["texts"] == {id: known[id] for id in result.extras["texts"]} and len(result.extras["texts"]) == len(items)


@pytest.mark.parametrize(("most", "kept", "beyond"), [(2, 2, 2), (9, 4, 0), (None, 4, 0)])
def test_a_limit_is_one_of_the_places_that_can_be_read(opened, most, kept, beyond):
    """Of eight places the first four cannot be read: so many as there are room for are kept of the others, and the rest is counted."""
    never = [Mark(f"x{k}", "code", "dog", 2, {"en": (" cat",)}) for k in range(4)]
    spots = [Mark(m.id, m.type, m.text, m.at - 1, m.words) for m in marks(TEXTS)]
    result = carry_out(DecodeMarks(("code", "en"), {None: [*never, *spots]}, most=most), Bench(opened("gpt2"), "a/b", "sound"))
    found = result.extras["all"]
    assert found["kept"] == kept and found["left_out"] == {"nothing follows": 4} | ({"beyond the limit": beyond} if beyond else {})
    assert {r.n for r in result.readings if r.measure == "logprob"} == {kept}
    (told,) = result.extras["tally"]
    assert (told["given"], told["kept"]) == (8, kept)
    assert [r.value for r in result.readings if r.measure == "eligible"] == [0.5]


def test_a_batch_of_one_gives_the_same_rows(opened):
    spots = [Mark(m.id, m.type, m.text, m.at - 1, m.words) for m in marks(TEXTS)]
    ask = DecodeMarks(("code", "en"), {None: spots}, Lens(intervals=False))
    together, alone = (carry_out(ask, Bench(opened("gpt2"), "a/b", "sound", batch_tokens=n)).readings for n in (8192, 1))
    assert [r.value for r in together] == pytest.approx([r.value for r in alone], abs=1e-5)


def test_no_place_at_all_says_why(opened):
    ask = DecodeMarks(("code", "en"), {None: [mark("dog", 2)]}, left_out={None: {"n": "no mark"}})
    with pytest.raises(BadInput, match=r"no place can be read .*nothing follows.*no mark"):
        carry_out(ask, Bench(opened("gpt2"), "a/b", "sound"))


def test_relative_judges_see_what_was_written_unpushed(opened):
    from semhub.methods.steer import judged

    prompts = [SimpleNamespace(text=text) for text in ("dog", "cat")]
    bench = Bench(opened("gpt2"), "a/b", "sound")
    ask = SimpleNamespace(
        sampled=Sampled(3, greedy=True),
        judges={
            "same": lambda p, o, bare: [float(x == y) for x, y in zip(o, bare, strict=True)],
            "length": lambda p, o: [len(x) for x in o],
        },
        relative=("same",),
    )
    unpushed = [row.text for row in bench.model.generate(["dog", "cat"], max_new_tokens=3, sampling=Sampling(greedy=True))]
    found = judged(ask, bench, prompts, [[unpushed[0]], ["something else"]], ["same", "length"])
    assert found["same"].tolist() == [1.0, 0.0] and found["length"].tolist() == [len(unpushed[0]), 14.0]
