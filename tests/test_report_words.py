"""What the page says: numbers as they are written, and sentences that never say more than the numbers carry."""

from dataclasses import replace

import pandas as pd
import pytest

import report_folder as made
from semhub.report import origins, prose, words, write_report
from semhub.report.answers import answers
from semhub.report.folder import read_run
from semhub.report.items import told as outputs_told
from semhub.report.items import with_texts
from semhub.report.tables import verdict_table
from semhub.runs import store
from semhub.tasks import SUITES, find
from semhub.types import Outcome, Reading
from semhub.verdicts.slices import Estimate
from semhub.verdicts.verdict import Verdict


@pytest.fixture
def told(tmp_path):
    """`told(readings, models)` -> the three answers by key, of a run of just these readings."""

    def tell(readings, models=None, **changes):
        run = read_run(made.write(tmp_path, list(readings), models or made.MODELS, parts=False, **changes))
        return {answer.key: answer for answer in answers(run)}

    return tell


def everything(*makers, models=made.MODELS):
    return [row for model in models for maker in makers for row in maker(model)]


# numbers -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.314, "0.31"), (-0.314, "−0.31"), (0.0312, "0.031"), (0.0004, "0.000"), (-0.0001, "0.000"), (30.04, "30.0"), (123.4, "123"),
        (12345.6, "12,346"), (None, "–"), (float("nan"), "–"), (float("inf"), "–"),
    ],
)  # fmt: skip
def test_numbers_are_written_with_the_digits_they_need(value, text):
    assert words.written(value) == text


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        (Estimate(0.31, 0.28, 0.34), "0.31 [0.28, 0.34]"),
        (Estimate(0.12, 0.003, 0.24), "0.120 [0.003, 0.240]"),
        (Estimate(0.02, -0.01, 0.05), "0.020 [−0.010, 0.050]"),
        (Estimate(0.5), "0.50"),
        (None, "–"),
    ],
)
def test_an_interval_never_hides_on_which_side_of_0_it_ends(estimate, text):
    assert words.with_interval(estimate) == text


def test_layers_are_read_aloud_as_stretches():
    assert words.layers([3]) == "layer 3"
    assert words.layers([6, 1, 2, 3]) == "layers 1 to 3 and 6"
    assert words.layers([1, 2]) == "layers 1 and 2"


def test_lists_pairs_and_measures_have_names():
    assert words.listing(["a", "b", "c"]) == "a, b and c" and words.listing(["a"]) == "a" and words.listing([]) == ""
    assert words.pair_name("en-zh") == "English–Chinese" and words.pair_name("es:en") == "Spanish prompt, English word"
    assert words.pair_name("en>digits") == "English → digits" and words.pair_name("my-own-thing") == "my-own-thing"
    assert words.measure_name("near_en") == "share of states nearest to English"
    assert words.measure_name("something new") == "something new"


def test_layer_0_is_a_push_only_beside_a_push(told, tmp_path):
    for claim, name in (("used", "the same push at layer 0"), ("shared", "its value at layer 0")):
        assert words.control_name("layer-0", claim) == name
    run = read_run(made.write(tmp_path, everything(made.similarity), parts=False))
    heads = verdict_table(run, "shared").columns
    assert "its value at layer 0" in heads and not any("push" in head for head in heads)
    flat = [Reading(**r.row() | {"layer": 1, "n": 500}) if r.layer == 7 else r for r in made.similarity(made.HUB) if r.layer in (0, 7)]
    level = [Reading(**r.row() | made.around(0.3)) if r.measure == "adjusted_cosine" and r.control is None else r for r in flat]
    assert "not clearly beyond its value at layer 0" in told(level, {made.HUB: "hub"})["shared"].found[0]


def test_a_figure_in_words_gives_ends_and_peak():
    points = tuple(Estimate(v, at=float(k)) for k, v in enumerate([0.0, 0.5, 0.25]))
    assert words.described("S", {"m": points}) == "S. m: 0.000 at layer 0, 0.25 at layer 2, highest 0.50 at layer 1."
    assert words.described("S", {"m": ()}) == "S. No values."


