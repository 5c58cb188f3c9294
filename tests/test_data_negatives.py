"""Negatives by rule: what changes, what does not, and who gets none."""

import re

import pytest

from semhub.data.negatives import changed_number, with_changed_numbers
from semhub.types import Concept, Form


def concept(id="1", **texts):
    return Concept(id, {t: Form(t, text) for t, text in texts.items()})


def test_one_figure_changes_alike_on_all_sides():
    asked = concept(en="In 1984, 12 men and 12 dogs left.", zh="1984年，12个人和12只狗离开了。")
    found = changed_number(asked)
    figures = {t: re.findall(r"\d+", found.text(t)) for t in ("en", "zh")}
    assert figures["en"] == figures["zh"] != ["1984", "12", "12"] and [len(f) for f in figures["en"]] == [4, 2, 2]
    assert figures["en"][1] == figures["en"][2] and (figures["en"][0] != "1984") != (figures["en"][1] != "12")
    for t in ("en", "zh"):
        assert re.sub(r"\d+", "#", found.text(t)) == re.sub(r"\d+", "#", asked.text(t))
    assert changed_number(asked) == found != changed_number(asked, seed=1)


@pytest.mark.parametrize(
    "texts", [{"en": "No figures.", "es": "Sin cifras."}, {"en": "3 dogs", "es": "tres perros"}, {"en": "1.5", "es": "1,6"}]
)
def test_sides_without_the_same_figures_get_none(texts):
    assert changed_number(concept(**texts)) is None


def test_a_first_digit_is_no_zero_unless_it_was():
    for i in range(60):
        assert re.fullmatch(r"[1-9]\d", changed_number(concept(str(i), en="20", es="20")).text("en"))
        assert re.fullmatch(r"\d", changed_number(concept(str(i), en="7", es="7")).text("en"))


def test_own_negatives_stay():
    own = Concept("x", {"en": Form("en", "9"), "es": Form("es", "9")}, {"changed-number": concept("mine", en="8", es="8")})
    plain = concept("y", en="5 dogs", es="5 perros")
    kept, made = with_changed_numbers([own, plain])
    assert kept.contrasts["changed-number"].id == "mine" and made.contrasts["changed-number"].text("es").endswith(" perros")
