"""The page as a whole: one file that opens anywhere, whatever the run holds, and what a real browser makes of it."""

import functools
import json
import os
import re
import shutil
import subprocess
import threading
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

import report_folder as made
from semhub import cli
from semhub.errors import BadInput
from semhub.report import page, plots, tokenmap, write_report
from semhub.types import Reading

HOSTILE = "<script>window.broken = 1</script><img src=x onerror=alert(1)>\"'&{{ 7 * 7 }}"
VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """Elements with their attributes, in order; and whether every tag is closed."""

    def __init__(self, text: str):
        super().__init__()
        self.elements, self.open, self.text = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data):
        self.text.append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of a full run, with its report."""
    found = made.write(tmp_path_factory.mktemp("run"))
    write_report(found)
    return found


@pytest.fixture
def quick(monkeypatch):
    """Pages of other runs, without the time that their PNG files take."""
    monkeypatch.setattr(plots, "png", lambda whole, plot: b"")
    monkeypatch.setattr(tokenmap, "drawn", lambda found: {})
    return lambda folder: write_report(folder).read_text(encoding="utf-8")


def some(*makers, models=made.MODELS):
    return [row for model in models for maker in makers for row in maker(model)]


# the full page -------------------------------------------------------------------------------------------------------


def test_the_page_is_one_small_file_that_loads_nothing(folder):
    text = (folder / "report.html").read_text(encoding="utf-8")
    found = Page(text)
    assert (folder / "report.html").stat().st_size < page.LIMIT and found.open == []
    assert not found.all("script") and not found.all("img") and not found.all("iframe")
    assert all(attrs["href"] == "data:," for attrs in found.all("link"))
    assert not re.search(r"@import|url\((?!#|data:)", text)
    assert not [attrs for tag, attrs in found.elements if any(name in attrs for name in ("src", "srcset", "onerror", "onload", "onclick"))]


def test_the_page_leads_with_the_three_answers(folder):
    text = (folder / "report.html").read_text(encoding="utf-8")
    titles = ("Do translations meet", "Which language do the middle layers", "Does a push in one language", "How to read this page")
    places = [text.index(title) for title in titles]
    assert places == sorted(places)


def test_headings_descend_by_one_and_links_lead_somewhere(folder):
    found = Page((folder / "report.html").read_text(encoding="utf-8"))
    levels = [int(tag[1]) for tag, _ in found.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1 and all(b - a <= 1 for a, b in zip(levels, levels[1:], strict=False))
    ids = [attrs["id"] for _, attrs in found.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    links = [attrs["href"] for attrs in found.all("a")]
    assert {link[1:] for link in links if link.startswith("#")} <= set(ids)
    assert all((folder / link).is_file() for link in links if not link.startswith("#"))


def test_languages_and_figures_are_named_for_those_who_hear_the_page(folder):
    found = Page((folder / "report.html").read_text(encoding="utf-8"))
    assert found.all("html")[0]["lang"] == "en"
    assert {"zh", "es", "en"} <= {attrs["lang"] for _, attrs in found.elements if "lang" in attrs}
    pictures = [attrs for _, attrs in found.elements if attrs.get("role") == "img"]
    assert len(pictures) > 20 and all(len(attrs["aria-label"]) > 40 for attrs in pictures)
    assert any("highest 0.36 at layer 7" in attrs["aria-label"] for attrs in pictures)


def test_figures_and_tables_stand_beside_the_page(folder):
    figures = {path.suffix for path in (folder / "figures").iterdir()}
    tables = {path.suffix for path in (folder / "tables").iterdir()}
    assert (figures, tables) == ({".svg", ".png"}, {".csv", ".tex"})
    names = {path.stem for path in (folder / "figures").iterdir()}
    assert all((folder / "figures" / f"{name}{kind}").stat().st_size > 500 for name in names for kind in (".svg", ".png"))
    assert (folder / "tables" / "multilingual-lens-readings.csv").read_text().startswith("task,protocol,model,measure,group")


def test_the_page_says_what_the_items_are_and_shows_chinese(folder):
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert "own small generated world" in text and "狗" in text and "\\u72d7" not in text


def test_the_same_run_gives_the_same_page(tmp_path, quick):
    made.write(tmp_path, some(made.trend, made.arithmetic, models=[made.HUB]))
    assert quick(tmp_path) == quick(tmp_path)


# other runs ----------------------------------------------------------------------------------------------------------


def test_all_text_of_a_run_is_escaped(tmp_path, quick):
    rows = [Reading(**row.row() | {"model": HOSTILE, "group": HOSTILE}) for row in some(made.similarity, made.trend, models=[made.HUB])]
    rows = list({tuple(row.row().values())[:12]: row for row in rows}.values())
    task = {"name": "multilingual/similarity", "question": HOSTILE, "paper": HOSTILE, "against": HOSTILE}
    everywhere = {"data": {"source": HOSTILE, "hash": HOSTILE, "notes": [HOSTILE]}, "tasks": [task], "versions": {HOSTILE: HOSTILE}}
    made.write(tmp_path, rows, {HOSTILE: HOSTILE}, protocol=HOSTILE, seed=HOSTILE, types=[HOSTILE], **everywhere)
    maps = [{"text": HOSTILE, "type": HOSTILE, "tokens": [HOSTILE], "layers": [0], "words": [[[[HOSTILE, 0.5, HOSTILE], [HOSTILE, 0.1]]]]}]
    (tmp_path / "tokens.json").write_text(json.dumps({"model": HOSTILE, "tokens": maps}))
    text = quick(tmp_path)
    found = Page(text)
    assert not found.all("script") and not found.all("img") and found.open == []
    assert "<script>window" not in text and "{{ 7 * 7 }}" in text


def test_a_run_of_one_task_tells_that_one_and_no_other(tmp_path, quick):
    task = [{"name": "multilingual/trend", "question": "whose words?", "paper": "4.2", "against": "nothing"}]
    text = quick(made.write(tmp_path, some(made.trend), parts=False, tasks=task))
    assert len(re.findall(r'class="badge open">Not measured<', text)) == 4  # two cards, two claims
    assert len(re.findall(r'class="badge open">No verdict<', text)) == 2 and "No verdict follows" in text
    assert "whose words?" in text and "multilingual/steering" not in text


def test_every_model_that_was_asked_stands_in_title_and_verdicts(tmp_path, quick):
    rows = [
        Reading(**r.row() | {"model": m, "task": t})
        for m, t in (("a", "x/similarity"), ("<b>", "y/similarity"))
        for r in made.similarity(made.HUB)
    ]
    text = quick(made.write(tmp_path, rows, {"a": "hub", "<b>": "hub"}, parts=False, tasks=[]))
    assert "<h1>Is there a semantic hub in a and &lt;b&gt;?</h1>" in text and "<li>model: &lt;b&gt; (hub): y/similarity</li>" in text
    assert "English–Chinese (&lt;b&gt;): " in text


def test_a_run_without_controls_says_so(tmp_path, quick):
    text = quick(made.write(tmp_path, some(made.similarity, models=[made.HUB]), {made.HUB: ""}, parts=False))
    assert "No control model was run" in text and "controls: none" in text and "side by side" not in text


def test_a_control_that_was_asked_for_is_named_as_one(tmp_path, quick):
    models = {made.MISPAIRED: "control:mispaired"}
    text = quick(made.write(tmp_path, some(made.similarity, models=models), models, parts=False))
    assert "is itself a control" in text


def test_values_that_are_missing_leave_gaps_and_no_error(tmp_path, quick):
    holes = {"value": float("nan"), "low": None, "high": float("nan")}
    whole = some(made.similarity, made.lens, made.steering, made.arithmetic, models=[made.HUB])
    rows = [Reading(**row.row() | (holes if i % 3 else {})) for i, row in enumerate(whole)]
    text = quick(made.write(tmp_path, rows))
    assert ">nan<" not in text and "None" not in Page(text).text


def test_a_run_of_nothing_but_missing_values_still_has_a_page(tmp_path, quick):
    rows = [Reading(**row.row() | {"value": float("nan"), "low": None, "high": None}) for row in some(made.trend, models=[made.HUB])]
    assert "Not measured" in quick(made.write(tmp_path, rows, parts=False))


def test_a_model_of_one_layer_has_no_middle_and_no_claim(tmp_path, quick):
    rows = [row for row in some(made.similarity, made.lens, made.steering) if row.layer in (None, 0, 1)]
    text = quick(made.write(tmp_path, rows, depth=1, parts=False))
    assert "no layer was read between the first and the last" in text


def test_many_pairs_and_much_text_still_fit(tmp_path, quick):
    types = [f"t{i}" for i in range(12)]
    pairs = {f"{a}-{b}": 0.2 for i, a in enumerate(types) for b in types[i + 1 :]}
    shown = {"position": "probe", "variant": "raw", "split": "test"}
    rows = [row for row in made.similarity(made.HUB, pairs=pairs) if shown.items() <= row.row().items()]
    notes = ["a bad row " * 200] * 5000
    text = quick(made.write(tmp_path, rows, {made.HUB: "hub"}, parts=False, data={"source": "x" * 100_000, "notes": notes}))
    assert len(text.encode()) < page.LIMIT and "The first 60 of 66 rows" in text


def test_figures_beyond_the_budget_are_left_to_their_files(tmp_path, quick, monkeypatch):
    monkeypatch.setattr(page, "FIGURES", 100_000)
    text = quick(made.write(tmp_path, some(made.similarity), parts=False))
    assert len(text.encode()) < 250_000 and "no room left for the figure" in text


def test_the_page_names_the_thresholds_that_it_was_judged_by(tmp_path, quick):
    made.write(tmp_path, some(made.similarity, models=(made.HUB, made.UNTRAINED)), parts=False)
    assert ">supported</span>" in quick(tmp_path)
    (tmp_path / "mine.toml").write_text("similarity = 0.75")
    with pytest.raises(SystemExit):
        cli.main(["report", str(tmp_path), "--thresholds", str(tmp_path / "mine.toml")])
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert ">contradicted</span>" in text and ">supported</span>" not in text and "<td>0.75</td>" in text
    assert {each["thresholds"]["similarity"] for each in json.loads((tmp_path / "verdicts.json").read_text())} == {0.75}


def test_a_wrong_file_of_thresholds_stops_a_report_with_one_line(tmp_path, capsys):
    (tmp_path / "mine.toml").write_text("similarty = 0.75")
    with pytest.raises(SystemExit) as stopped:
        cli.main(["report", str(tmp_path), "--thresholds", str(tmp_path / "mine.toml")])
    assert stopped.value.code == 2
    assert capsys.readouterr().err == "semhub: There is no threshold 'similarty'; did you mean 'similarity'?\n"


def test_a_folder_without_readings_is_refused_with_what_to_do(tmp_path):
    with pytest.raises(BadInput, match="readings.parquet"):
        write_report(tmp_path)


def test_an_unreadable_spec_is_refused_by_name(tmp_path):
    made.write(tmp_path, some(made.trend), parts=False)
    (tmp_path / "spec.json").write_text("{")
    with pytest.raises(BadInput, match="spec.json"):
        write_report(tmp_path)


def test_a_spec_of_unknown_form_is_told_as_not_recorded(tmp_path, quick):
    made.write(tmp_path, some(made.trend, models=[made.HUB]), parts=False)
    (tmp_path / "spec.json").write_text(json.dumps({"models": "x", "tasks": [None, 3, {}], "data": [], "versions": 2, "types": {"a": 1}}))
    assert "not recorded" in quick(tmp_path)


# a real browser ------------------------------------------------------------------------------------------------------

# A frame of the wanted width (browsers have a least width of their own) and a script beside it that looks inside.
PROBE = """<!doctype html><meta charset="utf-8"><body style="margin:0">
<iframe id="frame" style="width:%dpx;height:900px;border:0" src="report.html"></iframe><pre id="out"></pre>
<script>
document.getElementById("frame").onload = (event) => {
  const page = event.target.contentDocument, view = event.target.contentWindow;
  const beyond = (e) => !e.closest(".scroll, pre, svg") && e.getBoundingClientRect().right > view.innerWidth + 1;
  document.getElementById("out").textContent = JSON.stringify({
    inner: view.innerWidth,
    scroll: page.documentElement.scrollWidth,
    broken: view.broken || 0,
    wide: [...page.body.querySelectorAll("*")].filter(beyond).slice(0, 5).map((e) => e.tagName + "." + e.className),
    loaded: view.performance.getEntriesByType("resource").map((e) => e.name),
    han: page.body.innerText.includes("狗"),
    fonts: [...page.fonts].map((font) => font.status),
  });
};
</script>"""
CHROMIUM = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)
FLAGS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update
--disable-sync --disable-dev-shm-usage --virtual-time-budget=8000 --enable-logging=stderr --v=0 --dump-dom""".split()


