"""Figures and tables as files: what LaTeX, CSV and SVG must hold, and the map of tokens."""

import csv
import io
import math
import xml.etree.ElementTree as xml
from dataclasses import replace

import matplotlib
import pytest

import report_folder as made
from semhub.report import fonts, plots, tokenmap
from semhub.report.figures import figures_of, path_plot, side_by_side
from semhub.report.folder import read_run
from semhub.report.page import write
from semhub.report.plots import Line, Panel, Plot
from semhub.report.tables import Table, controls_table, latex, table, task_table, to_csv, to_latex
from semhub.runs import store
from semhub.types import Reading
from semhub.verdicts.slices import Estimate

HOSTILE = r"""狗 <script>"x"</script> & $\frac{1}{2}$ _a^b% #1 ~ \end{table}"""


def line(values, label="m", half=0.1) -> Line:
    return Line(label, tuple(Estimate(v, v - half, v + half, 10, float(k)) for k, v in enumerate(values)))


def plot(*panels, **more) -> Plot:
    return Plot("task-measure-kind", "A title", panels, **more)


def whole(found: Plot) -> str:
    return plots.svg(found, plots.drawn(found)[0])


# figures -------------------------------------------------------------------------------------------------------------


def test_a_figure_is_well_formed_and_its_text_is_text():
    text = whole(plot(Panel("Left", (line([0, 1, 2]),)), Panel("Right", (line([2, 1, 0], "n"),)), ylabel="S"))
    words = ["".join(node.itertext()) for node in xml.fromstring(text).iter("{http://www.w3.org/2000/svg}text")]
    assert {"Left", "Right", "layer", "S", "m", "n"} <= set(words)


def test_small_numbers_on_an_axis_keep_their_digits():
    text = whole(plot(Panel("p", (line([0.001, 0.01, 0.1], half=0.0001),)), level=None, logarithmic=True))
    assert ">0.001<" in text and ">0.01<" in text


def test_hostile_names_stay_text():
    text = whole(plot(Panel(HOSTILE, (line([0, 1], HOSTILE),)), ylabel=HOSTILE))
    assert "<script" not in text
    assert "狗 &lt;script&gt;" in text
    xml.fromstring(text)


def test_a_label_that_begins_with_an_underscore_is_still_in_the_legend():
    assert "_hidden" in whole(plot(Panel("p", (line([0, 1], "_hidden"),))))


def test_control_characters_do_not_break_a_figure():
    xml.fromstring(whole(plot(Panel("a\x00b\x1bc\nd", (line([0, 1], "x\x08y"),)))))


def test_panels_of_one_page_share_no_id_and_load_nothing():
    panels, _ = plots.drawn(plot(Panel("a", (line([0, 1]),)), Panel("b", (line([1, 0]),))))
    ids = [[node.get("id") for node in xml.fromstring(p.replace("xlink:href", "href")).iter() if node.get("id")] for p in panels]
    assert ids[0] and not set(ids[0]) & set(ids[1])
    assert not any(mark in "".join(panels) for mark in ("http", "<style", "<!DOCTYPE", "<metadata"))


def test_values_without_interval_and_single_points_are_drawn():
    bare = Line("bare", tuple(Estimate(float(k), at=float(k)) for k in range(3)))
    assert whole(plot(Panel("p", (bare,)), Panel("q", (line([1]),)), Panel("empty", ())))
    assert plots.drawn(plot(Panel("p", (bare,))))[1].startswith(b"\x89PNG")


def test_drawing_leaves_matplotlibs_settings_as_they_were():
    before = dict(matplotlib.rcParams)
    whole(plot(Panel("狗", (line([0, 1]),))))
    assert dict(matplotlib.rcParams) == before


def test_the_same_figure_is_the_same_file():
    one = plot(Panel("p", (line([0, 1, 2]),)))
    assert whole(one) == whole(one) and plots.drawn(one) == plots.drawn(one)


