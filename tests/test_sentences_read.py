"""The sentences that docs/sentences.md says were read over are still what the world writes; the page counts its verdicts rightly."""

import re
from collections import Counter
from pathlib import Path

import pytest

from semhub.data import world
from semhub.lab.sentences import digest, drawn, split

PAGE = (Path(__file__).parents[1] / "docs" / "sentences.md").read_text(encoding="utf-8")
LINE = re.compile(r"^(\d+) (\w+) ([rotw]) (.+)$", re.MULTILINE)
STALE = "docs/sentences.md is stale: the world writes other sentences than were read. Read the new ones, and file the verdicts."


def filed(language: str) -> list[tuple[str, str, str, str]]:
    """(number, kind, verdict, sentence) of a language, as the page lists them."""
    sections = dict(re.findall(r"^\| (\w+) \(`(\w+)`\)", PAGE, re.MULTILINE))
    name = next(name for name, type in sections.items() if type == language)
    return LINE.findall(PAGE.split(f"### {name}\n")[1].split("###")[0])


@pytest.mark.parametrize("language", world.LANGUAGES)
def test_the_sentences_that_were_read_are_those_that_are_written(language):
    assert [(kind, sentence) for _, kind, _, sentence in filed(language)] == drawn(language), STALE
    assert f"| `{digest(language)}` |" in PAGE, STALE


@pytest.mark.parametrize("language", world.LANGUAGES)
def test_the_page_counts_its_verdicts(language):
    lines = filed(language)
    assert [number for number, *_ in lines] == [str(n) for n in range(1, 201)]
    verdicts = Counter(verdict for _, _, verdict, _ in lines)
    assert f"(`{language}`) | {' | '.join(str(verdicts[each]) for each in 'rotw')} |" in PAGE


@pytest.mark.parametrize("language", world.LANGUAGES)
def test_every_wrong_sentence_is_there_with_what_it_should_be(language):
    for number, _, verdict, sentence in filed(language):
        mended = re.search(rf"^    {number} {re.escape(sentence)} -> (.+)$", PAGE, re.MULTILINE)
        assert bool(mended) == (verdict == "w") and (not mended or mended[1] != sentence)


def test_another_seed_draws_other_sentences():
    assert drawn("de", 1)[1:] != drawn("de", 0)[1:]


def test_a_document_falls_apart_into_its_sentences():
    assert split("The dog eats bread. Where does it live? Answer: cave.") == ["The dog eats bread.", "Where does it live? Answer: cave."]
    assert split("那只狗咬了一只猫。好。") == ["那只狗咬了一只猫。", "好。"]
    assert split("5=2+3; five equals two plus three; 7=6+1.") == ["five equals two plus three;"]