# answers -------------------------------------------------------------------------------------------------------------


def test_a_hub_that_survives_its_controls_is_told_with_numbers_and_intervals(told):
    found = told(everything(made.similarity, made.lens, made.steering))
    assert [found[key].badge for key in ("shared", "anchored", "used")] == ["Supported"] * 3
    assert "For all 6 pairs of languages, in the middle layers the two forms of a meaning" in found["shared"].found[0]
    assert "S = 0.17 [0.14, 0.20] for Chinese–German to 0.36 [0.33, 0.39] for English–Chinese" in found["shared"].found[0]
    assert "favour the English word" in found["anchored"].found[0]
    assert "beyond what any other push did" in found["used"].found[0]


def test_each_finding_is_one_sentence(told):
    for answer in told(everything(made.similarity, made.lens, made.steering)).values():
        assert answer.found and all(found.endswith(".") and ". " not in found for found in answer.found)


def test_a_control_that_shows_the_same_leaves_every_claim_undecided(told):
    hub = everything(made.similarity, made.lens, made.steering, models=[made.HUB])
    as_good = [Reading(**row.row() | {"model": made.MISPAIRED}) for row in hub]
    found = told(hub + as_good)
    assert {each.verdict.verdict for answer in found.values() for each in answer.opened} == {"undecided"}
    assert all("not clearly beyond the mispaired control model" in answer.found[0] for answer in found.values())


def test_nothing_measured_is_said_as_such(told):
    found = told([row for row in everything(made.trend) if row.measure == "coverage"])
    assert {answer.badge for answer in found.values()} == {"Not measured"}
    assert {answer.found for answer in found.values()} == {("This run did not measure it.",)}


def test_without_a_twin_it_is_said_that_one_is_missing(told):
    found = told(everything(made.similarity, models=[made.HUB]), models={made.HUB: ""})["shared"]
    assert found.badge == "Undecided" and "because no untrained twin of the model was run" in found.found[0]
    assert any("No control model was run" in detail for detail in found.details)


def test_random_weights_give_no_finding(told):
    for role in ("mechanics", "control:untrained"):
        found = told(everything(made.similarity, made.lens, made.steering, models=[made.HUB]), models={made.HUB: role})
        assert {answer.badge for answer in found.values()} == {"No finding"}


def test_values_without_an_interval_claim_nothing(told):
    rows = everything(made.similarity, made.lens, made.steering)
    found = told([Reading(**row.row() | {"low": None, "high": None}) for row in rows], protocol="paper")
    assert {answer.badge for answer in found.values()} == {"Undecided"}
    assert all("nothing is claimed" in answer.found[0] for answer in found.values())


def test_pairs_that_differ_are_told_apart(told):
    flat = dict.fromkeys(("es-zh", "zh-de"), 0.0)
    answer = told([row for model in made.MODELS for row in made.similarity(model, pairs={**made.PAIRS, **flat})])["shared"]
    assert answer.badge == "4 supported, 2 contradicted" and answer.tone == "some"
    assert "For 4 of 6 pairs of languages" in answer.found[0]
    assert "For Spanish–Chinese and Chinese–German, at no middle layer" in answer.found[1]


def test_pairs_that_a_control_was_falsely_taught_answer_nothing(told):
    """S is 0 between the false pairs of a model with true bridges: no sign that its translations do not meet."""
    rows = everything(made.similarity)
    flat = dict.fromkeys(made.PAIRS, 0.0)
    false = [Reading(**r.row() | {"task": "multilingual/planted"}) for m in made.MODELS for r in made.similarity(m, pairs=flat)]
    with_them, without = told(rows + false)["shared"], told(rows)["shared"]
    names = lambda answer: [each.name for each in answer.opened]  # noqa: E731
    # p-values differ: the tests of the run are more
    assert (with_them.badge, with_them.found, names(with_them)) == (without.badge, without.found, names(without))
    assert told(false)["shared"].badge == "Not measured"