def test_every_kind_of_task_has_its_figures(tmp_path):
    run = read_run(made.write(tmp_path))
    names = {found.name: found for task in run.tasks for found in figures_of(run, task)}
    similarity, steering = "multilingual/similarity-adjusted_cosine", "multilingual/steering-sentiment"
    assert {f"{similarity}-{kind}" for kind in ("models", "control", "position", "split", "variant")} <= set(names)
    assert {f"{steering}_change-controls", f"{steering}_change-layers", f"{steering}-dose", "multilingual/steering-cost"} <= set(names)
    assert {"multilingual/lens-anchor-models", "multilingual/lens-prob-answers", "multilingual/trend-mass-answers"} <= set(names)
    assert {"arithmetic/trajectory-paths-semhub-text", "arithmetic/intervention-share-kinds"} <= set(names)


def test_figures_show_the_readings(tmp_path):
    run = read_run(made.write(tmp_path))
    names = {found.name: found for task in run.tasks for found in figures_of(run, task)}
    models = names["multilingual/similarity-adjusted_cosine-models"]
    assert [p.title for p in models.panels][:2] == ["English–Spanish", "English–Chinese"]
    assert [entry.label for entry in models.panels[0].lines] == list(made.MODELS)
    assert [p.value for p in models.panels[0].lines[0].points][7] == pytest.approx(0.31)
    dose = names["multilingual/steering-sentiment-dose"].panels[1].lines[0]
    assert [p.at for p in dose.points] == [-1, -0.5, -0.25, 0, 0.25, 0.5, 1]
    beside = names["multilingual/steering-sentiment_change-controls"].panels[1].lines[0]
    assert beside.rows == ("the push itself", "random direction", "neutral words", "the words as plain text", "the same push at layer 0")
    assert [round(p.value, 3) for p in beside.points] == [0.5, 0.015, 0.025, 0.1, 0.125]


def test_every_model_stands_in_one_figure_with_what_was_never_bridged_apart(tmp_path):
    run = read_run(made.write(tmp_path))
    plot = side_by_side(run)
    panels = {each.title: {line.label: line.points for line in each.lines} for each in plot.panels}
    assert [title.split(": ")[0] for title in panels] == [
        *["S, bridged"] * 3, *["S, never bridged"] * 3, *["P@1, bridged"] * 3, *["P@1, never bridged"] * 3,
        *["lead of English"] * 3, *["right / wrong"] * 3,
    ]  # fmt: skip
    assert all(set(lines) == {made.HUB, made.MISPAIRED, made.UNTRAINED} for lines in panels.values())
    top = lambda title: max(point.value for point in panels[title][made.HUB])  # noqa: E731
    assert top("S, bridged: English–Spanish") == pytest.approx(made.PAIRS["en-es"] * 1.1)
    assert top("S, never bridged: English–Spanish") == pytest.approx(made.PAIRS["en-es"] / 4)
    weak = made.PAIRS["en-zh"] * made.STRENGTH[made.MISPAIRED] * 1.1
    assert panels["S, bridged: English–Chinese"][made.MISPAIRED][7].value == pytest.approx(weak)
    assert panels["lead of English: German prompts"][made.HUB][7].value == pytest.approx(math.log(0.06 / 0.31))
    assert panels["right / wrong: Spanish prompts"][made.HUB][8].value == pytest.approx(0.002 / 0.0005)
    assert 'id="controls"' in (write(run.folder)).read_text() and (run.folder / "figures" / "side-by-side.svg").exists()


def test_pairs_of_ones_own_know_no_bridges_and_stand_in_one_row(tmp_path):
    readings = [replace(each, split=None) for model in made.MODELS for each in made.similarity(model) if each.split == "test"]
    titles = [each.title for each in side_by_side(read_run(made.write(tmp_path, readings, made.MODELS, parts=False))).panels]
    assert [title.split(": ")[0] for title in titles] == [*["S"] * 3, *["P@1"] * 3]


