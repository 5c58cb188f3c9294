"""Programs: which places of a program count, told by hand; what does not parse is counted; MBPP where it is at hand."""

import json
import os
from collections import Counter
from pathlib import Path

import pytest

from semhub.data import programs
from semhub.data.programs import Program, read_programs
from semhub.data.sources import read_source
from semhub.errors import BadInput, UnknownName

ROOT = Path(os.environ.get("SEMHUB_DATA") or Path(__file__).parents[2] / "shared" / "data")


def saved(path, *rows):
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n", encoding="utf-8")
    return path


def commas(text, calls=False):
    marks, _ = programs.conjunction_marks([Program("p", text)], ("and",), calls)
    return [text[: mark.at + 1] for mark in marks]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = [1, 2]", ["x = [1,"]),
        ("x = (1, 2); f(1, 2); {1, 2}; y[1, 2]", []),
        ("x = [(1), 2]", []),  # a bracket stands between the comma and the element
        ('x = ["a,b", "c"]', ['x = ["a,b",']),
        ("x = [1 , 2,\n     3,]", ["x = [1 ,", "x = [1 , 2,"]),
        ("x = [1,  # one, two\n     2]", []),
        ('x = ["é", "中"]', ['x = ["é",']),
        ("[[1, 2], 3]", ["[[1, 2],", "[[1,"]),
    ],
)
def test_commas_between_the_elements_of_a_list(text, expected):
    assert sorted(commas(text)) == sorted(expected)


def test_commas_of_calls_are_others():
    text = "f([1, 2], g(3, 4), k=5)"
    assert sorted(commas(text, calls=True)) == ["f([1, 2],", "f([1, 2], g(3,"]


def test_arguments_and_their_parameters():
    text = (
        "def area(width, height=2, *, unit='m'):\n    return width\narea(3, h, unit=u)\nrange(2, 9)\nlen(width)\nother(1)\nx.area(1, 2)\n"
    )
    marks, left_out = programs.role_marks([Program("p", text)])
    told = [(m.text[m.at], m.text[slice(*m.follows)], m.words["en"], m.wrong["en"], m.facets["argument"]) for m in marks]
    assert told == [
        ("(", "3", ("width",), ("height",), "argument-1"),
        (",", "h", (" height",), (" width",), "argument-2"),
        ("(", "2", ("start",), ("stop",), "argument-1"),
        (",", "9", (" stop",), (" start",), "argument-2"),
        ("(", "width", ("object",), (), "argument-1"),
    ]
    assert left_out == {}


def test_arguments_that_say_nothing_are_counted():
    texts = ["def f(size):\n    pass\nf(size)", "def f(size):\n    pass\nf(  3)", "x = 1"]
    _, left_out = programs.role_marks([Program(str(k), text) for k, text in enumerate(texts)])
    assert Counter(left_out.values()) == Counter(
        ["the argument is called as its parameter", "more than one space before the argument", "no call by name whose parameters are known"]
    )


def test_beginnings_up_to_a_range_with_one_argument():
    text = "for i in range(n):\n    for j in range(1, n):\n        range(len(a))\n"
    prompts, left_out = programs.range_prompts([Program("p", text), Program("q", "x = 1")])
    assert [p.text for p in prompts] == ["for i in range(", text[: text.rindex("range(") + 6]]
    assert left_out == {"q": "no range with one argument"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("n): pass", ["n"]),
        ("0, n)", ["0", "n"]),
        ("f(a, b), 2):\n x)", ["f(a, b)", "2"]),
        ("n", None),
        ("a b)", None),
        (")", []),
        ("stop=3)", None),
    ],
)
def test_arguments_that_a_model_wrote(text, expected):
    assert programs.written_arguments(text) == expected


def test_rows_are_read_and_line_ends_are_pythons(tmp_path):
    rows = {"task_id": 7, "text": "Add.", "code": "def f(a):\r\n  return a", "test_list": ["assert f(1) == 1"]}, {"code": "def f(:"}
    source = read_programs(saved(tmp_path / "own.jsonl", *rows))
    assert source.items == (Program("7", "def f(a):\n  return a", "Add.", ("assert f(1) == 1",)),)
    assert source.counts == {"rows": 2, "kept": 1, "left out: does not parse": 1} and "1 do not parse" in source.notices[0]
    assert source.items[0].whole.endswith("\nassert f(1) == 1") and "CC BY" in source.record()["licence"]


def test_the_hash_is_of_the_programs(tmp_path):
    one = read_programs(saved(tmp_path / "a.jsonl", {"code": "x = 1"})).hash
    assert read_programs(saved(tmp_path / "b.jsonl", {"code": "x = 1", "more": 3})).hash == one
    assert read_programs(saved(tmp_path / "c.jsonl", {"code": "x = 2"})).hash != one


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"text": "no code"}, "line 1: the code is missing"),
        ({"code": 3}, "is no text"),
        ({"code": "x", "test_list": "x"}, "test_list is no list"),
    ],
)
def test_bad_rows_are_refused_or_skipped(tmp_path, row, said):
    path = saved(tmp_path / "own.jsonl", row, {"code": "x = 1"})
    with pytest.raises(BadInput, match=said):
        read_programs(path)
    assert len(read_programs(path, skip_bad=True).skipped) == 1


def test_what_is_not_there_says_what_to_put_where(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(BadInput, match="put mbpp.jsonl .* --data code="):
        read_programs(tmp_path / "nothing.jsonl")
    with pytest.raises(BadInput, match="could not be fetched .* put mbpp.jsonl"):
        read_programs("owner/programs-that-nobody-has")
    with pytest.raises(UnknownName, match="did you mean 'code'"):
        read_source("cod", tmp_path)


def test_mbpp():
    if not (ROOT / "mbpp").exists():
        pytest.skip(f"{ROOT / 'mbpp'} is absent; set SEMHUB_DATA")
    found = read_source("code", ROOT / "mbpp" / "mbpp.jsonl")
    assert len(found.items) == found.counts["rows"] == 974 and not any("\r" in p.whole for p in found.items)
    assert [p.id for p in found.items[:3]] == ["1", "2", "3"] and len(found.items[0].tests) == 3
    conjunctions, without = programs.conjunction_marks(found.items, ("and",))
    assert len(conjunctions) == 10_085 and len(without) == 527 and {m.text[m.at] for m in conjunctions} == {","}
    roles, _ = programs.role_marks(found.items)
    assert len(roles) == 1363 and {m.text[m.at] for m in roles} == {"(", ","}
    assert Counter(m.facets["function"] for m in roles).most_common(1)[0] == ("range", 678)
    prompts, _ = programs.range_prompts(found.items)
    assert len(prompts) == 181 and all(p.text.endswith("range(") for p in prompts)