@pytest.fixture(scope="module")
def browser(folder, tmp_path_factory):
    """`browser(width)`: what a browser of that width says of the page, its console, and all that it asked a server for."""
    if CHROMIUM is None:
        pytest.skip("no chromium is installed")
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, form, *args):
            asked.append(self.path)

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()

    @functools.cache
    def look(width: int):
        asked.clear()
        (folder / "probe.html").write_text(PROBE % width, encoding="utf-8")
        profile = tmp_path_factory.mktemp("profile")
        command = [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", f"http://127.0.0.1:{server.server_port}/probe.html"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240, env={**os.environ, "HOME": str(profile)}, check=False)
        found = re.search(r'<pre id="out">(.*?)</pre>', done.stdout, re.S)
        assert found and found[1], f"the browser showed nothing: {done.stderr[-500:]}"
        console = [each for each in done.stderr.splitlines() if "CONSOLE" in each and "probe.html" not in each]
        return json.loads(found[1].replace("&amp;", "&")), console, list(asked)

    yield look
    server.shutdown()


@pytest.mark.parametrize("width", [390, 1280])
def test_in_a_browser_nothing_overflows_and_nothing_is_fetched(browser, width):
    seen, console, asked = browser(width)
    assert seen["inner"] == width and seen["scroll"] <= width and seen["wide"] == []
    assert console == [] and seen["broken"] == 0
    assert [path for path in asked if not re.search(r"probe.html|report.html|favicon", path)] == []
    assert [name for name in seen["loaded"] if not name.startswith("data:")] == []


def test_in_a_browser_chinese_is_there_with_its_font(browser):
    seen, _, _ = browser(390)
    assert seen["han"] and (seen["fonts"] == [] or "error" not in seen["fonts"])


def test_other_processes_draw_the_same_figures(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "FEW", 0)
    folders = [made.write(tmp_path / name) for name in ("alone", "shared")]
    for folder, workers in zip(folders, (1, 2), strict=True):
        write_report(folder, workers=workers)
    alone, shared = ({file.name: file.read_bytes() for file in (folder / "figures").iterdir()} for folder in folders)
    assert alone == shared and len(alone) > 10
