"""Plain text of one's own: files and folders, empty lines, long ones, and what is refused."""

import pytest

from semhub.data.texts import LONGEST, read_texts
from semhub.errors import BadInput


def test_a_text_is_a_line_that_is_not_empty(tmp_path):
    (tmp_path / "b.txt").write_text("  one \n\n二\n", encoding="utf-8")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "c.txt").write_text("x" * (LONGEST + 5))
    (tmp_path / "d.md").write_text("not read")
    assert read_texts(tmp_path / "b.txt") == ["one", "二"]
    assert read_texts(tmp_path) == ["x" * LONGEST, "one", "二"]


@pytest.mark.parametrize(("content", "said"), [(b"\n \n", "holds no text"), (b"\xff\xfe\x00", "no UTF-8"), (None, "neither")])
def test_what_holds_no_text_is_said(tmp_path, content, said):
    if content is not None:
        (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(BadInput, match=said):
        read_texts(tmp_path / "a.txt")
