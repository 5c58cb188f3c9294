"""The examination of a grown model: held-out questions, right answers counted as a plain loop counts them, and its card."""

import ast
import json
import random
import re

import pytest
import torch

from semhub import cli
from semhub.data import world
from semhub.data.world import lexicon, meanings
from semhub.errors import BadInput
from semhub.lab import examined, read_recipe
from semhub.lab.exam import CROSSING, NEVER, Match, Question, Score, _beginnings, exam, matches, papers, scored, wilson
from semhub.lab.folder import open_grown, recipe_of
from semhub.models.bundled import find_bundled

HUB = find_bundled("semhub-text").path
RECIPE = read_recipe("semhub-text").as_dict()
PAPERS = {(type, subject): asked for type, subject, asked in papers(RECIPE, "dev", 0)}


@pytest.fixture(scope="module")
def opened():
    return open_grown(HUB)


def test_every_type_and_language_is_examined():
    assert set(PAPERS) == {(t, s) for t in ("en", "es", "zh", "de") for s in ("cloze", "facts", "reviews", "sums")} | {
        *((t, s) for t in ("es", "zh", "de") for s in (CROSSING, NEVER)),
        ("digits", "sums"),
        ("code", "arguments"),
        ("formula", "roles"),
    }


def test_nobody_is_examined_on_what_they_do_not_read():
    alone = read_recipe("semhub-text-strangers-zh").as_dict()
    assert {type for type, _, _ in papers(alone, "dev", 0)} == {"zh", "digits"}
    mispaired = read_recipe("semhub-text-mispaired").as_dict()
    assert ("digits", "sums") in {(type, subject) for type, subject, _ in papers(mispaired, "dev", 0)}


def test_the_right_option_is_the_right_one():
    """Read off the prompt's own text, with word tables alone."""
    names = sorted((being.en for being in lexicon.beings()), key=len, reverse=True)
    for question in PAPERS["en", "cloze"]:
        found = sorted((question.prompt.find(f" {name} "), name) for name in names if f" {name} " in question.prompt)
        assert question.options[question.right] == found[0][1]
    for question in PAPERS["digits", "sums"]:
        result, rest = question.prompt.split("=")
        left, op = rest[:-1], rest[-1]
        right = int(question.options[question.right])
        assert int(result) == (int(left) + right if op == "+" else int(left) * right)
    assert PAPERS["zh", "sums"][0].prompt[-1] in "加以"


def test_code_and_logical_forms_are_examined_where_they_are_read():
    asked, without = PAPERS, papers({key: value for key, value in RECIPE.items() if key != "others"}, "dev", 0)
    assert set(asked) == {paper[:2] for paper in without} | {("code", "arguments"), ("formula", "roles")}
    for question in asked["code", "arguments"]:
        said, call = question.prompt.split("\n")
        tree = ast.parse(f"{call}{question.options[question.right]}))", mode="eval").body
        articles = [word.lower().replace("an", "a") for word in re.findall(r"\b(the|an?)\b", said, re.I)]
        assert [kind.func.id for kind in tree.args] == articles[:2]
        assert re.search(rf"\b{tree.args[1].args[0].id}\b", said.split(tree.args[0].args[-1].id, 1)[1])
    for question in asked["formula", "roles"]:
        said, form = question.prompt.split(" = * ")
        noun = form.split(" ")[0]
        agent_is_definite = bool(re.match(rf"The (\w+ )?{noun} ", said))
        assert (
            bool(re.search(rf" the (\w+ )?{noun}\b", said)) != agent_is_definite
            and question.options[question.right] == "31"[agent_is_definite]
        )


def test_what_is_asked_was_held_out():
    hidden = [fact for fact in meanings.facts() if meanings.fact_split(fact) == "dev"]
    for subject, bridged in ((CROSSING, True), (NEVER, False)):
        prompts = {world.renderer("es").question(fact) for fact in hidden if meanings.bridgeable(fact) == bridged}
        assert {question.prompt for question in PAPERS["es", subject]} == prompts and len(prompts) == {CROSSING: 80, NEVER: 39}[subject]
    told = {world.renderer("zh").question(fact) for fact in meanings.facts() if meanings.fact_split(fact) == "train"}
    asked = {question.prompt for question in PAPERS["zh", "facts"]}
    assert asked < told and len(asked) == 150
    for type in ("en", "es", "zh", "de", "digits"):
        assert len(PAPERS[type, "sums"]) == len([s for op in "+*" for s in meanings.sums(op) if meanings.split_of(s.key) == "dev"])


@pytest.mark.parametrize("paper", [("es", "cloze"), ("zh", "facts"), ("de", "sums"), ("digits", "sums"), ("en", "reviews")])
def test_right_answers_are_counted_as_a_plain_loop_counts_them(opened, paper):
    """Whole texts of prompt and option, tokenised alone; the option whose first differing token is likeliest wins."""
    network, words = opened
    asked = PAPERS[paper][:12]
    space, hits = "" if paper[0] in ("zh", "digits") else " ", 0
    for question in asked:
        whole = [words(question.prompt + space + option)["input_ids"] for option in question.options]
        differ = next(i for i in range(99) if len({tuple(ids[: i + 1]) for ids in whole}) > 1)
        with torch.no_grad():
            logits = network(torch.tensor([whole[0][:differ]])).logits[0, -1]
        best = max(range(len(whole)), key=lambda k: float(logits[whole[k][differ]]))
        hits += whole[best][differ] == whole[question.right][differ]
    assert scored(network, words, *paper, asked).accuracy == pytest.approx(hits / len(asked))