def test_a_control_with_another_dominant_type_is_asked_whether_its_words_lead(tmp_path):
    turned = "semhub-text-zh-dominant"
    readings = [*made.lens(made.HUB), *(replace(each, model=turned, value=each.value + 1) for each in made.lens(made.HUB))]
    roles = {made.HUB: "hub", turned: "control:zh-dominant"}
    plot = side_by_side(read_run(made.write(tmp_path, readings, roles, parts=False)))
    panels = {each.title: {line.label: line.points for line in each.lines} for each in plot.panels}
    assert [title for title in panels if "lead of Chinese" in title] == [
        "lead of Chinese: English prompts", "lead of Chinese: Spanish prompts", "lead of Chinese: German prompts"
    ]  # fmt: skip
    for title in (title for title in panels if "lead of Chinese" in title):
        hub, other = (panels[title][name] for name in (made.HUB, turned))
        assert [round(b.value - a.value, 6) for a, b in zip(hub, other, strict=True)] == [1] * 9


def test_without_controls_nothing_stands_beside(tmp_path):
    readings = list(made.similarity(made.HUB))
    assert side_by_side(read_run(made.write(tmp_path, readings, {made.HUB: "hub"}, parts=False))) is None


def test_pushes_from_several_types_stand_in_one_panel_per_output(tmp_path):
    rows = [row for row in made.steering(made.HUB) if row.group == "en>es"]
    rows += [Reading(**row.row() | {"group": "zh>es"}) for row in rows if row.layer == 4 and row.control is None and abs(row.strength) == 1]
    run = read_run(made.write(tmp_path, rows))
    names = {found.name: found for found in figures_of(run, "multilingual/steering")}
    (only,) = names["multilingual/steering-sentiment_change-sources"].panels
    assert only.title == "Spanish outputs" and only.lines[0].rows == ("words in English", "words in Chinese")
    assert [p.title for p in names["multilingual/steering-sentiment-dose"].panels] == ["English → Spanish"]


def patching():
    """Spanish and German exchange concepts at layer 4; the mean over types moves into Spanish alone."""
    base = {"task": "multilingual/patching", "protocol": "sound", "model": made.HUB, "position": "last", "split": "report", "n": 50}
    for group, top in (("es>de", 0.9), ("de>es", 0.8), ("all>es", 1.0), ("all>de", 0.0)):
        for layer in range(9):
            moved = top * (layer == 4)
            rows = {**base, "group": group, "layer": layer, "strength": 1.0}
            shares = {"moved": moved, "kept": 1 - moved, "copied": 0.0, "translated": 0.0, "moved_change": moved}
            for measure, value in shares.items():
                yield Reading(measure=measure, **rows, **made.around(value))
            yield Reading(measure="moved_excess", **rows, control="random-direction", **made.around(moved))
            yield Reading(measure="moved", **rows, variant="difference", **made.around(0.5))
            yield Reading(measure="moved", **{**rows, "strength": 0.0}, **made.around(0.0))


def test_a_patch_shows_its_four_answers_and_a_matrix(tmp_path):
    run = read_run(made.write(tmp_path, list(patching())))
    names = {found.name: found for found in figures_of(run, "multilingual/patching")}
    answers = names["multilingual/patching-moved-answers"]
    first = answers.panels[0]
    assert first.title == "Spanish → German" and [p.value for p in first.lines[0].points][4] == 0.9
    assert [p.value for p in first.lines[1].points][4] == pytest.approx(0.1) and first.lines[-1].points[0].value == 0.5
    matrix = names["multilingual/patching-moved_change-matrix"]
    cells = {(line.label, name): p.value for line in matrix.panels[0].lines for name, p in zip(line.rows, line.points, strict=True)}
    assert cells["from Spanish", "German"] == 0.9 and cells["from mean of the others", "Spanish"] == 1.0
    assert ("from Spanish", "Spanish") not in cells and not matrix.legend
    drawn = whole(matrix)
    assert "0.90*" in drawn and "1.00*" in drawn and "0.00" in drawn and "0.00*" not in drawn and "from German" in drawn
    assert "multilingual/patching-cost" not in names


