"""The controls of every intervention: that each is there, and changes what its name says and nothing else."""

import pytest
import torch

import semhub
from families_multimodal import built
from planted import Planted, bench, vector
from semhub.data.world import renderer
from semhub.methods import repaint
from semhub.methods.steer import Half, Setting, differences, first_token
from semhub.methods.steer import asked as edited
from semhub.methods.steer import told as settings
from semhub.models.where import resolve
from semhub.tasks import audio, catalogue, code, find, given, vision
from semhub.types import Prompt

EVERY = {"random-direction", "shuffled-pair", "wrong-concept", "wrong-layer", "layer-0", "wrong-position", "as-text"}


@pytest.mark.parametrize("name", [name for name in catalogue() if name.endswith("/intervention")])
def test_every_intervention_is_held_against_every_control(name):
    asked = find(name)("sound", given())
    assert {*asked.neutral, *asked.controls} - {"wrong-word", "neutral-word"} == EVERY


def numbers(texts):
    """What each clause says after "equals", and its last word, the operation."""
    return [tuple(text.split(" equals ")[1].rsplit(" ", 1)) for text in texts]


def test_exchanged_pairs_of_numbers_lose_what_is_wanted():
    """One more cancels to the last bit in a model whose numbers lie on a line, and none of the numbers is one of the prompt's own."""
    values = {renderer("en").number(k): k for k in range(100)}
    state = lambda text, layer: float(values[numbers([text])[0][0]]) * vector("more")  # noqa: E731
    asked, here = find("arithmetic/intervention")("sound", given()), bench(Planted(state=state))
    push, exchanged = asked.pushes["en"], asked.neutral["shuffled-pair"]["en"]
    torch.testing.assert_close(differences(here, push, asked.prompts, 1), vector("more").expand(len(asked.prompts), -1))
    torch.testing.assert_close(differences(here, exchanged, asked.prompts, 1), torch.zeros(len(asked.prompts), 64))
    for prompt in asked.prompts:
        (up, same), *pairs = (
            [values[number] for number, _ in numbers(each)]
            for each in (push.toward(prompt) + push.away(prompt), exchanged.toward(prompt), exchanged.away(prompt))
        )
        assert up == same + 1 and not {up, same} & {n for pair in pairs for n in pair}
        assert [a - b for a, b in zip(*pairs, strict=True)] == [1, -1]


def test_a_wrong_operation_keeps_the_number():
    asked = find("arithmetic/intervention")("sound", given())
    push, wrong = asked.pushes["en"], asked.neutral["wrong-concept"]["en"]
    for prompt in asked.prompts:
        ((number, op),), ((kept, other),) = numbers(push.away(prompt)), numbers(wrong.toward(prompt))
        assert wrong.away(prompt) == push.away(prompt) and (number, op, other) == (kept, "plus", "times")


@pytest.mark.parametrize("name", ["arithmetic/intervention", "code/intervention"])
def test_the_controls_push_as_far_as_the_push_itself(name):
    """At one place by one length: of all that is written, only what the name of the control says is another thing."""
    asked = find(name)("sound", given(limit=12))
    words = [word for pair in (code.WORDS, *sum(code.OTHER_WORDS.values(), ())) for word in pair]
    here = bench(Planted(list(dict.fromkeys(words)), lambda text, layer: vector(f"{text} at {layer}")))
    half = Half("digits", "report", tuple(asked.prompts[:3]))
    told = [s for s in settings(asked, half, "en", [0, 1], 1, 0.5, 2) if s.control not in (None, "as-text")]
    under = lambda s: edited(asked, here, half, [s], {0: 3.0, 1: 3.0, 2: 5.0}, "en")  # noqa: E731
    main, others = under(Setting("en", None, 1, 0.5)), {s.control: under(s) for s in told}
    assert set(others) == {*asked.neutral, *asked.controls} - {"as-text", "layer-0"}
    assert all(each.strengths == main.strengths == [0.5] and each.prompts == main.prompts for each in others.values())
    written = {control: each.edits[0] for control, each in others.items()}
    usual = dict.fromkeys(written, (1, "last", "prompt")) | {"wrong-position": (1, "first", "prompt")}
    usual |= {"wrong-layer": (2, "last", "prompt")} if name.startswith("code") else {}
    assert {control: (edit.layer, edit.at, edit.when) for control, edit in written.items()} == usual
    pushed = lambda edit: edit.change.values[0][:, 0]  # noqa: E731
    for control, edit in written.items():
        assert pushed(edit).norm(dim=-1).tolist() == pytest.approx([5.0 if edit.layer == 2 else 3.0] * 3, abs=1e-5)
        alike = torch.nn.functional.cosine_similarity(pushed(edit), pushed(main.edits[0]))
        same = control == "wrong-position" or (control == "wrong-layer" and name.startswith("code"))
        assert (alike > 0.999).all() if same else (alike < 0.9).all(), control


# where an image or a sound stands ------------------------------------------------------------------------------------

SENSED = {"vision/intervention": "llava", "audio/intervention": "qwen2_audio"}
CHOSEN, DEPTH = 1, 3