def test_an_own_word_that_leads_by_frequency_alone_names_who_leads_beyond_it(told):
    behind = {"value": -1.0, "low": -1.2, "high": -0.8}
    rows = [r for r in everything(made.lens) if r.measure == "anchor" and r.control is None]
    led = [Reading(**r.row() | behind) for r in rows]
    beyond = [Reading(**r.row() | {"measure": "anchor_excess", "value": 1.0, "low": 0.8, "high": 1.2}) for r in rows if r.group == "es:en"]
    (said,) = [text for text in told(led + beyond)["anchored"].found if "Spanish" in text]
    assert "they are not anchored in another type" in said and said.endswith(
        "the English word is ahead of what words of its frequency explain."
    )


def test_a_right_word_that_is_hardly_probable_is_told_as_the_reason(told):
    scarce = {"value": 0.004, "low": 0.003, "high": 0.005}
    rows = [
        Reading(**r.row() | scarce) if r.measure == "prob" and r.control is None else r for r in everything(made.lens, models=[made.HUB])
    ]
    answer = told(rows, {made.HUB: "hub"})["anchored"]
    why = "right words have a mean probability of 0.004, below 0.02"
    assert any(f"the right word is spoken, and not any word ({why})" in said for said in answer.found)
    assert any(f"not passed: {why}" in passed for each in answer.opened for *_, passed in each.controls)


def test_an_own_word_that_leads_everywhere_contradicts_an_anchor(told):
    rows = [Reading(**row.row() | {"value": -1.0, "low": -1.2, "high": -0.8}) for row in everything(made.lens) if row.measure == "anchor"]
    answer = told(rows)["anchored"]
    assert answer.badge == "Contradicted" and "they are not anchored in another type" in answer.found[0]


def test_a_verdict_is_opened_down_to_its_items(tmp_path):
    rows = everything(made.similarity, models=[made.HUB])
    columns = {"task": "multilingual/similarity", "protocol": "sound", "model": made.HUB, "measure": "adjusted_cosine", "group": "en-es"}
    columns |= {"position": "probe", "variant": "raw", "split": "test", "layer": 7}
    made.write(tmp_path, rows, parts=False)
    items = [Outcome(**columns, item=f"scene-{i}", value=i / 100) for i in range(40)]
    (tmp_path / "outcomes.parquet").write_bytes(store.parquet(items, store.OUTCOMES))
    opened = {each.name: each for each in answers(read_run(tmp_path))[0].opened}
    shown = opened["English–Spanish"].items
    assert (shown.all, len(shown.rows), shown.rows[0], shown.rows[-1]) == (40, 9, ("scene-0", "0.000"), ("scene-39", "0.39"))
    assert "group = en-es, layer = 7" in shown.pointer and opened["English–Chinese"].items is None
    texts = {f"scene-{i}": {"en": f"a <b>{i}", "es": f"un {i}", "zh": f"{i}。"} for i in range(20)}
    beside = {"task": "multilingual/similarity", "model": made.HUB, "texts": texts}
    store.write_whole(tmp_path / "parts" / "x.json", store.to_json(beside))
    shown = {each.name: each for each in answers(read_run(tmp_path))[0].opened}["English–Spanish"].items
    assert shown.columns == ("item", "English", "Spanish", "S") and shown.rows[0] == ("scene-0", "a <b>0", "un 0", "0.000")
    assert shown.rows[-1] == ("scene-39", "", "", "0.39")
    assert "<td>a &lt;b&gt;0</td>" in write_report(tmp_path).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("claim", "named"),
    [("anchored", ("prompt", "Spanish word", "English word")), ("used", ("prompt",)), ("shared", ("Spanish", "English"))],
)
def test_items_of_every_claim_are_shown_with_the_texts_that_bear_on_it(tmp_path, claim, named):
    run = read_run(made.write(tmp_path, everything(made.similarity), parts=False))
    run = replace(run, extras=({"task": "t", "model": "m", "texts": {"i": {"prompt": "¿?", "es": "sí", "en": "yes", "zh": "是"}}},))
    group = {"shared": "es-en", "used": "en>es", "anchored": "es"}[claim]
    verdict = Verdict(claim, group, "m", "hub", "t", anchor="en", candidates={"en": {"effect": 1.0}, "es": {"effect": 0.0}})
    table = with_texts(run, verdict, pd.DataFrame({"item": ["i"], "lead": [1.0]}))
    assert tuple(table.columns) == ("item", *named, "lead") and "" not in table.iloc[0].tolist()