def test_readers_that_disagree_are_drawn_beside_the_claim(tmp_path):
    base = {"task": "multilingual/lens", "protocol": "sound", "model": made.HUB, "position": "last", "split": "test", "n": 90}
    rows = [*made.lens(made.HUB)]
    for reader, layer in ((r, k) for r in ("affine", "neighbours") for k in range(9)):
        value = made.around(0.25 if reader == "affine" else 0.5)
        rows.append(Reading(measure="disagreement", variant=reader, group="es:en", layer=layer, **base, **value))
    run = read_run(made.write(tmp_path, rows))
    names = {found.name: found for found in figures_of(run, "multilingual/lens")}
    (only,) = names["multilingual/lens-disagreement-readers"].panels
    assert only.title == "Spanish prompt, English word"
    assert {line.label: line.points[3].value for line in only.lines} == {
        "affine reader (fitted in the run)": 0.25,
        "nearest states of words in texts": 0.5,
    }


def test_tiny_probabilities_do_not_flatten_the_rest():
    low, high = plots.limits(plot(Panel("p", (line([1e-9, 0.01, 0.5], half=0.0),)), logarithmic=True, floor=1e-4))
    assert 1e-3 < low < 0.01 and 0.5 < high < 1


def test_paths_with_holes_are_drawn_as_far_as_they_go():
    broken = {"landmarks": [{"type": "en", "word": "one", "place": [None]}, "x"], "mean": [[0, 1], [2, float("nan")]], "items": [{}, None]}
    assert whole(path_plot("t", "m", broken))
    assert path_plot("t", "m", {}) is None


# tables --------------------------------------------------------------------------------------------------------------

ROWS = [{"what": "a, b", "S": Estimate(0.31, 0.28, 0.34), "n": 5, "p": None}, {"what": HOSTILE, "S": Estimate(-0.5), "n": 6, "p": 0.25}]


def test_csv_keeps_full_numbers_and_splits_intervals():
    rows = list(csv.reader(io.StringIO(to_csv(table("t", "c", ROWS)))))
    assert rows[0] == ["what", "S", "S low", "S high", "n", "p"]
    assert rows[1] == ["a, b", "0.31", "0.28", "0.34", "5", ""]
    assert rows[2] == [HOSTILE, "-0.5", "", "", "6", "0.25"]


def test_latex_escapes_every_special_character():
    assert latex("100% & $5 #1 _a {b} ~ ^ \\x") == (r"100\% \& \$5 \#1 \_a \{b\} \textasciitilde{} \textasciicircum{} \textbackslash{}x")
    assert latex("a\nb\x00c") == "a b c"


def test_latex_rows_cannot_be_taken_for_an_option_of_the_line_before():
    text = to_latex(table("t", "c", [{"x": "[2cm]"}, {"x": "*"}]))
    assert "\n{[}2cm{]} \\\\" in text and "\n{*} \\\\" in text


def test_latex_has_one_column_for_each_and_no_stray_special_character():
    text = to_latex(table("t", HOSTILE, ROWS))
    body = [row for row in text.splitlines() if row.endswith(r"\\")]
    assert text.count(r"\begin{table}") == 1 == text.count(r"\end{table}") and r"\begin{tabular}{lrrr}" in text
    assert all(row.replace(r"\&", "").count("&") == 3 for row in body)
    assert "<script" not in text and "$-$0.50" in text


def test_a_table_without_rows_is_none():
    assert table("t", "c", []) is None


def test_a_task_table_gives_first_highest_middle_and_last(tmp_path):
    run = read_run(made.write(tmp_path, list(made.similarity(made.HUB)), parts=False))
    found: Table = task_table(run, "multilingual/similarity")
    row = dict(zip(found.columns, found.rows[0], strict=True))
    assert (row["group"], row["at"], row["n"]) == ("English–Spanish", "7", 500)
    assert (row["first"].value, row["highest"].value) == (0.0, pytest.approx(0.31))


