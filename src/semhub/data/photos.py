"""Photos with captions and, where they are there, panoptic maps: COCO's own files, or a table of images and captions.

Knows no model. Needs Pillow when called. Pixels are read when an item is used; at first each file is only looked through, and
what cannot be shown (a broken or enormous image, one without a caption) is left out and counted, with its reason.
"""

import hashlib
import io
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np

from semhub.data.opening import Opened, open_table
from semhub.data.rows import SHOWN, BadRow, Row, flaw, refuse
from semhub.data.sources import Source
from semhub.errors import BadInput
from semhub.types import Media

MOST_PIXELS = 40_000_000
MAX_CHARS = 2000
CAPTIONS = "captions_val2017.json"
LICENCE = "captions and maps CC BY 4.0 (COCO, cocodataset.org); photos under their owners' licences on Flickr"
INSTEAD = (
    "put captions_val2017.json (and panoptic_val2017.json with its folder of PNGs) into data/coco/annotations/ and the photos into "
    "data/coco/val2017/, all from cocodataset.org, and pass --data coco=data/coco"
)
# Nouns that captions of photos are made of: COCO's categories and the commonest words for people, places and parts.
NOUNS = frozenset(
    """airplane apple backpack banana baseball basket bat bathroom beach bear bed bedroom bench bicycle bike bird boat book bottle bowl
    box boy bridge broccoli building bus cake camera car carrot cat cellphone chair child children clock computer couch counter cow crowd
    cup dish dog donut door elephant fence field fire floor flower food fork frisbee fruit giraffe girl glass glasses grass ground group
    hand hat head hill horse hotel house hydrant keyboard kitchen kite knife lady lamp laptop light man meat men microwave mirror motorcycle
    mountain mouse ocean orange oven park people person phone picture pizza plane plant plate player racket refrigerator remote river road
    rock room sandwich scissors sheep shirt shoe sign sink skateboard ski sky snow snowboard sofa spoon stove street suitcase sun surfboard
    table tennis tie toilet toothbrush tower town track traffic train tree truck umbrella vase vegetable wall water wave window wine woman
    women yard zebra""".split()
)


@dataclass(frozen=True, eq=False, slots=True)
class Photo:
    """One image, its first caption, every noun of it as written, and (name, mask) of its parts where there is a map.

    `load()` gives the pixels, `parts()` the masks `[height, width]` bool; both read their file when called.
    """

    id: str
    caption: str
    nouns: tuple[str, ...]
    licence: str
    content: str  # sha256 of the file
    image: Path | bytes = field(repr=False)
    map: Path | None = None
    names: Mapping[int, str] = field(default_factory=dict, repr=False)

    @property
    def media(self) -> Media:
        return Media("image", pixels(self.image))

    @property
    def segments(self) -> tuple[tuple[str, np.ndarray], ...]:
        """The mask of each category that the map shows, its parts together, in order of name."""
        if self.map is None:
            return ()
        ids = pixels(self.map).astype(np.int64) @ np.array([1, 256, 65536])
        found: dict[str, np.ndarray] = {}
        for part, name in self.names.items():
            here = ids == part
            if here.any():
                found[name] = found[name] | here if name in found else here
        return tuple(sorted(found.items()))


def pixels(image: Path | bytes) -> np.ndarray:
    """`[height, width, 3]`, uint8. Raises BadInput for what is no image, is broken, or has more than MOST_PIXELS."""
    pil = pillow()
    name = image.name if isinstance(image, Path) else "an image of the table"
    try:
        with pil.open(io.BytesIO(image) if isinstance(image, bytes) else image) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                raise BadInput(f"{name} has {opened.width} x {opened.height} pixels; at most {MOST_PIXELS:,} are read")
            return np.array(opened.convert("RGB"))
    except (OSError, ValueError, SyntaxError, pil.DecompressionBombError) as problem:
        raise BadInput(f"{name} cannot be read as an image ({problem})") from problem


