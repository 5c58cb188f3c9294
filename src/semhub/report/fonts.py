"""Where Chinese glyphs come from: a font of the system for the figures, a small subset of an open one inside the page.

The file of the package `zhplot` is found without importing it: its import would change matplotlib's settings for everyone.
"""

import base64
import io
from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

SYSTEM = (
    "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "Source Han Sans CN", "PingFang SC", "Hiragino Sans GB", "Microsoft YaHei",
    "SimHei", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "Droid Sans Fallback", "Arial Unicode MS",
)  # fmt: skip
FACE = "semhub-han"
HAN = ((0x2E80, 0x303F), (0x3040, 0x30FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0xFF00, 0xFFEF), (0x20000, 0x323AF))


def has_han(text: str) -> bool:
    """Whether any character is one that Latin fonts lack: Chinese, kana, or their punctuation."""
    return any(low <= ord(c) <= high for c in text for low, high in HAN)


@cache
def open_font() -> Path | None:
    """The Noto Sans SC of `zhplot` (SIL Open Font License: it may be embedded)."""
    found = find_spec("zhplot")
    folders = [Path(place) for place in (found.submodule_search_locations or [])] if found else []
    return next((path for folder in folders if (path := folder / "fonts" / "NotoSansSC-Regular.ttf").exists()), None)


@cache
def families() -> list[str]:
    """Font families for a figure, in the order in which glyphs are looked for."""
    from matplotlib import font_manager

    known = set(font_manager.get_font_names())
    chinese = [name for name in SYSTEM if name in known][:1]
    if not chinese and open_font():
        font_manager.fontManager.addfont(str(open_font()))
        chinese = [font_manager.FontProperties(fname=str(open_font())).get_name()]
    return ["DejaVu Sans", *chinese]


def subset(texts: Iterable[str]) -> str | None:
    """A data URI of a font with just the Chinese characters of `texts`; None where there are none, or no open font."""
    wanted = sorted(c for c in set().union(*texts) if has_han(c))
    if not wanted or open_font() is None:
        return None
    from fontTools import subset as tools
    from fontTools.ttLib import TTFont

    options = tools.Options(flavor="woff", layout_features=[], notdef_outline=True, hinting=False)
    options.drop_tables += ["GSUB", "GPOS", "BASE", "STAT", "vhea", "vmtx"]
    with TTFont(open_font(), lazy=True, recalcTimestamp=False) as font:
        cutter = tools.Subsetter(options)
        cutter.populate(text="".join(wanted))
        cutter.subset(font)
        font.flavor = "woff"
        buffer = io.BytesIO()
        font.save(buffer)
    return "data:font/woff;base64," + base64.b64encode(buffer.getvalue()).decode()
