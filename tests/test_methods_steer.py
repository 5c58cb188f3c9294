"""`Steer`, `Inject` and `Trajectory` against a model whose outputs are a known function of the push."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from planted import Planted, bench, rows, vector
from semhub.errors import BadInput
from semhub.methods import Inject, Push, Sampled, Steer, Trajectory, carry_out
from semhub.methods.declare import Judges
from semhub.methods.inject import padded, states_of
from semhub.methods.steer import Half, Setting, asked, mean_lengths
from semhub.methods.trajectory import path, plane
from semhub.types import Prompt

GOOD, BAD = "en:good", "en:bad"
WAY = torch.nn.functional.normalize(vector("good") - vector("bad"), dim=0)
PROMPTS = [Prompt(f"p{i}", "es", f"es:p{i} es") for i in range(24)]


def write(prompt, push, strength):
    """What is written is the length of the push along good minus bad at layer 1, a fifth of that elsewhere; words count a little."""
    moved = sum(float(v.float() @ WAY) * strength * (1 if layer == 1 else 0.2) for layer, v in push)
    said = 0.1 * ("Good" in prompt) - 0.1 * ("Bad" in prompt)
    return f"{moved + said + 0.01 * (len(prompt) % 3):.6f}"


def read(prompts, outputs):
    return [None if output == "drifted" else float(output) for output in outputs]


def push(plus, minus, words=("Good", "Bad")):
    as_text = lambda prompt, sign: f"{prompt.text} {words[0] if sign > 0 else words[1]}"  # noqa: E731
    return Push(lambda prompt: (plus,), lambda prompt: (minus,), as_text=as_text)


def ask(**changed):
    usual = {
        "prompts": PROMPTS,
        "pushes": {"en": push(GOOD, BAD), "es": push("es:good", "es:bad")},
        "judges": {"tone": read, "length": lambda prompts, outputs: [float(len(o)) for o in outputs]},
        "target": "tone",
        "depths": (Fraction(0), Fraction(1, 2), Fraction(1)),
        "strengths": (0.5, 1.0),
        "neutral": {"neutral-word": {"en": push("en:table", "en:chair")}},
        "controls": ("random-direction", "as-text", "layer-0"),
    }
    return Steer(**usual | changed)


@pytest.fixture(scope="module")
def result():
    return carry_out(ask(), bench(Planted(write=write)))


def one(result, **wanted):
    found = rows(result, split="report", group="en>es", **{"variant": None} | wanted)
    assert len(found) == 1, found
    return found[0]


def test_layer_and_strength_are_chosen_on_the_other_prompts(result):
    assert result.extras["chosen"] == {"en>es": {"layer": 1, "strength": 1.0}}
    items = {split: {o.item for o in result.outcomes if o.split == split} for split in ("choose", "report")}
    assert len(items["report"]) == 12 and not items["choose"]
    assert {r.n for r in result.readings if r.split == "choose"} == {12}


def test_prompts_of_one_source_stay_in_one_half_and_count_as_one():
    """Twelve sources of two prompts that write alike: the interval is that of the sources."""
    twins = [Prompt(f"p{i}", "es", f"es:p{i // 2} es", {"source": f"s{i // 2}"}) for i in range(24)]
    found = carry_out(ask(prompts=twins), bench(Planted(write=write)))
    halves = [{o.source for o in found.outcomes if o.split == "report"}, {p.source for p in twins}]
    assert len(halves[0]) == 6 and halves[0] < halves[1]
    apart = carry_out(ask(prompts=[replace(p, facets={}) for p in twins]), bench(Planted(write=write)))
    told, untold = (one(each, measure="tone", control=None, layer=1, strength=0.5) for each in (found, apart))
    assert told.n == untold.n == 12 and told.high - told.low > 1.15 * (untold.high - untold.low) > 0


def test_a_push_moves_both_ways_by_its_length(result):
    unit = float(torch.linalg.vector_norm(vector("p0")))
    for sign in (1, -1):
        change = one(result, measure="tone_change", control=None, layer=1, strength=sign * 1.0)
        assert change.value == pytest.approx(sign * unit, abs=1e-4) and change.low <= change.value <= change.high
        half = one(result, measure="tone_change", control=None, layer=1, strength=sign * 0.5)
        assert half.value == pytest.approx(change.value / 2, abs=1e-4)
    assert one(result, measure="tone", control=None, layer=1, strength=0.0).value == pytest.approx(0.01, abs=0.01)


def test_controls_stand_beside_it_at_the_same_length(result):
    for control in ("random-direction", "neutral-word", "as-text", "layer-0"):
        for sign in (1.0, -1.0):
            excess = one(result, measure="tone_excess", control=control, layer=1, strength=sign)
            assert excess.value > 0.5 and excess.low > 0
    assert one(result, measure="tone", control="as-text", strength=1.0).layer is None
    alias, same = (one(result, measure="tone", control=c, layer=0, strength=1.0).value for c in ("layer-0", None))
    assert alias == same


def test_every_source_is_pushed_at_the_chosen_setting(result):
    found = rows(result, measure="tone", group="es>es", split="report", control=None)
    assert {(r.layer, r.strength) for r in found} == {(1, -1.0), (1, 0.0), (1, 1.0)}


def test_no_key_occurs_twice(result):
    keys = [(r.measure, r.group, r.position, r.variant, r.control, r.split, r.layer, r.strength) for r in result.readings]
    assert len(set(keys)) == len(keys)


def test_outputs_that_cannot_be_judged_are_left_out():
    drifting = lambda prompt, push, strength: "drifted" if "p1" in prompt else write(prompt, push, strength)  # noqa: E731
    found = carry_out(ask(prompts=PROMPTS[:10], rehearsal=PROMPTS[10:], judges={"tone": read}), bench(Planted(write=drifting)))
    assert {r.n for r in rows(found, measure="tone", split="report")} == {9}


def test_over_all_prompts_an_output_that_cannot_be_judged_has_not_changed():
    """Intention to treat: layer 0 costs nine outputs in ten their language and moves the tenth far; that is no large effect."""
    sparing = ("es:p0 es", "es:p10 es")

    def escaping(prompt, push, strength):
        if push and push[0][0] == 0 and prompt not in sparing:
            return "drifted"
        return "2.0" if push and push[0][0] == 0 else write(prompt, push, strength)

    asked = ask(prompts=PROMPTS[:20], rehearsal=PROMPTS[20:], judges={"tone": read}, strengths=(1.0,))
    found = carry_out(asked, bench(Planted(write=escaping)))
    at_0 = {v: one(found, measure="tone_change", layer=0, control=None, strength=1.0, variant=v) for v in (None, "all")}
    base = np.mean([float(write(p, [], 0.0)) for p in sparing])
    assert (at_0[None].n, at_0["all"].n) == (2, 20)
    assert at_0[None].value == pytest.approx(2 - base, abs=1e-5)
    assert at_0["all"].value == pytest.approx(2 * (2 - base) / 20, abs=1e-5)
    excess = one(found, measure="tone_excess", control="layer-0", layer=1, strength=1.0, variant="all")
    own = one(found, measure="tone_change", control=None, layer=1, strength=1.0, variant="all")
    assert excess.n == 20 and excess.value == pytest.approx(own.value - at_0["all"].value, abs=1e-5) and excess.low > 0
    assert one(found, measure="tone_excess", control="layer-0", layer=1, strength=1.0).value < 0, "on what is left, the selection decides"


def test_settings_are_chosen_by_the_change_over_all_prompts():
    """The stronger push moves those that it spares twice as far, and spares one in four."""

    def sparse(prompt, push, strength):
        lost = abs(strength) == 1.0 and len(prompt) % 2 == 0
        return "drifted" if lost or (abs(strength) == 1.0 and prompt[4] in "12345") else write(prompt, push, strength)

    found = carry_out(ask(judges={"tone": read}, controls=(), neutral={}), bench(Planted(write=sparse)))
    assert found.extras["chosen"]["en>es"] == {"layer": 1, "strength": 0.5}


def edits_under(control, source="en"):
    """The edits of one setting, on prompts whose words push the same way at layers 1 and 2 under different names."""
    half = Half("es", "report", tuple(PROMPTS[:3]))
    setting = Setting(source, control, 1, 0.5)
    return asked(ask(), bench(Planted(write=write)), half, [setting], {1: 2.0}, "en")


def test_a_wrong_layer_gives_the_last_layers_direction_at_the_same_length():
    (edit,) = edits_under("wrong-layer").edits
    last = torch.nn.functional.normalize(Planted.usual(GOOD, 2) - Planted.usual(BAD, 2), dim=0)
    torch.testing.assert_close(edit.change.values[0][1, 0], 2 * last)
    assert (edit.layer, edit.at, edit.when) == (1, "all", "both")


def words_of(toward, away):
    return Push(lambda prompt: (toward,), lambda prompt: (away,), "unembedding")


def of_words(**changed):
    """Pushed between rows of the unembedding, which no layer changes."""
    controls = ("layer-0", "wrong-layer", "wrong-position")
    return ask(**{"pushes": {"en": words_of("good", "bad")}, "neutral": {}, "controls": controls, "both_signs": False} | changed)


def test_where_the_push_is_the_same_at_every_layer_it_is_written_at_a_wrong_one():
    found = carry_out(of_words(), bench(Planted(["good", "bad"], write=write)))
    assert found.extras["chosen"] == {"en>es": {"layer": 1, "strength": 1.0}}
    wrong, right = (one(found, measure="tone_change", control=c, layer=k, strength=1.0) for c, k in (("wrong-layer", 2), (None, 1)))
    assert wrong.value == pytest.approx(0.2 * np.sqrt(2), abs=0.05), "a fifth, of the longer states of layer 2"
    excess = one(found, measure="tone_excess", control="wrong-layer", layer=1, strength=1.0)
    assert excess.value == pytest.approx(right.value - wrong.value, abs=1e-5)
    half = Half("es", "report", tuple(PROMPTS[:3]))
    given = [
        asked(of_words(), bench(Planted(["good", "bad"])), half, [s], {1: 2.0, 2: 3.0}, "en").edits[0]
        for s in (Setting("en", "wrong-layer", 2, 1.0), Setting("en", None, 1, 1.0))
    ]
    assert [each.layer for each in given] == [2, 1]
    torch.testing.assert_close(given[0].change.values[0] / 3, given[1].change.values[0] / 2)


@pytest.mark.parametrize("declared", (ask, of_words))
def test_no_layer_is_wrong_where_the_last_was_chosen(declared):
    asked_ = declared(depths=(Fraction(1),), controls=("wrong-layer", "wrong-position"))
    found = carry_out(asked_, bench(Planted(["good", "bad"], write=write)))
    assert {r.control for r in found.readings if r.control} == {"wrong-position", *asked_.neutral}


def test_a_wrong_position_is_the_first_token_alone():
    wrong, right = edits_under("wrong-position").edits[0], edits_under(None).edits[0]
    assert (wrong.layer, wrong.at, wrong.when) == (1, "first", "prompt")
    torch.testing.assert_close(wrong.change.values[0], right.change.values[0])


@pytest.mark.parametrize("control", ["without-main", "without-random"])
def test_the_own_push_loses_one_direction_whole(control):
    """Of what is pushed, whatever lies along the direction goes, at every strength; the rest of the push stays."""
    given = edits_under(control, source="es")
    assert given.strengths == (1.0,), "an ablation by half would be none"
    hidden = torch.randn(3, 5, WAY.numel(), generator=torch.Generator().manual_seed(3))
    moved = given.edits[1].change(given.edits[0].change(hidden))
    own = torch.nn.functional.normalize(vector("good") - vector("bad"), dim=0)
    gone = given.edits[1].change.values[0][:, 0].float()
    pushed = hidden + 0.5 * 2.0 * own
    expected = pushed - (pushed * gone[:, None]).sum(-1, keepdim=True) * gone[:, None]
    torch.testing.assert_close(moved, expected, atol=1e-5, rtol=1e-5)
    along = (gone @ WAY).abs()
    assert (along > 0.999).all() if control == "without-main" else (along < 0.6).all()


def test_the_controls_of_the_longer_task_are_told_apart():
    """A direction that all types share is needed by the own push; a random one is not."""
    found = carry_out(ask(controls=("wrong-position", "without-main", "without-random"), prompts=PROMPTS[:8]), bench(Planted(write=write)))
    groups = {(r.group, r.control) for r in rows(found, measure="tone_excess", variant="all")}
    assert groups == {("en>es", "neutral-word"), ("en>es", "wrong-position"), ("es>es", "without-main"), ("es>es", "without-random")}
    assert {r.position for r in rows(found, measure="tone", control="wrong-position")} == {"first"}


def test_who_judges_is_recorded():
    who = lambda: Judges({"tone": "a reader"}, {"es": 0.95}, 400)  # noqa: E731
    found = carry_out(ask(judged_by=who), bench(Planted(write=write)))
    assert found.extras["judges"] == {"tone": "a reader"}
    assert [(r.group, r.value, r.n) for r in rows(found, measure="scorer_accuracy")] == [("es", 0.95, 400)]


def test_costly_judges_are_asked_at_the_chosen_layer_only():
    found = carry_out(ask(at_choice=("length",)), bench(Planted(write=write)))
    assert {r.layer for r in rows(found, measure="length")} - {None} == {1} and {r.layer for r in rows(found, measure="tone")} >= {0, 1, 2}


def test_settings_that_break_the_outputs_are_not_chosen():
    breaking = lambda prompt, push, strength: "drifted" if abs(strength) == 1.0 else write(prompt, push, strength)  # noqa: E731
    found = carry_out(ask(judges={"tone": read}, controls=(), neutral={}), bench(Planted(write=breaking)))
    assert found.extras["chosen"]["en>es"] == {"layer": 1, "strength": 0.5}


def test_strengths_are_multiples_of_the_mean_length():
    longer = Planted(state=lambda text, layer: 3 * Planted.usual(text, layer), write=write)
    assert mean_lengths(bench(longer), [p.text for p in PROMPTS], [0, 1]) == pytest.approx({0: 3.0, 1: 3.0}, abs=1e-5)


def test_too_few_prompts_are_said():
    with pytest.raises(BadInput, match="at least four prompts"):
        carry_out(ask(prompts=PROMPTS[:3]), bench(Planted(write=write)))
    with pytest.raises(BadInput, match="no prompts"):
        carry_out(ask(prompts=[]), bench(Planted(write=write)))
    with pytest.raises(BadInput, match="above 0"):
        carry_out(ask(), bench(Planted(write=write), layers=(0,)))


# the release's interventions -----------------------------------------------------------------------------------------


def test_the_release_adds_the_difference_itself_one_block_later():
    seen = []

    def noting(prompt, push, strength):
        seen.append((push[0][0], push[0][1] * strength))
        return "0"

    inject = Inject(
        PROMPTS[:2], {"en": push(GOOD, BAD)}, {"tone": read}, (Fraction(31, 32),), (0.0, 1.5), Sampled(greedy=True), "en", lag=1
    )
    found = carry_out(inject, bench(Planted(write=noting), protocol="paper"))
    assert {layer for layer, _ in seen} == {2}
    torch.testing.assert_close(seen[1][1], 1.5 * (vector("good") - vector("bad")))
    assert [(r.strength, r.layer, r.group, r.low) for r in found.readings] == [(0.0, 2, "en>es", None), (1.5, 2, "en>es", None)]


@pytest.fixture(scope="module")
def network():
    import semhub.models
    from tiny_models import tiny

    return semhub.models.load(tiny("llama")), tiny("llama")


def test_words_are_padded_with_spaces_on_the_right(network):
    model, (_, words) = network
    a, b = padded(bench(model), "Good", "Malo Malo")
    assert len(a) == len(b) and b == words("Malo Malo")["input_ids"]
    short = words("Good")["input_ids"]
    assert a == short + words(" ", add_special_tokens=False)["input_ids"][:1] * (len(b) - len(short))


def test_states_of_ids_are_the_networks_own(network):
    model, (net, words) = network
    ids = words("The dog sees")["input_ids"]
    with torch.no_grad():
        hidden = net(torch.tensor([ids]), output_hidden_states=True).hidden_states
    for layer in (0, 1, 2):
        torch.testing.assert_close(states_of(bench(model), ids, layer), hidden[layer][0], atol=1e-5, rtol=1e-5)


# paths ---------------------------------------------------------------------------------------------------------------


def test_the_plane_is_that_of_most_variance():
    rows_ = torch.randn(20, 8, generator=torch.Generator().manual_seed(0)) * torch.tensor([5.0, 3, 1, 1, 1, 1, 1, 1])
    centre, axes = plane(rows_)
    _, _, expected = np.linalg.svd(rows_.double().numpy() - rows_.double().numpy().mean(0))
    for mine, theirs in zip(axes.numpy(), expected, strict=False):
        assert abs(float(mine @ theirs)) == pytest.approx(1, abs=1e-5)
    assert (axes @ axes.T - torch.eye(2)).abs().max() < 1e-5


def test_states_are_scored_over_their_own_layers():
    states = torch.randn(4, 3, 6, generator=torch.Generator().manual_seed(1))
    scored = (states.numpy() - states.numpy().mean(0)) / states.numpy().std(0)
    expected = scored @ np.eye(6)[:2].T
    np.testing.assert_allclose(path(states, torch.zeros(6), torch.eye(6)[:2]).numpy(), expected, atol=1e-5)
    assert torch.isfinite(path(torch.ones(3, 2, 6), torch.zeros(6), torch.eye(6)[:2])).all()


def test_a_path_that_passes_the_words_is_told_from_random_ones():
    words = {"digits": ("eins", "zwei", "drei"), "en": ("one", "two", "three")}
    names = [*words["digits"], *words["en"]]
    middles = {t: sum(vector(w) for w in group) / 3 for t, group in words.items()}
    states = lambda text, layer: (vector(text), 9 * middles["en"], 9 * middles["digits"])[layer]  # noqa: E731
    asked = Trajectory({f"i{k}": f"i{k}" for k in range(10)}, words, "=", "digits:en", floor=True)
    found = carry_out(asked, bench(Planted(names, states)))
    near = {t: [r.value for r in rows(found, measure=f"near_{t}", control=None)] for t in words}
    assert near["en"][1] == 1 and near["digits"][2] == 1
    drawn = found.extras["paths"]
    assert [m["word"] for m in drawn["landmarks"]] == names and len(drawn["items"]) == 10 and len(drawn["mean"]) == 3
    assert rows(found, measure="near_en", control="random-state") and len(drawn["mean"][0]) == 2


# what a push costs ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strength", [1.0, -0.5])
def test_the_divergence_of_a_push_is_that_of_one_prompt_at_a_time(strength):
    import semhub.models
    from oracles import plain
    from semhub.methods.steer import directions, divergences, generate_all
    from tiny_models import tiny

    model, (network, words) = semhub.models.load(tiny("gpt2")), tiny("gpt2")
    prompts = tuple(Prompt(f"p{i}", "es", text) for i, text in enumerate(("El perro", "El gato ve el hotel y", "Malo")))
    declared, here = ask(prompts=prompts, pushes={"en": push("Good", "Bad")}), bench(model)
    half, setting = Half("es", "report", prompts), Setting("en", None, 2, strength)
    lengths = {2: 30.0}
    pushes = [asked(declared, here, half, [each], lengths, "en") for each in (Setting("en", None, None, 0.0), setting)]
    (free,), (moved,) = generate_all(here, pushes, declared.sampled, first=True)
    found = divergences(free, moved)
    vectors = directions(declared, here, half, setting) * lengths[2]

    def said(scale=strength, places=None, swapped=False):
        each = []
        for prompt, vector_ in zip(prompts, vectors, strict=True):
            ids = plain.encode(words, prompt.text)
            at = range(len(ids)) if places is None else places
            with plain.added(network, 2, at, [scale * vector_] * len(at)):
                pushed = torch.log_softmax(plain.next_logits(network, ids), -1)
            free = torch.log_softmax(plain.next_logits(network, ids), -1)
            first, second = (pushed, free) if swapped else (free, pushed)
            each.append(float((first.exp() * (first - second)).sum()))
        return np.array(each)

    assert np.abs(found - said()).max() < 1e-4 and found.min() > 1e-3
    for mistaken in (said(scale=1.7 * strength), said(places=[0]), said(swapped=True), said(scale=-strength)):
        assert np.abs(found - mistaken).max() > 1e-4
    assert divergences(free, free).tolist() == [0.0, 0.0, 0.0]


def test_shuffled_pairs_lose_what_the_languages_share():
    from semhub.methods.steer import differences
    from semhub.tasks.multilingual import shuffled

    def state(text, layer):
        """A word is its quality and its language; the quality is the same for all."""
        language, quality = text.split("-")
        return vector(quality) + 0.3 * vector(f"{language} {quality}")

    here = bench(Planted(state=state))
    words = {t: (f"{t}-good", f"{t}-bad") for t in ("en", "es", "zh")}
    pushes = shuffled(words, ("en", "es", "zh"))["shuffled-pair"]
    (mixed,) = differences(here, pushes["en"], PROMPTS[:1], 1)
    whole = state("en-good", 1) - state("en-bad", 1)
    shared = vector("good") - vector("bad")
    assert abs(float(mixed @ shared)) < 0.2 < float(whole @ shared)
    assert shuffled(words, ("en",)) == {}