def pillow():
    try:
        from PIL import Image
    except ImportError as problem:
        raise BadInput("Images need Pillow: pip install 'semhub[senses]'.") from problem
    return Image


def read_coco(path_or_id: str | Path, skip_bad: bool = False) -> Source:
    """Read photos with captions from COCO's folder, from a table beside its images, or from a hub data set -> a Source of `Photo`s.

    A table has the columns `file` (or `image`), `captions` (or `caption`), and optionally `license`. Images that cannot be shown
    are left out and counted; one whose map cannot be laid over it is kept without, which is counted too. Raises BadInput for other bad
    rows (unless `skip_bad`) and where nothing is left.
    """
    photos, found = found_in(str(path_or_id))
    kept, bad, broken, unmapped, counts = [], [], [], [], Counter()
    for made in photos:
        counts["rows"] += 1
        if isinstance(made, BadRow):
            bad.append(made)
            continue
        try:
            shape = pixels(made.image).shape[:2]
        except BadInput as error:
            broken.append(BadRow(str(path_or_id), counts["rows"], str(error)))
            counts["left out: the image cannot be shown"] += 1
            continue
        reason, said = flaw_of_map(made.map, shape)
        if reason:
            counts[f"left out: the map alone ({reason})"] += 1
            unmapped.append(said)
        kept.append(replace(made, map=None) if reason else made)
    counts["kept"], counts["with a map"] = len(kept), sum(photo.map is not None for photo in kept)
    refuse(bad if kept else bad + broken, str(path_or_id), len(kept), skip_bad)
    hash = hashlib.sha256("".join(f"{p.id} {p.content} {p.caption}\n" for p in kept).encode()).hexdigest()
    how = "spaCy" if tagger() else f"a list of {len(NOUNS)} nouns (spaCy and en_core_web_sm are not installed)"
    told = [f"coco: {len(kept):,} of {counts['rows']:,} images kept, {counts['with a map']:,} with a map; nouns of captions by {how}"]
    told += [f"coco: maps left out: {len(unmapped):,} ({'; '.join(unmapped[:SHOWN])})"] if unmapped else []
    return Source(tuple(kept), found.source, hash, licences(kept, found.licence), dict(counts), bad + broken, told, found.revision)


def flaw_of_map(map: Path | None, shape: tuple[int, ...]) -> tuple[str, str]:
    """(the reason why a map cannot be laid over an image of `[height, width]`, the same of this map), both empty where it can."""
    if map is None:
        return "", ""
    try:
        found = pixels(map).shape[:2]
    except BadInput as error:
        return "it cannot be read", str(error)
    if found == shape:
        return "", ""
    sizes = " where its image has ".join(f"{width} x {height} pixels" for height, width in (found, shape))
    return "its size is not that of its image", f"{map.name} has {sizes}"


def licences(photos: Sequence[Photo], usual: str) -> str:
    own = Counter(photo.licence for photo in photos if photo.licence)
    return usual + (": " + ", ".join(f"{name} ({n})" for name, n in own.most_common()) if own else "")


def found_in(source: str) -> tuple[Iterator[Photo | BadRow], Opened]:
    """The photos, and where they came from."""
    path = Path(source).expanduser()
    official = next((file for file in (path / "annotations" / CAPTIONS, path / CAPTIONS) if file.is_file()), None)
    if official:
        return from_annotations(path, official), Opened((), source, LICENCE)
    found = open_table(source, "photos with captions", INSTEAD, LICENCE, ("captions.jsonl",))
    beside = path if path.is_dir() else path.parent if path.is_file() else None
    return from_rows(found.rows, beside), found