@pytest.fixture(scope="module", params=SENSED)
def sensed(request):
    """A declaration, its bench on a tiny model (every word a token of its own), and some of its prompts, encoded."""
    here = bench(semhub.load(*built(SENSED[request.param]), prove=False), task=request.param)
    asked = find(request.param)("sound", given(limit=40))
    half, ids = repaint.encoded(asked, here, asked.prompts[:6], "report"), {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(repaint, "first_token", lambda bench, word: ids.setdefault(word, len(ids)))
        yield asked, here, half
    assert len(ids) < here.model.vocab


def edits_under(sensed, control, monkeypatch):
    """The edits of one control at the chosen layer; none where the prompt alone is another."""
    seen = []
    asked, here, half = sensed
    monkeypatch.setattr(repaint, "said", lambda ask, bench, prompts, encodings, changes: seen.append(changes) or half.base)
    if control is None:
        repaint.pushed(asked, here, half, None, CHOSEN, 2.0)
    else:
        repaint.beside(asked, here, half, control, CHOSEN, 2.0, half.base)
    return seen[-1]


def positions(edit, half):
    return [{row for (row,) in resolve(at, encoding)} for at, encoding in zip(edit.at, half.encodings, strict=True)]


def test_what_is_put_where_an_image_or_a_sound_stands_is_as_long_under_every_control(sensed, monkeypatch):
    asked, here, half = sensed
    main = edits_under(sensed, None, monkeypatch)
    pushed = lambda edits: edits[0].change.values[0][:, 0]  # noqa: E731
    for control in repaint.controls(asked, here, CHOSEN):
        found = edits_under(sensed, control, monkeypatch)
        if control == "as-text":
            assert found == []
            continue
        first = {"layer-0": 0, "wrong-layer": DEPTH - 1}.get(control, CHOSEN)
        assert [edit.layer for edit in found] == list(range(first, DEPTH + 1) if asked.upward else [first]), control
        assert all(
            edit.when == "prompt" and (positions(edit, half) == positions(main[0], half)) != (control == "wrong-position") for edit in found
        )
        assert pushed(found).norm(dim=-1).tolist() == pytest.approx(pushed(main).norm(dim=-1).tolist(), rel=1e-4), control
        alike = torch.nn.functional.cosine_similarity(pushed(found), pushed(main))
        assert (alike < 0.95).all() if control in (*asked.neutral, "random-direction") else (alike > 0.999).all(), control


def test_a_wrong_position_is_outside_what_is_pushed(sensed, monkeypatch):
    """The other half of the image, as many places; the first token of the prompt, before the sound."""
    asked, here, half = sensed
    right, wrong = (positions(edits_under(sensed, control, monkeypatch)[0], half) for control in (None, "wrong-position"))
    for here_, there, encoding in zip(right, wrong, half.encodings, strict=True):
        span = set(encoding.span.positions)
        assert here_ <= span and not here_ & there
        assert here_ | there == span if encoding.span.kind == "image" else there == {0} and here_ == span


def test_a_sound_is_read_at_the_last_layer_but_one_and_not_at_the_last():
    """Why the wrong layer is that one: at the last, no later token could tell."""
    asked = find("audio/intervention")("sound", given(limit=8))
    here = bench(semhub.load(*built("qwen2_audio"), prove=False), task="audio/intervention")
    half = repaint.encoded(asked, here, repaint.eligible(asked, here)[0], "report")
    moved = {
        k: abs(repaint.pushed(asked, here, half, None, k, 40.0)["yes_share"] - half.base["yes_share"]).max() for k in (DEPTH - 1, DEPTH)
    }
    assert moved[DEPTH] == 0 < 1e-6 < moved[DEPTH - 1]


# the words -----------------------------------------------------------------------------------------------------------


def test_exchanged_colours_are_none_that_the_prompt_speaks_of():
    asked = find("vision/intervention")("sound", given())
    for prompt in asked.prompts:
        new, old = asked.neutral["shuffled-pair"](prompt)
        things = asked.neutral["wrong-concept"](prompt)
        assert len({new, old, *(prompt.facets[name] for name in ("old", "kept", "new", "wrong"))}) == 6
        assert not {*things} & set(vision.MORE_PAINTS) and len({*things}) == 2
    assert len({asked.neutral["shuffled-pair"](prompt) for prompt in asked.prompts}) > 10


def test_exchanged_animals_are_of_the_kind_that_is_heard():
    """So the other kind, which is wanted, cancels."""
    asked = find("audio/intervention")("sound", given())
    kinds = {prompt.facets["old"]: prompt.facets["kind"] for prompt in asked.prompts}
    for prompt in asked.prompts:
        new, old = asked.neutral["shuffled-pair"](prompt)
        assert kinds[new] == kinds[old] == prompt.facets["kind"] and len({new, old, prompt.facets["old"]}) == 3
        assert not {*asked.neutral["wrong-concept"](prompt)} & set(kinds)


def test_two_animals_of_a_kind_give_nothing_to_exchange():
    named = lambda *words: [Prompt(w, "audio", w, {"old": w, "kind": k, "same": w}) for k, w in words]  # noqa: E731
    kinds = [("mammal", w) for w in ("dog", "cat", "cow")] + [("other", w) for w in ("owl", "crow", "bee")]
    assert "shuffled-pair" in audio.other_words(named(*kinds), 0) and "shuffled-pair" not in audio.other_words(named(*kinds[:-1]), 0)


def test_words_of_programs_begin_with_tokens_of_their_own():
    """In the bundled model all the words of the controls are told apart by the token that is pushed."""
    model = semhub.load("semhub-text", prove=False)
    pairs = [code.WORDS[:1] + code.WORDS[1:], *(tuple(toward + away) for toward, away in code.OTHER_WORDS.values())]
    for words in pairs:
        assert len({first_token(model, word) for word in words}) == len(words), words