def test_outputs_that_are_few_come_as_categories_and_some_were_not_kept():
    texts = pd.Categorical(["red cat", None, "red cat"])
    shown = outputs_told(pd.DataFrame({"value": [1.0, 0.0, 0.5], "text": texts}))
    assert [line.split("  ")[1:] for line in shown] == [["red cat"], [], ["red cat"]]


def test_two_tasks_that_ask_a_model_the_same_are_told_apart(told):
    tasks = ("code/conjunction-lens", "code/role-lens")
    rows = [Reading(**r.row() | {"task": t}) for t in tasks for r in made.lens(made.HUB) if (r.group or "").startswith("es:")]
    answer = told(rows, {made.HUB: "hub"})["anchored"]
    assert [each.name for each in answer.opened] == [f"Spanish prompts ({task})" for task in tasks] and len(answer.found) == 2
    assert all(f"({task})" in said for task, said in zip(tasks, answer.found, strict=True))


# other texts ---------------------------------------------------------------------------------------------------------


def test_items_of_the_world_are_named_as_such_and_more_so_for_a_model_of_the_users_own(tmp_path):
    run = read_run(made.write(tmp_path / "a", parts=False))
    assert "generated world" in origins.world_note(run) and "need not hold" not in origins.world_note(run)
    own = read_run(made.write(tmp_path / "b", everything(made.arithmetic, models=[made.HUB]), {made.HUB: ""}, parts=False))
    assert "need not hold for natural text" in origins.world_note(own)


def test_real_data_are_told_with_the_tasks_that_read_them_and_the_world_with_the_others(tmp_path):
    def told(name, tasks, **changes):
        run = read_run(
            made.write(tmp_path / name, everything(made.similarity), parts=False, tasks=list(map(made.declared, tasks)), **changes)
        )
        return origins.world_note(run), prose.methods(run)

    note, text = told("pairs", ["multilingual/similarity"], data={"source": "flores"})
    assert note == "" and "(flores)" in text and "generated" not in text
    programs = {"source": "world", "kinds": {"code": {"source": "mbpp.jsonl"}}}
    note, text = told("code", ["multilingual/similarity", "code/role-lens"], data=programs)
    assert "Items of code/role-lens are the user's own or real data: code (mbpp.jsonl)." in text
    assert "Items of multilingual/similarity are semhub's own" in text and "items of multilingual/similarity are of semhub's own" in note
    own = {"name": "own/task", "data": "my <poems>"}
    run = read_run(made.write(tmp_path / "own", everything(made.similarity), parts=False, tasks=[made.declared("multilingual/lens"), own]))
    assert "Items of own/task, as it states itself: my <poems>." in prose.methods(run)
    _, text = told("items", ["multilingual/lens"], items="mine.jsonl")
    assert (
        "Items of multilingual/lens are the user's own" in text
        and "(mine.jsonl)" in text
        and "multilingual/similarity are semhub's own" in text
    )


@pytest.mark.parametrize("task", [task for suite in SUITES.values() for task in suite])
def test_every_task_has_its_sentence_in_the_methods_paragraph(task):
    said = find(task).method
    assert said.endswith(".") and "  " not in said and len(said) > 60


