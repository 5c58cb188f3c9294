"""The map of tokens: which word each layer speaks at each token of an input (the paper's first figure).

Reads `tokens` of the extras (`tokens.json`): a list of `text`, `type` (of the text, where known), `tokens`, `layers`, and
`words[layer][token]`, a list of `[word, probability]` or `[word, probability, type of the word]`, the likeliest first.
Words without a type are told apart by their script.
"""

import io
import unicodedata
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from semhub.report.folder import Run, listed, mapped
from semhub.report.plots import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION, plain, settings
from semhub.report.words import TYPES, percent, type_name
from semhub.verdicts.slices import number

INPUTS, TOKENS, LONGEST = 6, 24, 14  # maps of one page, tokens of one map, letters of one cell
COLOURS = {"en": BLUE, "es": ORANGE, "zh": GREEN, "de": PURPLE, "digits": VERMILION, "latin": BLUE, "han": GREEN, "digit": VERMILION}
SCRIPTS = {"latin": "Latin letters", "han": "Chinese characters", "digit": "digits", "other": "other"}


@dataclass(frozen=True, slots=True)
class Said:
    """One cell: the likeliest word, its probability, its type, and the ones that follow."""

    word: str
    probability: float
    type: str
    others: str = ""

    @property
    def strength(self) -> float:
        """Of the colour: more the likelier the word is, and always light enough for dark text."""
        return 0.08 + 0.47 * min(max(self.probability, 0.0), 1.0)

    @property
    def colour(self) -> str:
        red, green, blue = rgb(colour_of(self.type))
        return f"rgba({red}, {green}, {blue}, {self.strength:.2f})"


@dataclass(frozen=True, slots=True)
class Map:
    """One input: its tokens, and for each layer, the last one first, what it says at each of them."""

    text: str
    type: str
    tokens: tuple[str, ...]
    rows: tuple[tuple[int, tuple[Said | None, ...]], ...]
    cut: int = 0

    @property
    def types(self) -> list[str]:
        return list(dict.fromkeys(said.type for _, row in self.rows for said in row if said))


def maps(run: Run) -> list[Map]:
    """The maps of the main model, at most `INPUTS`; those that hold no word are left out."""
    found = [entry for extra in run.extra("tokens", run.main.name) for entry in listed(extra)]
    return [m for m in (map_of(mapped(entry)) for entry in found[:INPUTS]) if m.rows]


def map_of(entry: Mapping) -> Map:
    tokens = [shown(token) for token in listed(entry.get("tokens"))]
    layers = [int(number(k) or 0) for k in listed(entry.get("layers"))]
    rows = zip(layers, listed(entry.get("words")), strict=False)
    said = sorted(((k, tuple(said_of(cell) for cell in listed(row)[:TOKENS])) for k, row in rows), reverse=True, key=lambda each: each[0])
    cut = max(0, len(tokens) - TOKENS)
    return Map(str(entry.get("text", "")), str(entry.get("type") or ""), tuple(tokens[:TOKENS]), tuple(said), cut)


def said_of(cell: object) -> Said | None:
    words = [word for word in listed(cell) if isinstance(word, (list, tuple)) and len(word) > 1]
    if not words:
        return None
    first, *rest = words
    others = ", ".join(f"{shown(word[0])} {percent(word[1])}" for word in rest)
    type = str(first[2]) if len(first) > 2 and first[2] else script_of(str(first[0]))
    return Said(shown(first[0]), number(first[1]) or 0.0, type, others)


def shown(word: object) -> str:
    """A token as people read it: no space around it, and a sign for one that is nothing but space."""
    text = "".join(c if c.isprintable() and c != "▁" else " " for c in str(word)).strip()  # ▁: a space, to some tokenizers
    return (text if len(text) <= LONGEST else text[: LONGEST - 1] + "…") or "␣"


def script_of(word: str) -> str:
    letters = [c for c in word if c.isalnum()]
    if not letters or word.startswith("<0x"):
        return "other"
    if letters[0].isdigit():
        return "digit"
    name = unicodedata.name(letters[0], "")
    return "han" if name.startswith("CJK") else "latin" if name.startswith("LATIN") else "other"


def kind_name(type: str) -> str:
    return SCRIPTS.get(type) or type_name(type)


def language_of(type: str) -> str | None:
    """The value of a `lang` attribute, where the type is a language."""
    return type if type in TYPES and len(type) == 2 else "zh" if type == "han" else None


def colour_of(type: str) -> str:
    return COLOURS.get(type) or (GREY if type == "other" or type not in TYPES else SKY)


def rgb(colour: str) -> tuple[int, int, int]:
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def legend(found: Sequence[Map]) -> list[tuple[str, str]]:
    """(kind of word, its colour) of everything that the maps say."""
    kinds = {kind_name(type): colour_of(type) for m in found for type in m.types}
    return list(kinds.items())


def described(found: Map) -> str:
    """The map in a sentence, for those who do not see it: what the layers say at the last token."""
    last = [f"layer {k}: {row[-1].word} ({kind_name(row[-1].type)})" for k, row in found.rows if row and row[-1]]
    return f"Map of the likeliest word at each layer and token of “{found.text}”. At the last token, {'; '.join(last)}."


FILES = {"svg": {"metadata": {"Date": None, "Creator": None}}, "png": {"dpi": 170, "metadata": {"Software": None}}}


def drawn(found: Map) -> dict[str, bytes]:
    """The map as files, `svg` (letters as shapes, so that Chinese shows everywhere) and `png`."""
    files = {}
    with warnings.catch_warnings(), rc_context({**settings(), "svg.fonttype": "path", "svg.hashsalt": found.text}):
        warnings.simplefilter("ignore")
        picture = figure(found)
        for kind, keywords in FILES.items():
            buffer = io.BytesIO()
            picture.savefig(buffer, format=kind, bbox_inches="tight", pad_inches=0.05, **keywords)
            files[kind] = buffer.getvalue()
    return files


def figure(found: Map) -> Figure:
    """A grid of cells, the last layer on top, the input below."""
    columns, rows = max(1, len(found.tokens)), len(found.rows)
    picture = Figure(figsize=(0.6 + 0.82 * columns, 0.5 + 0.27 * rows))
    axis = picture.add_axes([0, 0, 1, 1])
    cells = [(x, y, said) for y, (_, row) in enumerate(found.rows) for x, said in enumerate(row) if said]
    for x, y, said in cells:
        colour = (*(c / 255 for c in rgb(colour_of(said.type))), said.strength)
        axis.add_patch(Rectangle((x - 0.48, y - 0.46), 0.96, 0.92, facecolor=colour, linewidth=0))
        axis.text(x, y, plain(said.word, 11), ha="center", va="center", fontsize=8)
    axis.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5), ylabel="layer")
    axis.set_xticks(range(len(found.tokens)), [plain(token, 11) for token in found.tokens])
    axis.set_yticks(range(rows), [str(k) for k, _ in found.rows])
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    return picture
