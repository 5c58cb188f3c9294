"""What tasks make of real data: which items they take, which they leave out and why, and what they refuse before any work."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from semhub.data.sources import read_source
from semhub.errors import BadInput
from semhub.methods.declare import Result
from semhub.methods.order import order
from semhub.methods.tally import tally, told
from semhub.runs import plan
from semhub.tasks import find, given
from semhub.types import Concept, Form, Reading

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("SEMHUB_DATA", ROOT.parent / "shared" / "data"))


def declared(name, protocol="sound", **more):
    return find(name)(protocol, given(**more))


def source(tmp_path, name, files):
    for file, content in files.items():
        (tmp_path / file).write_text(content, encoding="utf-8")
    return {name: read_source(name, tmp_path)}


def pairs(*texts, types=("en", "zh")):
    concepts = [Concept(str(k), {t: Form(t, f"{text} {t}") for t in types}) for k, text in enumerate(texts)]
    return SimpleNamespace(types=types, concepts=concepts)


# running text --------------------------------------------------------------------------------------------------------


def test_lines_are_read_and_a_corpus_is_counted(tmp_path):
    (tmp_path / "w").mkdir()
    (tmp_path / "c").mkdir()
    lines = source(tmp_path / "w", "wikipedia", {"zh.txt": "一\n二\n三\n四\n", "en.txt": "a\nb\nc\nd\n"})
    corpus = source(tmp_path / "c", "mc4", {f"{t}.txt": f"{t}\n" for t in ("en", "zh", "ja")})
    ask = declared("multilingual/trend", data=lines | corpus, limit=3)
    assert ask.prompts == {"en": ["a", "b", "c"], "zh": ["一", "二", "三"]} and list(ask.corpus) == ["en", "ja", "zh"]
    halves = declared("multilingual/trend", "paper", data=lines)
    assert halves.prompts == {"en": ["c", "d"], "zh": ["三", "四"]} and halves.corpus == {"en": ["a", "b"], "zh": ["一", "二"]}
    assert set(declared("multilingual/trend", data=corpus).prompts) == {"en", "es", "zh", "de"}, "the world's sentences"


def test_the_paper_lens_takes_lines_and_a_dictionary(tmp_path):
    lines = source(tmp_path, "wikipedia", {"zh.txt": "猫跑。\n狗跑。\n"})
    (tmp_path / "cedict.txt").write_text("貓 猫 [mao1] /cat/\n", encoding="utf-8")
    words = {"cedict": read_source("cedict", tmp_path / "cedict.txt")}
    ask = declared("multilingual/lens", "paper", data=lines | words, limit=1)
    assert ask.lines == ["猫跑。"] and ask.glosses == {"猫": ("cat",)}
    with pytest.raises(BadInput, match="needs CC-CEDICT for your own Chinese .--data cedict=FILE."):
        declared("multilingual/lens", "paper", data=lines)
    with pytest.raises(BadInput, match="reads Chinese; the data have en, es"):
        declared("multilingual/lens", "paper", pairs=pairs("a", "b", types=("en", "es")))


# reviews -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def reviews(tmp_path):
    rows = "".join(f"review {k},{('positive', 'negative', 'neutral')[k % 3]}\n" for k in range(40))
    return source(tmp_path, "sentiments", {"es.csv": "text,label\n" + rows, "en.csv": "text,label\nGood,positive\n"})


def test_reviews_are_continued_and_their_judge_is_tested(reviews):
    praised = lambda texts, type: [1.0 if int(t.split()[1]) % 3 == 0 else None for t in texts]  # noqa: E731
    scorers = SimpleNamespace(sentiment=praised, names=lambda: {"s": "x"})
    ask = declared("multilingual/steering", data=reviews, limit=20, scorers=scorers)
    assert [p.text for p in ask.rehearsal] == [f"review {k}" for k in range(16)]
    assert [p.text for p in ask.prompts] == [f"review {k}" for k in range(16, 36)] and {p.type for p in ask.prompts} == {"es"}
    assert ask.left_out == {"of a language that is not steered": 1, "beyond the limit": 20}
    paper = declared("multilingual/steering", "paper", data=reviews)
    assert len(paper.prompts) == 40 and paper.prompts[0].text.startswith("Todo el texto siguiente está en español. review 0")
    spanish = {"sentiments": SimpleNamespace(items=[r for r in reviews["sentiments"].items if r.type == "es"])}
    judges = declared("multilingual/steering", data=spanish, scorers=scorers).judged_by()
    assert judges.accuracy == {"es": 1.0} and judges.n == 14 and judges.names == {"s": "x"}, "13 of 27 it will not judge"


# what was kept -------------------------------------------------------------------------------------------------------


def test_counts_of_a_declaration():
    ask = declared("multilingual/similarity", pairs=pairs(*"abcde"), limit=3)
    assert tally(ask, Result(())) == [{"of": "items", "given": 5, "kept": 3, "left_out": {"beyond the limit": 2}}]
    assert told(tally(ask, Result(()))) == "3 of 5 items (beyond the limit: 2)"
    reading = Reading("t", "sound", "m", "eligible", group="image:en", position="image", value=0.75, n=4)
    ask = declared("vision/caption-lens", limit=4)
    (found,) = tally(ask, Result((reading,)))
    assert (found["of"], found["given"], found["kept"]) == ("images image:en", 4 + sum(ask.left_out.values()), 3)


def test_what_does_not_suit_the_data_is_said():
    clips = [SimpleNamespace(label=label) for label in ("dog barking", "cat meowing", "rain", "crow calling")]
    why = find("audio/intervention").unsuited("sound", given(data={"vggsound": SimpleNamespace(items=clips)}))
    assert why == "needs two mammals and two other animals among the labels of --data vggsound, which has 2 and 1"
    photo = SimpleNamespace(map=None)
    assert "panoptic map" in find("vision/segment-lens").unsuited("sound", given(data={"coco": SimpleNamespace(items=[photo])}))
    assert find("vision/segment-lens").unsuited("sound", given()) is None


def test_types_of_pairs_keep_their_short_names_in_the_run(tmp_path):
    for name in ("src.eng.txt", "ref.zho-CN.txt", "ref.zho-TW.txt"):
        (tmp_path / name).write_text(f"{name} 1\n{name} 2\n", encoding="utf-8")
    made = plan.prepare(["multilingual/similarity"], pairs=tmp_path, types=("eng", "zho-CN"))
    assert made.spec.types == made.pairs.types == ("en", "zh")
    (tmp_path / "LICENSE").write_text("# CC BY-SA 4.0\n", encoding="utf-8")
    recorded = plan.prepare(["multilingual/similarity"], pairs=tmp_path, types=("eng", "zho-CN")).record()["data"]
    assert recorded["licence"] == "CC BY-SA 4.0 (LICENSE)" and recorded["counts"] == {"rows": 2, "kept": 2}


# real data -----------------------------------------------------------------------------------------------------------


def real(name):
    if not (DATA / name).exists():
        pytest.skip(f"{DATA / name} is absent; set SEMHUB_DATA")
    return DATA / name


def test_what_tasks_keep_of_cogs_and_mbpp():
    forms = {"cogs": real("cogs") / "train.tsv", "mbpp": real("mbpp")}
    data = {kind: read_source(kind, path) for kind, path in (("formula", forms["cogs"]), ("code", forms["mbpp"]))}
    assert data["formula"].counts == {"rows": 24_155, "left out: a single word": 143, "kept": 24_012}
    spared = declared("semantics/similarity", "paper", data=data).left_out
    assert spared["two-names"] == {"has not exactly two proper names": 24_012 - 2_233}
    sets = declared("semantics/similarity", "paper", data=data).sets
    assert len(sets["rows"]) + spared["rows"]["beyond the limit"] == 24_012 and len(sets["two-names"]) == 2_233
    assert len(declared("semantics/role-lens", "paper", data=data).sets[None]) == 7_988
    assert len(declared("code/conjunction-lens", "paper", data=data).sets[None]) == 10_085
    assert len(declared("code/role-lens", "paper", data=data).sets[None]) == 1_363
    ask = declared("code/intervention", "paper", data=data)
    assert len(ask.prompts) == 181 and set(ask.left_out) == {"no range with one argument", "white space between range and its bracket"}
    assert len({p.facets["source"] for p in ask.prompts}) + sum(ask.left_out.values()) == data["code"].counts["kept"]


def test_real_photos_from_the_command_line(tmp_path):
    """In a process of its own, through a tiny network that sees."""
    from families_multimodal import built

    network, processor = built("llava")
    network.save_pretrained(tmp_path / "llava")
    processor.save_pretrained(tmp_path / "llava")
    words = ["run", "vision/similarity", "vision/caption-lens", "--model", "./llava", "--limit", "8", "--out", "r"]
    command = [sys.executable, "-m", "semhub", *words, "--data", f"coco={real('coco_mini')}"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8", timeout=900)
    assert done.returncode == 0, done.stderr
    assert "8 of 39 items (beyond the limit: 31)" in done.stderr and "39 of 39 images kept" in done.stderr
    page = (tmp_path / "r" / "report.html").read_text(encoding="utf-8")
    assert "What was kept, and why the rest was dropped" in page and "Attribution License (23)" in page and "a list of" in page
    assert "reading coco,rows,39,39,none" in (tmp_path / "r" / "tables" / "kept.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("task", "stated"),
    [
        ("code/conjunction-lens", {"split": ["list", "call"]}),
        ("vision/similarity", {"split": ["test"], "position": ["image", "question", "mean"]}),
        ("multilingual/similarity", {"split": ["test", "test-bridged", "test-never-bridged"], "position": ["probe", "last", "mean"]}),
        ("arithmetic/lens", {"split": ["plus", "times", "plus-held-out", "times-held-out"]}),
        ("arithmetic/trajectory", {"split": ["plus"]}),
        ("arithmetic/intervention", {}),
    ],
)
def test_a_declaration_says_which_position_and_split_stand_first(task, stated):
    assert order(declared(task, limit=20)) == stated