def test_every_model_is_named_with_its_tasks(tmp_path):
    """A run whose tasks went to two hubs: title, methods, verdicts and their table say which is which."""
    tasks = {made.HUB: "multilingual/similarity", "semhub-<b>": "vision/similarity"}
    rows = [Reading(**r.row() | {"model": m, "task": t}) for m, t in tasks.items() for r in made.similarity(made.HUB)]
    models, stated = dict.fromkeys(tasks, "hub"), list(map(made.declared, tasks.values()))
    run = read_run(made.write(tmp_path, rows, models, parts=False, tasks=stated))
    assert prose.title(run) == "Is there a semantic hub in semhub-text and semhub-<b>?"
    assert "We examined semhub-text (multilingual/similarity) and semhub-<b> (vision/similarity), without" in prose.methods(run)
    assert all(each["method"] in prose.methods(run) for each in stated)
    assert prose.asked_told(run)[1] == "model: semhub-<b> (hub): vision/similarity"
    shared = answers(run)[0]
    assert {each.name for each in shared.opened} >= {"English–Chinese (semhub-text)", "English–Chinese (semhub-<b>)"}
    assert len(shared.found) == 2 and "(semhub-<b>), " in shared.found[1] and "of 12" not in shared.found[0]
    table = verdict_table(run, "shared")
    assert {row[table.columns.index("model")] for row in table.rows} == set(tasks)


def test_objections_are_answered_only_by_what_was_measured(tmp_path):
    full = prose.objections(read_run(made.write(tmp_path / "a", parts=False)))
    bare = prose.objections(read_run(made.write(tmp_path / "b", everything(made.trend, models=[made.HUB]), {made.HUB: "hub"}, parts=False)))
    assert sum(held for *_, held in full) > 12
    assert [asked for asked, _, held in bare if held] == ["The lens may read noise."]


def test_methods_and_citation_name_model_protocol_version_and_paper(tmp_path):
    run = read_run(made.write(tmp_path, everything(made.similarity), parts=False))
    text = prose.methods(run)
    assert all(part in text for part in ("semhub-text", "semhub-text-untrained", "“sound”", "seed 0", "0.1.0", "S_l", "bootstrap"))
    assert "2411.04986" in prose.bibtex(run) and "Yu, Xinyan Velocity" in prose.bibtex(run) and "version = {0.1.0}" in prose.bibtex(run)


def test_what_is_not_recorded_is_said_to_be(tmp_path):
    run = read_run(made.write(tmp_path, everything(made.trend), parts=False, seed=None, versions=None, data=None, types=None))
    assert ("seed", "not recorded") in prose.provenance(run)
    assert prose.methods(run).count("not recorded") >= 2


def seen(task: str, group: str, measure: str, **more) -> list[Reading]:
    """What a lens reads where an image stands: 0.1, 0.6, 0.3 over three layers, and half of it under a control."""
    columns = {"task": task, "protocol": "sound", "model": made.HUB, "group": group, "position": "image", "n": 40} | more
    rows = [Reading(measure=measure, layer=k, **columns, **made.around(v)) for k, v in enumerate((0.1, 0.6, 0.3))]
    rows += [
        Reading(measure=measure, control="wrong-word", layer=k, **columns, **made.around(v / 2)) for k, v in enumerate((0.1, 0.6, 0.3))
    ]
    return rows + [Reading(measure=f"{measure}_excess", control="wrong-word", layer=1, **columns, **made.around(0.31))]


@pytest.mark.parametrize(
    ("task", "group", "measure", "why"),
    [
        ("vision/color-lens", "image:en", "share", "no word of its own"),
        ("audio/lens", "audio:en", "prob", "no word of its own"),
        ("semantics/role-lens", "agent:agent", "prob_excess", "all of one type"),
        ("multilingual/trend", "es:en", "mass", "no two words of one meaning"),
    ],
)
def test_what_a_lens_read_without_a_verdict_is_told_with_the_reason(told, task, group, measure, why):
    answer = told(seen(task, group, measure), {made.HUB: "hub"}, depth=2, tasks=[task])["anchored"]
    (said,) = answer.found
    assert answer.badge == "No verdict" and said.startswith(f"{task} (semhub-text) measured ") and "at layer 1, where it is highest" in said
    assert "0.31 [0.29, 0.33] beyond wrong words" in said and why in said and "did not measure" not in said


def test_beside_verdicts_it_is_told_among_what_else_must_be_known(told):
    rows = [*everything(made.lens, models=[made.HUB]), *seen("vision/color-lens", "image:en", "share")]
    answer = told(rows, {made.HUB: "hub"})["anchored"]
    assert answer.opened and any("vision/color-lens (semhub-text) measured share of positions" in each for each in answer.details)
