"""Own items for the lens and for steering: what each line becomes, what is refused, and when a scorer is imported."""

import json
import sys
from pathlib import Path

import pytest

from semhub.data.items import load_scorer, read_items
from semhub.errors import BadInput
from semhub.types import Cloze, Prompt

EXAMPLE = Path(__file__).parent.parent / "examples" / "data" / "items.jsonl"
CLOZE = {"prompt": "La capital de Francia es", "type": "es", "targets": {"en": ["Paris"], "zh": "巴黎"}}


def write(tmp_path, *lines) -> Path:
    path = tmp_path / "items.jsonl"
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines), encoding="utf-8")
    return path


def refusal(path, **keywords) -> str:
    with pytest.raises(BadInput) as caught:
        read_items(path, **keywords)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_lens_items(tmp_path):
    wrong = {**CLOZE, "id": "it", "wrong": {"en": ["Rome", "Oslo"]}, "relation": "capital"}
    items = read_items(write(tmp_path, CLOZE, wrong))
    assert items.clozes == [
        Cloze("1", "es", CLOZE["prompt"], {"en": ("Paris",), "zh": ("巴黎",)}),
        Cloze("it", "es", CLOZE["prompt"], {"en": ("Paris",), "zh": ("巴黎",)}, {"en": ("Rome", "Oslo")}, {"relation": "capital"}),
    ]
    assert items.prompts == [] and items.words == {} and items.scorer is None


def test_steering_items(tmp_path):
    prompt = {"id": "p", "prompt": "El libro", "type": "es", "stars": 5}
    words = {"words": {"en": ["Good", "Bad"]}, "scorer": "nowhere:judge"}
    items = read_items(write(tmp_path, prompt, words, {"words": {"zh": ["好", "坏"]}, "neutral": {"en": ["Chair", "Table"]}}))
    assert items.prompts == [Prompt("p", "es", "El libro", {"stars": "5"})] and items.clozes == []
    assert items.words == {"en": ("Good", "Bad"), "zh": ("好", "坏")} and items.neutral == {"en": ("Chair", "Table")}
    assert items.scorer == "nowhere:judge" and "nowhere" not in sys.modules


def test_hash_follows_the_content(tmp_path):
    first = read_items(write(tmp_path, CLOZE)).hash
    assert read_items(write(tmp_path, "", CLOZE)).hash == first
    assert read_items(write(tmp_path, {**CLOZE, "targets": {"en": ["paris"]}})).hash != first
    assert read_items(write(tmp_path, CLOZE, {"words": {"en": ["Good", "Bad"]}})).hash != first


BAD = {
    "no prompt": ({"type": "es", "targets": {"en": ["a"]}}, "a line has a prompt, or words to push with; found only: type, targets"),
    "empty prompt": ({**CLOZE, "prompt": ""}, "the prompt is empty"),
    "no type": ({"prompt": "a", "targets": {"en": ["a"]}}, "the type is missing"),
    "misspelt": ({"prompt": "a", "type": "en", "target": {"en": ["a"]}}, "the key 'target' is not known"),
    "list of targets": ({**CLOZE, "targets": ["Paris"]}, "targets must hold words by type"),
    "no target": ({**CLOZE, "targets": {"en": []}}, "the targets name no word"),
    "number": ({**CLOZE, "targets": {"en": [3]}}, "a word in targets of 'en' is no text but int"),
    "not a list": ({**CLOZE, "targets": {"en": 3}}, "targets of 'en' must be a list of words"),
    "space": ({**CLOZE, "targets": {"en": [" Paris"]}}, "words stand bare"),
    "wrong alone": ({"prompt": "a", "type": "en", "wrong": {"en": ["a"]}}, "wrong words but no targets"),
    "over-long": ({**CLOZE, "prompt": "x" * 101}, "the prompt has 101 characters, more than 100"),
    "same id": ({**CLOZE, "id": "1"}, "the id '1' stands on line 1 too"),
    "three words": ({"words": {"en": ["a", "b", "c"]}}, "must be two words, toward and away from; found 3"),
    "bad scorer": ({"scorer": "os.system('x')"}, "a scorer is given as module:function"),
    "words twice": ({"words": {"en": ["Nice", "Nasty"]}}, "words of 'en' stood on an earlier line"),
    "no JSON": ("{prompt}", "no JSON"),
    "surrogate": ('{"prompt": "\\ud800", "type": "en"}', "the prompt is not UTF-8"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_line_is_named_and_can_be_skipped(tmp_path, kind):
    line, reason = BAD[kind]
    path = write(tmp_path, {**CLOZE, "id": "1"}, {"words": {"en": ["Good", "Bad"]}}, line)
    message = refusal(path, max_chars=100)
    assert "items.jsonl line 3" in message and reason in message
    items = read_items(path, skip_bad=True, max_chars=100)
    assert len(items.clozes) == 1 and [row.line for row in items.skipped] == [3] and items.words == {"en": ("Good", "Bad")}


def test_files_without_an_item_are_refused(tmp_path):
    assert "There is no file" in refusal(tmp_path / "nothing.jsonl")
    assert "No usable row" in refusal(write(tmp_path, {"words": {"en": ["Good", "Bad"]}}))


def test_scorer_is_imported_on_demand_and_from_its_folder(tmp_path):
    (tmp_path / "my_judge_7f3a.py").write_text("def length(texts, type):\n    return [len(text) for text in texts]\nname = 'x'\n")
    before = list(sys.path)
    assert load_scorer("my_judge_7f3a:length", tmp_path)(["abc"], "en") == [3]
    assert sys.path == before


@pytest.mark.parametrize(
    "name, reason", [("nowhere_7f3a:f", "cannot be imported"), ("json:nothing", "cannot be imported"), ("json", "module:function")]
)
def test_scorer_that_is_not_there_gets_one_line(tmp_path, name, reason):
    with pytest.raises(BadInput, match=reason):
        load_scorer(name, tmp_path)


def test_scorer_that_fails_or_is_no_function_gets_one_line(tmp_path):
    (tmp_path / "broken_7f3a.py").write_text("1 / 0\n")
    with pytest.raises(BadInput, match="division by zero"):
        load_scorer("broken_7f3a:f", tmp_path)
    with pytest.raises(BadInput, match="is no function but str"):
        load_scorer("string:digits", tmp_path)


def test_the_example_is_read():
    items = read_items(EXAMPLE)
    assert len(items.clozes) == 3 and len(items.prompts) == 2 and set(items.words) == {"en", "es", "zh"}
    assert all(set(item.wrong) == set(item.targets) for item in items.clozes)