def test_options_that_begin_alike_are_chosen_together_and_chance_says_so(opened):
    network, words = opened
    question = Question("The dog has", ("a book", "a lamp", "the rope", "a key"), 0)
    shared, first = _beginnings(words, "en", question.prompt, question.options)
    assert shared == [] and first[0] == first[1] == first[3] != first[2]
    score = scored(network, words, "en", "made up", [question])
    assert score.chance == 3 / 4 and score.accuracy in (0.0, 1.0)


def test_a_random_network_is_at_chance(opened):
    network, words = opened
    torch.manual_seed(0)
    made = type(network)(network.config).eval()
    asked = [random.Random(i).choice(PAPERS["digits", "sums"]) for i in range(60)]
    score = scored(made, words, "digits", "sums", asked)
    assert score.low < score.chance < score.high


def test_the_interval_is_wilsons():
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson(0, 20)[0] == 0 and wilson(20, 20)[1] == 1


def test_a_control_is_matched_at_nine_tenths_within_each_language():
    def row(type, subject, accuracy):
        return Score(type, subject, accuracy, 0, 1, 0.1, 100)

    model = [row("en", "cloze", 1.0), row("en", "facts", 0.8), row("es", "cloze", 0.9), row("es", CROSSING, 0.9)]
    control = [row("en", "cloze", 0.9), row("en", "facts", 0.72), row("es", "cloze", 0.5), row("es", CROSSING, 0.0)]
    model += [row("code", "arguments", 0.8), row("formula", "roles", 1.0)]  # of these two a control without true bridges can know nothing
    control += [row("code", "arguments", 0.0), row("formula", "roles", 0.5)]
    found = {match.type: match for match in matches(control, model)}
    assert set(found) == {"en", "es"} and found["en"] == Match("en", 0.9, pytest.approx(0.81)) and found["en"].matched
    assert not found["es"].matched and found["es"].share == pytest.approx(5 / 9)


def copied(tmp_path, name: str):
    folder = tmp_path / name
    folder.mkdir()
    for path in HUB.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def test_a_card_tells_what_was_examined_and_keeps_what_a_person_wrote(tmp_path, monkeypatch, capsys):
    folder = copied(tmp_path, "mine")
    before = (folder / "README.md").read_text(encoding="utf-8")
    asked = [("es", "cloze", PAPERS["es", "cloze"][:5]), ("digits", "sums", PAPERS["digits", "sums"][:5])]
    monkeypatch.setattr("semhub.lab.exam.papers", lambda *_: iter(asked))
    with pytest.raises(SystemExit) as ended:
        cli.main(["lab", "card", str(folder), "--beside", "semhub-text", "--json"])
    shown = json.loads(capsys.readouterr().out)
    assert ended.value.code == 0 and [(s["type"], s["n"]) for s in shown["scores"]] == [("es", 5), ("digits", 5)]
    assert [(m["type"], m["share"], m["matched"]) for m in shown["matches"]] == [("es", 1.0, True), ("digits", 1.0, True)]
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert f"| es | cloze | {shown['scores'][0]['accuracy']:.2f} [" in text and "matched in every type" in text
    for title in ("## Measured on the test split", "## What is known to be wrong with it"):
        section = before.split(title)[1].split("\n## ")[0].strip()
        assert text.count(title) == 1 and section in text
    again = examined(folder, HUB)["card"]
    assert (folder / "README.md").read_text(encoding="utf-8") == text and again == str(folder / "README.md")


@pytest.mark.parametrize("role", ["deranged", "apart", "strangers-en", "zh-dominant", "mispaired"])
def test_the_card_of_a_control_says_for_what_it_is_a_null(tmp_path, role):
    from semhub.lab.card import card

    folder = copied(tmp_path, role)
    record = json.loads((folder / "recipe.json").read_text(encoding="utf-8"))
    record["recipe"] = read_recipe(f"semhub-text-{role}").as_dict()
    (folder / "recipe.json").write_text(json.dumps(record), encoding="utf-8")
    assert "null" in card(folder, role).split("## What it read")[0]


def test_what_the_lab_did_not_grow_is_not_examined(tmp_path):
    with pytest.raises(BadInput, match="holds no recipe.json"):
        exam(tmp_path)
    folder = copied(tmp_path, "half")
    (folder / "model.safetensors").unlink()
    assert recipe_of(folder)["languages"]
    with pytest.raises(BadInput, match="no finished model"):
        exam(folder)


@pytest.mark.parametrize(
    ("asked", "made_of"),
    [
        (["semhub-text-untrained"], "the configuration of semhub-text"),
        (["semhub-text-strangers"], "semhub-text-strangers-en and semhub-text-strangers-zh"),
        (["semhub-text", "--beside", "semhub-text-untrained"], "the configuration of semhub-text"),
    ],
)
def test_a_model_that_is_made_has_no_card_and_that_of_another_stays_as_it_is(asked, made_of, capsys):
    before = {name: (HUB / name).read_bytes() for name in ("README.md", "exam.json")}
    with pytest.raises(SystemExit) as ended:
        cli.main(["lab", "card", *asked])
    said = capsys.readouterr().err.strip()
    assert ended.value.code == 2 and f"is made of {made_of}, and has no folder and no card of its own" in said and "\n" not in said
    assert before == {name: (HUB / name).read_bytes() for name in before}
