"""The world in Chinese: classifiers, the place before the verb, 的 where an adjective needs it, no spaces.

A switched (foreign) word stands between spaces, as people write it.
"""

import re

from semhub.data.world import lexicon
from semhub.data.world.lexicon import NOTHING, Switch
from semhub.data.world.meanings import Count, Fact, Gift, Opinion, Phrase, Scene, Series, Sum, Visit

PREFIX = "接下来的文字全部是中文的。"
PROBE = "这代表了"
ANSWER = "回答："
DIGITS = "零一二三四五六七八九"
# What holds sentences together, where it is longer than a character: tokenizers of the lab keep each whole.
FUNCTION_WORDS = ("接下来", "文字", "全部", "中文", "代表", "回答", "哪里", "什么", "颜色", "喜欢", "演奏", "觉得", "一起", "我的", "那些")
FUNCTION_WORDS += ("等于", "乘以", "开始", "之前", "停止", "每次")


def word(entry, switch: Switch = NOTHING) -> str:
    return f" {switch[entry.key]} " if entry.key in switch else entry.zh


def joined(*parts: str) -> str:
    """The parts without spaces but those around foreign words: none at the ends, none beside a mark."""
    text = re.sub(r" +", " ", "".join(parts)).strip()
    return re.sub(r" ?([。？：，！]) ?", r"\1", text)


def phrase(phrase_: Phrase, switch: Switch) -> str:
    adjective, classifier = word(phrase_.adjective, switch) if phrase_.adjective else "", phrase_.noun.classifier
    if phrase_.plural:
        determiner = "那些" if phrase_.definite else "几" + classifier
    else:
        determiner = ("那" if phrase_.definite else "一") + classifier
    return determiner + adjective + word(phrase_.noun, switch)


def scene(scene_: Scene, switch: Switch = NOTHING) -> str:
    place = scene_.place.zh_at if scene_.place else ""
    return joined(phrase(scene_.agent, switch), place, word(scene_.verb, switch), phrase(scene_.patient, switch), "。")


def gift(gift_: Gift, switch: Switch = NOTHING) -> str:
    return joined(phrase(gift_.giver, switch), gift_.verb.zh, phrase(gift_.recipient, switch), phrase(gift_.thing, switch), "。")


def series(series_: Series) -> str:
    *first, last = (being.zh for being in series_.beings)
    return f"{'、'.join(first)}和{last}。"


def count(count_: Count) -> str:
    start, stop, step = map(number, (count_.start, count_.stop, count_.step))
    return f"从{start}开始，到{stop}之前停止，每次加{step}。"


def gist(scene_: Scene) -> str:
    """Who does what to whom, as a headline would say it."""
    return f"{scene_.agent.noun.zh}{scene_.verb.zh}{scene_.patient.noun.zh}。"


def pair(scene_: Scene) -> str:
    """Who it is about, the one who suffers it first."""
    return f"{scene_.patient.noun.zh}和{scene_.agent.noun.zh}。"


def statement(fact: Fact, switch: Switch = NOTHING) -> str:
    being, value = word(fact.being, switch), word(fact.value, switch)
    match fact.relation:
        case "home":
            return joined(being, f"住{fact.value.zh_at}。")
        case "food":
            return joined(being, "吃", value, "。")
        case "color":
            return joined(being, "喜欢", value, "。")
        case "thing":
            return joined(being, f"有一{fact.value.classifier}", value, "。")
        case "drink":
            return joined(being, "喝", value, "。")
        case "clothing":
            return joined(being, f"买了一{fact.value.classifier}", value, "。")
        case "plant":
            return joined(being, f"种了一{fact.value.classifier}", value, "。")
        case _:
            return joined(being, "演奏", value, "。")


def question(fact: Fact, switch: Switch = NOTHING) -> str:
    being = word(fact.being, switch)
    asked = {
        "home": (being, "住在哪里？"),
        "food": (being, "吃什么？"),
        "color": (being, "喜欢什么颜色？"),
        "thing": (being, "有什么？"),
        "instrument": (being, "演奏什么？"),
        "drink": (being, "喝什么？"),
        "clothing": (being, "买了什么？"),
        "plant": (being, "种了什么？"),
    }
    return joined(*asked[fact.relation], ANSWER)


def opener(visit: Visit, switch: Switch = NOTHING) -> str:
    demonstrative, noun = visit.subject.zh[:2], visit.subject.zh[2:]
    subject = demonstrative + (f" {switch[visit.subject.key]} " if visit.subject.key in switch else noun)
    return joined(f"我{lexicon.DAYS['zh'][visit.day]}和我的", word(visit.companion, switch), "一起去了", subject, "。")


def opinion(opinion_: Opinion, switch: Switch = NOTHING) -> str:
    said = (word(opinion_.aspect, switch), word(opinion_.judgement, switch), "。")
    return joined(*said) if opinion_.style == 0 else joined("我觉得", *said)


def number(n: int, switch: Switch = NOTHING) -> str:
    """0 to 109 in Chinese numerals (num2words has no Chinese)."""
    if str(n) in switch:
        return f" {switch[str(n)]} "
    if n >= 100:
        return "一百" + (f"零{number(n - 100)}" if n > 100 else "")
    tens, units = divmod(n, 10)
    ten = "" if tens == 0 else "十" if tens == 1 else DIGITS[tens] + "十"
    return ten + (DIGITS[units] if units or not tens else "")


def expression(sum_: Sum, switch: Switch = NOTHING) -> str:
    return joined(*_terms(sum_, switch))


def equation(sum_: Sum, switch: Switch = NOTHING) -> str:
    return joined(number(sum_.result, switch), "等于", *_terms(sum_, switch))


def _terms(sum_: Sum, switch: Switch) -> tuple[str, str, str]:
    return number(sum_.left, switch), "加" if sum_.op == "+" else "乘以", number(sum_.right, switch)
