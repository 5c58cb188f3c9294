"""Every source of real data that semhub reads: what it is, its licence, where to get it, where to put it, for which tasks.

Facts only, one entry a source; `semhub list --data` shows them and `docs/data.md` is written from them. Nothing here is fetched.
"""

from dataclasses import dataclass

from semhub.data import clips, cogs, photos, programs, reviews, running, wordlens
from semhub.data.gale import GALE


@dataclass(frozen=True, slots=True)
class Known:
    """One source. `option`: how it is given to a run. `get`: where it is published. `put`: a path that this page proposes, and
    what lies there. `layouts`: all that is accepted. `tasks`: who uses it. `also`: other names of the same `--data` kind.
    """

    name: str
    option: str
    what: str
    licence: str
    get: str
    put: str
    layouts: tuple[str, ...]
    tasks: tuple[str, ...]
    also: tuple[str, ...] = ()


def readers_of(kind: str, protocol: str) -> tuple[str, ...]:
    """The tasks that read a kind of real data (`code`, ..., or `pairs`) in a protocol."""
    option = "--pairs" if kind == "pairs" else f"--data {kind}="
    named = [task for each in KNOWN if each.option.startswith(option) for task in each.tasks]
    return tuple(dict.fromkeys(task.partition(" (")[0] for task in named if "(" not in task or f"({protocol})" in task))