def from_annotations(folder: Path, captions: Path) -> Iterator[Photo | BadRow]:
    """COCO's own layout: the first caption of each image, in order of image id."""
    with of_coco(captions) as said:
        named = {each["id"]: each["name"] for each in said.get("licenses", ())}
        first: dict[int, str] = {}
        for each in sorted(said["annotations"], key=lambda one: one["id"]):
            first.setdefault(each["image_id"], each["caption"].strip())
        images = [{**each, "file_name": str(each["file_name"])} for each in sorted(said["images"], key=lambda one: one["id"])]
    maps, names = panoptic(captions.parent)
    for number, image in enumerate(images, 1):
        file = next((at for at in (folder / "val2017" / image["file_name"], folder / image["file_name"]) if at.is_file()), None)
        if file is None or image["id"] not in first:
            yield BadRow(captions.name, number, f"{image['file_name']} {'has no caption' if file else 'is not there'}")
            continue
        licence = named.get(image.get("license"), "")
        yield photo(str(image["id"]), first[image["id"]], licence, file, maps.get(image["id"]), names.get(image["id"], {}))


@contextmanager
def of_coco(file: Path) -> Iterator[dict]:
    """A file of annotations; what is none, or lacks a part that is looked up meanwhile, becomes BadInput."""
    try:
        yield json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as problem:
        raise BadInput(f"{file} cannot be read as COCO's annotations ({problem}).") from problem
    except (KeyError, TypeError, AttributeError) as problem:
        raise BadInput(f"{file} has not the layout of COCO's annotations ({type(problem).__name__}: {problem}).") from problem


def panoptic(folder: Path) -> tuple[dict[int, Path], dict[int, dict[int, str]]]:
    """(image -> its map, image -> part -> name of its category); nothing where there are no maps."""
    file = folder / "panoptic_val2017.json"
    if not file.is_file():
        return {}, {}
    with of_coco(file) as said:
        categories = {each["id"]: each["name"] for each in said["categories"]}
        maps = {each["image_id"]: file.with_suffix("") / each["file_name"] for each in said["annotations"]}
        names = {
            each["image_id"]: {part["id"]: categories[part["category_id"]] for part in each["segments_info"]}
            for each in said["annotations"]
        }
    return {image: at for image, at in maps.items() if at.is_file()}, names


def from_rows(rows, folder: Path | None) -> Iterator[Photo | BadRow]:
    for number, row in enumerate(rows, 1):
        yield row if isinstance(row, BadRow) else of_row(row, number, folder)


def of_row(row: Row, number: int, folder: Path | None) -> Photo | BadRow:
    cells = row.cells
    said = cells.get("captions", cells.get("caption"))
    caption = said[0] if isinstance(said, list | tuple) and said else said
    if reason := flaw(caption, MAX_CHARS):
        return row.bad(f"the caption {reason}")
    image = cells.get("file", cells.get("image"))
    if isinstance(image, str) and folder is not None:
        image = folder / image
        if not image.is_file():
            return row.bad(f"there is no image {image.name}")
    elif isinstance(image, dict):
        image = image.get("bytes")
    elif hasattr(image, "save"):
        held = io.BytesIO()
        image.save(held, "PNG")
        image = held.getvalue()
    if not isinstance(image, Path | bytes):
        return row.bad("the image is missing")
    return photo(str(cells.get("image_id", number)), caption.strip(), str(cells.get("license") or ""), image)


def photo(
    id: str, caption: str, licence: str, image: Path | bytes, map: Path | None = None, names: Mapping[int, str] | None = None
) -> Photo:
    content = hashlib.sha256(image if isinstance(image, bytes) else image.read_bytes()).hexdigest()
    return Photo(id, caption, nouns_of(caption), licence, content, image, map, names or {})


def nouns_of(caption: str) -> tuple[str, ...]:
    """Every noun and proper noun of a caption, in order, as written: by spaCy where it is installed, else those of NOUNS (plurals too)."""
    if tag := tagger():
        return tuple(token.text for token in tag(caption) if token.pos_ in ("NOUN", "PROPN"))
    words = re.findall(r"[A-Za-z]+", caption)
    return tuple(word for word in words if {word.lower(), word.lower().removesuffix("s")} & NOUNS)


@cache
def tagger():
    """spaCy's small English model, or None where it is not installed."""
    try:
        import spacy

        return spacy.load("en_core_web_sm")
    except (ImportError, OSError):
        return None
