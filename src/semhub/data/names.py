"""Which names stand for which data type: columns (`en`, `eng_Latn`, `zh-TW`, `digits`) and file names (`zh.tsv`, `eng_Latn.dev`).

Knows names only, never content. Codes are those of ISO 639-1; the three-letter codes of ISO 639-3 are shortened to them.
"""

import re
from collections.abc import Iterable

OTHER_TYPES = ("digits", "code", "formula", "image", "audio")
COLUMN = "sentence_"  # how FLORES calls its columns on the hub: sentence_eng_Latn

_ISO_639 = """
aa:aar ab:abk ae:ave af:afr ak:aka am:amh an:arg ar:ara as:asm av:ava ay:aym az:aze ba:bak be:bel bg:bul bi:bis bm:bam bn:ben bo:bod
br:bre bs:bos ca:cat ce:che ch:cha co:cos cr:cre cs:ces cu:chu cv:chv cy:cym da:dan de:deu dv:div dz:dzo ee:ewe el:ell en:eng eo:epo
es:spa et:est eu:eus fa:fas ff:ful fi:fin fj:fij fo:fao fr:fra fy:fry ga:gle gd:gla gl:glg gn:grn gu:guj gv:glv ha:hau he:heb hi:hin
ho:hmo hr:hrv ht:hat hu:hun hy:hye hz:her ia:ina id:ind ie:ile ig:ibo ii:iii ik:ipk io:ido is:isl it:ita iu:iku ja:jpn jv:jav ka:kat
kg:kon ki:kik kj:kua kk:kaz kl:kal km:khm kn:kan ko:kor kr:kau ks:kas ku:kur kv:kom kw:cor ky:kir la:lat lb:ltz lg:lug li:lim ln:lin
lo:lao lt:lit lu:lub lv:lav mg:mlg mh:mah mi:mri mk:mkd ml:mal mn:mon mr:mar ms:msa mt:mlt my:mya na:nau nb:nob nd:nde ne:nep ng:ndo
nl:nld nn:nno no:nor nr:nbl nv:nav ny:nya oc:oci oj:oji om:orm or:ori os:oss pa:pan pi:pli pl:pol ps:pus pt:por qu:que rm:roh rn:run
ro:ron ru:rus rw:kin sa:san sc:srd sd:snd se:sme sg:sag si:sin sk:slk sl:slv sm:smo sn:sna so:som sq:sqi sr:srp ss:ssw st:sot su:sun
sv:swe sw:swa ta:tam te:tel tg:tgk th:tha ti:tir tk:tuk tl:tgl tn:tsn to:ton tr:tur ts:tso tt:tat tw:twi ty:tah ug:uig uk:ukr ur:urd
uz:uzb ve:ven vi:vie vo:vol wa:wln wo:wol xh:xho yi:yid yo:yor za:zha zh:zho zu:zul
"""
# One language of a macrolanguage, by whose code the usual corpora name the whole.
_MEMBERS = """
ar:arb zh:cmn fa:pes ms:zsm et:ekk lv:lvs sq:als sw:swh mn:khk ne:npi or:ory uz:uzn az:azj mg:plt yi:ydd ps:pbt ku:kmr qu:quy om:gaz
ay:ayr
"""
_SHORT = {long: short for short, long in (pair.split(":") for pair in (_ISO_639 + _MEMBERS).split())}
_TWO = frozenset(_SHORT.values())
_NAME = re.compile(r"([a-z]{2,3}|[A-Z]{2,3})(?:[_-]([A-Z][a-z]{3}|[A-Z]{2}|[0-9]{3}|simp|trad))?")


def type_of(name: str) -> str | None:
    """The data type that `name` stands for (`eng_Latn` -> `en`, `zh-TW` -> `zh`, `ceb_Latn` -> `ceb`), or None.

    A three-letter code without a two-letter one counts only with its script, for `url` and `tag` are no languages.
    """
    if name in OTHER_TYPES:
        return name
    match = _NAME.fullmatch(name.removeprefix(COLUMN))
    if not match:
        return None
    code, where = match[1].lower(), match[2]
    if code in _TWO:
        return code
    return _SHORT.get(code) or (code if where else None)


def type_columns(names: Iterable[str]) -> dict[str, str]:
    """Type -> the column that holds it, in column order; two columns of one type (`zho_Hans`, `zho_Hant`) keep their full names.

    Bare three-letter names (`cat`, `run`) count only where the other names make fewer than two types.
    """
    found = {name: short for name in names if (short := type_of(name))}
    sure = {name: short for name, short in found.items() if not re.fullmatch(r"[A-Za-z]{3}", name)}
    return _unique(sure if len(sure) >= 2 else found)


def file_type(name: str, asked: Iterable[str] = ()) -> str | None:
    """The name of the type that a file holds: the last part between dots that is a type's name, or one of `asked`.

    `zh.tsv`, `eng_Latn.dev`, `newstest2019-ref.deu.txt` and `Books.en-es.es` are such names.
    """
    asked = set(asked)
    return next((part for part in reversed(name.split(".")) if part in asked or type_of(part)), None)


def short_names(names: Iterable[str]) -> dict[str, str]:
    """Short name -> name as written, for every name: those that no code can shorten keep their own."""
    return _unique({name: type_of(name) or name for name in names})


def _unique(shorts: dict[str, str]) -> dict[str, str]:
    taken = list(shorts.values())
    return {short if taken.count(short) == 1 else name: name for name, short in shorts.items()}