PARALLEL = ("multilingual/similarity", "multilingual/trend", "multilingual/lens (paper)")
TABLE = ".jsonl, .csv, .tsv, .parquet (text also as .gz)"
KNOWN = (
    Known(
        "GALE",
        "--pairs FOLDER",
        "367 Chinese newswire documents with English translations, the data of the paper (LDC2016T25)",
        GALE,
        "catalog.ldc.upenn.edu/LDC2016T25 (needs an LDC account)",
        "data/gale/: the release as it is unpacked, with data/source/*.tdf and data/translation/*.eng.tdf",
        (
            "data/source/NAME.tdf with data/translation/NAME.eng.tdf: 13 columns between tabs, the transcript in the eighth; lines that "
            'begin with ";;" or "file;unicode" are passed over',
            'source_selected/ and translation_selected/ (the releases of "Parallel Sentences"); source_full/ is not read',
            "source/NAME.su with translation/NAME.eng.su, also .qrtr and .txt: one segment per line",
            "segments are paired by order where both files have as many, else by start, end and number; those without text on a side are "
            "left out and counted; the document becomes `group`",
        ),
        PARALLEL,
    ),
    Known(
        "FLORES-200",
        "--pairs FOLDER|ID",
        "2,009 sentences in 204 languages, professionally translated",
        "CC BY-SA 4.0",
        "github.com/openlanguagedata/flores, or the data set openlanguagedata/flores_plus (gated)",
        "data/flores/dev/: eng_Latn.dev, zho_Hans.dev, ...",
        (
            "a folder with one file per language, eng_Latn.dev or eng_Latn.devtest, line k of each the same sentence",
            "openlanguagedata/flores_plus/eng_Latn+cmn_Hans:devtest: one configuration per language, joined by id",
            "a table with columns eng_Latn, zho_Hans or sentence_eng_Latn, sentence_zho_Hans",
        ),
        PARALLEL,
    ),
    Known(
        "NTREX-128",
        "--pairs FOLDER|ID",
        "1,997 news sentences in 128 languages",
        "CC BY-SA 4.0",
        "github.com/MicrosoftTranslator/NTREX, or the data set mteb/NTREX",
        "data/ntrex/: newstest2019-src.eng.txt, newstest2019-ref.zho-CN.txt, ...",
        (
            "a folder of newstest2019-src.eng.txt and newstest2019-ref.LANGUAGE.txt, line k of each the same sentence; where a language "
            "has several files, name one: --types eng,zho-CN (they are called en and zh from there on)",
        ),
        PARALLEL,
    ),
    Known(
        "PUD",
        "--pairs FOLDER",
        "1,000 sentences in 20 languages, the Parallel Universal Dependencies",
        "CC BY-SA 3.0",
        "universaldependencies.org, UD_English-PUD and its sisters",
        "data/pud/: en.tsv, zh.tsv, ... with columns sent_id and text",
        ("a folder with one table per language (" + TABLE + "), an id column (id, sent_id, ...) and a column text, joined by id",),
        PARALLEL,
    ),
    Known(
        "OPUS",
        "--pairs FOLDER|FILE|ID",
        "parallel corpora of many kinds and languages",
        "as each corpus states (a LICENSE file beside it is quoted)",
        "opus.nlpl.eu (Moses or TMX), or data sets such as Helsinki-NLP/opus-100",
        "data/opus/: Books.en-es.en and Books.en-es.es, or en-es.tmx",
        (
            "Moses: two files whose names end in their language, line k of each the same sentence",
            "TMX: .tmx or .tmx.gz, one unit a row",
            "Helsinki-NLP/opus-100/en-zh:test: rows whose column translation holds both sides",
        ),
        PARALLEL,
    ),
    Known(
        "Tatoeba",
        "--pairs FILE --types en,zh",
        "short sentences with their translations",
        "CC BY 2.0 FR",
        "tatoeba.org, or manythings.org/anki (cmn-eng.txt)",
        "data/tatoeba/cmn-eng.txt",
        (
            "a table between tabs (.tsv, .txt) with a header of language names, or without one: then --types names its first columns, "
            "in order; further ones are kept as facets",
        ),
        PARALLEL,
    ),
    Known(
        "your own pairs",
        "--pairs FOLDER|FILE|ID",
        "anything said twice: languages, programming languages, any two types of text",
        "as stated beside them",
        "yours",
        "data/pairs.jsonl",
        (
            "a table (" + TABLE + ", .tmx) with a column per type; also id, group (rows of one source), zh:swapped (a hard negative)",
            "a folder with one file per type: tables joined by id, or texts aligned line by line",
            "a data set on the hub, owner/name/config@revision:split",
            "columns of other names by --types, such as --types python,javascript",
        ),
        PARALLEL,
    ),
    Known(
        "cedict",
        "--data cedict=FILE|ID",
        "CC-CEDICT, a dictionary from Chinese to English of 123,000 entries",
        wordlens.LICENCE,
        "www.mdbg.net/chinese/dictionary?page=cc-cedict",
        "data/cedict_1_0_ts_utf-8_mdbg.txt.gz",
        (
            "Traditional Simplified [pinyin] /gloss/gloss/, one entry a line, gzip or not; or a folder with one file cedict*",
            "owner/name:split, a data set whose column text holds those lines (as the hub shows a text file)",
            "the first gloss of an entry ends at its slash, as in the paper's release: I; me; my is one gloss, which is no single token",
        ),
        ("multilingual/lens (paper)",),
        ("dictionary", "cc-cedict"),
    ),
    Known(
        "wikipedia",
        "--data wikipedia=FOLDER|FILE|ID",
        "running text whose lines are read",
        running.WIKIPEDIA,
        "the data set wikimedia/wikipedia (20231101.zh and its sisters), or dumps.wikimedia.org",
        "data/wikipedia/: zh.txt, en.txt, ... one line each",
        (
            "a folder with one file per language, or one file named after its language: text, one line each, or a table with a column text",
            "wikimedia/wikipedia/20231101.zh+20231101.es:train, streamed: the first 10,000 lines of a language, no more are fetched",
        ),
        ("multilingual/lens (paper)", "multilingual/trend"),
        ("lines",),
    ),
    Known(
        "mc4",
        "--data mc4=FOLDER|FILE|ID",
        "text of many languages, in which p(language | token) is counted for the tokenizer at hand",
        running.MC4,
        "the data set allenai/c4 (configurations en, zh, ...), or any corpus with a file per language",
        "data/mc4/: en.jsonl.gz, zh.jsonl.gz, ... with a column text",
        (
            "a folder with one file per language: text, one document a line, or a table with a column text",
            "allenai/c4/en+es+zh:train, streamed: the first 100,000 documents of a language, as in the paper",
        ),
        ("multilingual/trend",),
        ("corpus", "c4"),
    ),
    Known(
        "sentiments",
        "--data sentiments=FOLDER|FILE|ID",
        "reviews with their sentiment, which steered texts go on from, and on which their judge is tested",
        reviews.LICENCE,
        "the data set tyqiangz/multilingual-sentiments, or github.com/tyqiangz/multilingual-sentiment-datasets",
        "data/sentiments/: es.csv, zh.csv, ... with columns text and label",
        (
            "a table (" + TABLE + ") per language, called after it, or one with a column language; labels positive, neutral, "
            "negative or 0, 1, 2",
            "owner/name/spanish+chinese:test: one configuration per language",
        ),
        ("multilingual/steering", "multilingual/steering-controls"),
        ("reviews", "multilingual-sentiments"),
    ),
    Known(
        "code",
        "--data code=FILE|ID",
        "MBPP: 974 Python programs with tests; they are parsed, never run",
        programs.LICENCE,
        "github.com/google-research/google-research/tree/master/mbpp, or the data set google-research-datasets/mbpp",
        "data/mbpp.jsonl",
        ("a table (.jsonl, .parquet) with a column code; optional text or prompt, test_list, task_id; or a folder with mbpp.jsonl",),
        ("code/conjunction-lens", "code/role-lens", "code/intervention"),
        ("mbpp",),
    ),
    Known(
        "formula",
        "--data formula=FILE|ID",
        "COGS: 24,155 sentences with their logical forms",
        cogs.LICENCE,
        "github.com/najoungkim/COGS",
        "data/cogs/train.tsv",
        (
            "train.tsv as published (sentence, form, kind; no header), or the folder that holds it",
            "a table (" + TABLE + ") with columns sentence and form (also text, input; logical_form, output)",
        ),
        ("semantics/similarity", "semantics/role-lens"),
        ("cogs",),
    ),
    Known(
        "coco",
        "--data coco=FOLDER|FILE|ID",
        "COCO val2017: photos with captions, and maps of what each pixel shows",
        photos.LICENCE,
        "cocodataset.org: val2017.zip, annotations_trainval2017.zip, panoptic_annotations_trainval2017.zip",
        "data/coco/: val2017/, annotations/captions_val2017.json, annotations/panoptic_val2017.json and its folder of PNGs",
        (
            "COCO's own layout; without panoptic maps vision/segment-lens is left out",
            "a table beside its images (captions.jsonl, or any of " + TABLE + "): columns file (or image), captions (or caption), "
            "license, image_id",
        ),
        ("vision/similarity", "vision/caption-lens", "vision/segment-lens"),
    ),
    Known(
        "vggsound",
        "--data vggsound=FOLDER|FILE|ID",
        "VGGSound: clips of ten seconds with one of 309 labels",
        clips.VGGSOUND,
        "www.robots.ox.ac.uk/~vgg/data/vggsound (the table; the clips come from YouTube), or a data set of clips and labels",
        "data/vggsound/: vggsound.csv, and the clips as <YouTube id>_<start, six digits>.wav",
        (
            "vggsound.csv as published (id, start, label, split) and .wav, .flac or .ogg files beside it or in audio/; rows without a clip "
            "are counted",
            "owner/name:split, streamed: the first 1,000 rows, as many as the paper takes, no more are fetched; or a .parquet of such rows",
            "rows hold the sound itself (column audio, sound or video: WAV; with soundfile also FLAC, OGG and MP3; no film) and label or "
            "labels, a text or a class; labels without a clip are known where label is a class",
        ),
        ("audio/similarity", "audio/lens", "audio/intervention"),
    ),
    Known(
        "spoken-digits",
        "--data spoken-digits=FOLDER|FILE|ID",
        "free-spoken-digit-dataset: 3,000 spoken English digits",
        clips.FSDD,
        "github.com/Jakobovski/free-spoken-digit-dataset, or a data set of it such as mteb/free-spoken-digit-dataset",
        "data/fsdd/recordings/",
        (
            "files <digit>_<speaker>_<number>.wav, in the folder or in its recordings/",
            "owner/name:split, streamed: the first 3,000 rows, no more are fetched; or a .parquet of such rows",
            "rows hold the sound itself (column audio: WAV; with soundfile also FLAC, OGG and MP3) and label (7 or seven, as number, text "
            "or class); the speaker is a column speaker, or told by the file's name; where neither tells, sounds of a digit are one source",
        ),
        ("audio/similarity", "audio/lens"),
        ("fsdd",),
    ),
)