# the map of tokens ---------------------------------------------------------------------------------------------------


def test_the_table_of_controls_marks_a_weak_control_and_brackets_one_that_is_no_null(tmp_path):
    rows = [r for m in made.MODELS for pair in ("image-en", "image-es", "en-es") for r in made.similarity(m, pairs={pair: 0.3})]

    def cells(name, **facts):
        listed = [m | (facts if m["role"] == "control:mispaired" else {}) for m in made.spec()["models"]]
        folder = made.write(tmp_path / name, rows, parts=False)
        store.write_whole(folder / "spec.json", store.to_json(made.spec() | {"models": listed}))
        found = controls_table(read_run(folder))
        return found.caption, {row[0]: row[found.columns.index(made.MISPAIRED)] for row in found.rows}

    caption, found = cells("weak", types=["en", "image"], unmatched=["es"])
    assert "An asterisk: the control is not as good as the model" in caption
    assert [found[f"shared: {name}"][-1] for name in ("images–English", "images–Spanish", "English–Spanish")] == [")", "*", "*"]
    caption, found = cells("unknown")
    assert "asterisk" not in caption and {cell[-1] for cell in found.values()} == {"]"}


def test_a_map_has_the_last_layer_on_top_and_chinese_as_people_write_it():
    found = tokenmap.map_of(made.token_map()[0])
    assert [k for k, _ in found.rows] == list(range(8, -1, -1))
    assert found.tokens[:3] == ("狗", "追", "猫")
    assert (found.rows[0][1][0].word, found.rows[3][1][0].word, found.rows[3][1][0].type) == ("追", "dog", "en")
    assert "layer 8: 。 (Chinese)" in tokenmap.described(found)


def test_words_without_a_type_are_told_apart_by_script():
    types = [tokenmap.said_of([[word, 0.5]]).type for word in ("狗", " dog", "7", "<0xE7>", "…", "собака")]
    assert types == ["han", "latin", "digit", "other", "other", "other"]


def test_a_map_shows_space_and_cuts_what_is_too_long():
    long = {"tokens": ["x" * 50, "▁", "\n"] + ["y"] * 40, "layers": [0], "words": [[[[" ", 0.5]], None, [], [["a" * 99, None]]]]}
    found = tokenmap.map_of(long)
    assert found.tokens[:3] == ("x" * 13 + "…", "␣", "␣") and (len(found.tokens), found.cut) == (24, 19)
    assert found.rows[0][1][0].word == "␣" and found.rows[0][1][1:3] == (None, None) and found.rows[0][1][3].probability == 0.0


def test_a_map_is_drawn_with_glyphs_of_chinese():
    files = tokenmap.drawn(tokenmap.map_of(made.token_map()[0]))
    assert files["png"].startswith(b"\x89PNG") and b"<text" not in files["svg"]
    empty = tokenmap.map_of({"tokens": [], "layers": [], "words": []})
    assert empty.rows == ()


def test_the_font_of_a_page_holds_just_its_chinese():
    from fontTools.ttLib import TTFont

    if fonts.open_font() is None:
        pytest.skip("the package zhplot, which carries the font, is not installed")
    import base64

    uri = fonts.subset(["The dog 狗 and the cat 猫。"])
    font = TTFont(io.BytesIO(base64.b64decode(uri.partition(",")[2])))
    assert {chr(c) for c in font.getBestCmap()} == {"狗", "猫", "。"} and len(uri) < 10_000
    assert fonts.subset(["no Chinese here, ¿verdad?"]) is None


def test_limits_hold_every_interval():
    low, high = plots.limits(plot(Panel("p", (line([0.0, 0.3]),))))
    assert low < -0.1 and high > 0.4
    assert plots.limits(plot(Panel("p", ()))) is None
    assert all(math.isfinite(v) and v > 0 for v in plots.limits(plot(Panel("p", (line([0.0, 0.3]),)), logarithmic=True)))
