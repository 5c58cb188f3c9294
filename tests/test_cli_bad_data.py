"""Every mistake in the data that a person can make, made in a process of its own: exit code 2, one line on stderr, no traceback."""

import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LATIN = "en,zh\nca\xf1on,炮\n".encode("latin-1", "replace")
GOOD = '{"en": "one", "zh": "一"}\n'
TDF = "\t".join(["x"] * 7 + ["{}"] + ["0", "0", "{}", "report", "statement"]) + "\n"


def semhub(*words, cwd, **more):
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "HF_HUB_OFFLINE": "1", "PYTHONIOENCODING": "utf-8", **more}
    command = [sys.executable, "-m", "semhub", *words]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, encoding="utf-8", timeout=600)


CASES = {  # name -> (files, what is given, what is said)
    "no such file": ({}, "--pairs gone.tsv", r"no file or folder gone\.tsv.*semhub list --data"),
    "a side is missing": (
        {"p.jsonl": GOOD + '{"en": "two"}\n'},
        "--pairs p.jsonl",
        r"p\.jsonl line 2: the side 'zh' is missing.*--skip-bad",
    ),
    "an empty text": ({"p.tsv": "en\tzh\none\t一\ntwo\t\n"}, "--pairs p.tsv", r"p\.tsv line 3: the side 'zh' is empty"),
    "latin-1": ({"p.csv": LATIN}, "--pairs p.csv", r"p\.csv line 2: the side 'en' is not UTF-8 \(byte 0xf1"),
    "utf-16": ({"p.csv": "en,zh\na,b\n".encode("utf-16")}, "--pairs p.csv", r"UTF-16; save it as UTF-8"),
    "a line of 1 MB": ({"p.tsv": "en\tzh\n" + "x" * 1_000_000 + "\t一\n"}, "--pairs p.tsv", r"line 2.*1,000,000 characters"),
    "a quote that does not close": ({"p.csv": 'en,zh\n"one,一\ntwo,二\n'}, "--pairs p.csv", r"p\.csv line 2: a quote that does not close"),
    "too many tabs": ({"p.tsv": "en\tzh\none\t一\t1\n"}, "--pairs p.tsv", r"line 2: 3 cells where the header has 2"),
    "an empty file": ({"p.csv": ""}, "--pairs p.csv", r"p\.csv is empty"),
    "no type among the columns": ({"p.csv": "left,right\na,b\n"}, "--pairs p.csv", r"columns named after types.*--types"),
    "no header and no types": ({"p.txt": "Hi.\t嗨。\nRun!\t跑。\n"}, "--pairs p.txt", r"no header line.*--types en,zh"),
    "a folder of one file": ({"f/en.txt": "one\n"}, "--pairs f", r"One file per type, two or more.*found: en\.txt"),
    "two files of one type": ({"f/en.txt": "a", "f/en.tsv": "b"}, "--pairs f", r"both of the type 'en'"),
    "which of several files": (
        {"f/r.eng.txt": "a\n", "f/r.zho-CN.txt": "b\n", "f/r.zho-TW.txt": "c\n"},
        "--pairs f --types en,zh",
        r"several files of the type 'zh': zho-CN, zho-TW; name one",
    ),
    "ids that do not join": (
        {"f/en.tsv": "id\ttext\n1\ta\n2\tb\n", "f/zh.tsv": "id\ttext\n1\tc\n"},
        "--pairs f",
        r"en\.tsv line 3: no partner: the id '2' has no usable row in zh\.tsv",
    ),
    "an id twice": ({"p.csv": "id,en,zh\n7,a,b\n7,c,d\n"}, "--pairs p.csv", r"line 3: the id '7' stands on line 2 too"),
    "no Parquet": ({"p.parquet": "not at all"}, "--pairs p.parquet", r"p\.parquet cannot be read"),
    "no gzip": ({"p.jsonl.gz": GOOD}, "--pairs p.jsonl.gz", r"p\.jsonl\.gz cannot be read"),
    "gzip that breaks off": ({"p.jsonl.gz": gzip.compress(GOOD.encode() * 999)[:-9]}, "--pairs p.jsonl.gz", r"p\.jsonl\.gz cannot be read"),
    "no XML": ({"p.tmx": "<tmx><body><tu>"}, "--pairs p.tmx", r"p\.tmx cannot be read"),
    "another suffix": ({"p.docx": "x"}, "--pairs p.docx", r"ends in \.docx; what can be read"),
    "a hub id without network": ({}, "--pairs owner/set:test", r"owner/set.*could not be fetched.*put its rows in a file such as data/set"),
    "a folder instead of items": ({"f/x": ""}, "--items f", r"no file f; items for the lens"),
    "a translation that is not there": (
        {
            "g/data/source/A_CMN_1.tdf": TDF.format("一", 0),
            "g/data/translation/A_CMN_1.eng.tdf": TDF.format("one", 0),
            "g/data/source/B.tdf": "",
        },
        "--pairs g",
        r"B\.tdf line 1: no partner: there is no translation of B",
    ),
    "a segment of few fields": (
        {"g/source/A.tdf": "one\ttwo\n", "g/translation/A.eng.tdf": TDF.format("one", 0)},
        "--pairs g",
        r"A\.tdf line 1: 2 fields where a segment has 13",
    ),
    "other languages of GALE": (
        {"g/source/A_ARB_1.tdf": TDF.format("x", 0), "g/translation/A_ARB_1.eng.tdf": TDF.format("one", 0)},
        "--pairs g --types en,zh",
        r"GALE documents in ar and en; asked for: en, zh",
    ),
    "data without a path": ({}, "--data code", r"write NAME=PATH"),
    "data of no kind": ({}, "--data codes=x", r"no kind of data.*'codes'; did you mean 'code'"),
    "pairs given as data": ({}, "--data flores=x", r"FLORES-200 is parallel text: give it as --pairs PATH"),
    "data given twice": ({"p.jsonl": '{"code": "x = 1"}\n'}, "--data code=p.jsonl --data mbpp=p.jsonl", r"'code' twice"),
    "programs in no table": ({"f/x": ""}, "--data code=f", r"no table of programs at f.*put mbpp\.jsonl"),
    "a program without code": ({"p.jsonl": '{"text": "x"}\n'}, "--data code=p.jsonl", r"p\.jsonl line 1: the code is missing"),
    "no logical form": ({"p.tsv": "A cat ran .\tcat (\tx\n"}, "--data cogs=p.tsv", r"p\.tsv line 1: the logical form cannot be read"),
    "no captions": ({"f/x": ""}, "--data coco=f", r"no photos with captions at f.*put captions_val2017\.json"),
    "captions that are no JSON": ({"f/captions_val2017.json": "{"}, "--data coco=f", r"captions_val2017\.json cannot be read"),
    "captions of another layout": ({"f/captions_val2017.json": "[1]"}, "--data coco=f", r"not the layout of COCO's annotations"),
    "captions without images": (
        {"f/captions.jsonl": '{"file": "a.jpg", "caption": "A cat."}\n'},
        "--data coco=f",
        r"line 1: there is no image a\.jpg",
    ),
    "no sounds": ({"f/x": ""}, "--data fsdd=f", r"no spoken digits at f.*recordings/"),
    "sounds that are none": ({"f/7_x_1.wav": "RIFF"}, "--data fsdd=f", r"7_x_1\.wav cannot be read as a sound"),
    "no VGGSound": ({}, "--data vggsound=f", r"no VGGSound at f; put vggsound\.csv"),
    "sounds of the hub without network": (
        {},
        "--data vggsound=owner/sounds:test",
        r"owner/sounds:test.*could not be fetched.*put vggsound\.csv and the clips as .*into data/vggsound/",
    ),
    "no start of a clip": (
        {"f/vggsound.csv": "abc,soon,dog barking,test\n"},
        "--data vggsound=f",
        r"vggsound\.csv line 1: needs an id, a start",
    ),
    "no dictionary": ({}, "--data cedict=gone.gz", r"no dictionary at gone\.gz; put cedict"),
    "no entry": ({"d.txt": "猫 cat\n"}, "--data cedict=d.txt", r"d\.txt line 1: the line is no entry of CC-CEDICT"),
    "text of no language": ({"f/notes.txt": "x\n"}, "--data wikipedia=f", r"No file of f is named after a language"),
    "text that is no UTF-8": ({"zh.txt": b"ok\n\xff\xfe?\xff\n"}, "--data wikipedia=zh.txt", r"zh\.txt line 2: the text is not UTF-8"),
    "a corpus without a column text": ({"f/zh.jsonl": '{"body": "x"}\n'}, "--data mc4=f", r"zh\.jsonl line 1: the text is missing"),
    "a label that is none": ({"es.csv": "text,label\nBien,good\n"}, "--data sentiments=es.csv", r"es\.csv line 2: the label is 'good'"),
    "reviews of no language": ({"r.csv": "text,label\nBien,positive\n"}, "--data sentiments=r.csv", r"no language: name the file after it"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_in_the_data_is_one_line(case, tmp_path):
    files, given, said = CASES[case]
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    done = semhub("run", *given.split(), cwd=tmp_path)
    assert done.returncode == 2 and done.stdout == "", done
    assert re.fullmatch(rf"semhub: .*{said}.*\n", done.stderr), done.stderr
    assert not (tmp_path / "runs").exists()


def test_skip_bad_goes_on_without_them_and_says_how_many(tmp_path):
    rows = [GOOD, '{"en": "two", "zh": ""}\n', '{"en": "three", "zh": "三"}\n', "{\n"]
    (tmp_path / "p.jsonl").write_text("".join(rows), encoding="utf-8")
    done = semhub("run", "multilingual/similarity", "--pairs", "p.jsonl", "--skip-bad", "--dry-run", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    notes = json.loads(done.stdout)["notes"]
    assert any("; the first: p.jsonl line 2: the side 'zh' is empty; p.jsonl line 4" in note for note in notes)


def test_a_task_that_the_data_cannot_answer_is_refused_before_the_work(tmp_path):
    (tmp_path / "p.csv").write_text("en,de\na,b\nc,d\n", encoding="utf-8")
    done = semhub("run", "multilingual/lens", "--protocol", "paper", "--pairs", "p.csv", cwd=tmp_path)
    assert done.returncode == 2 and "reads Chinese; the data have en, de" in done.stderr and done.stderr.count("\n") == 1
