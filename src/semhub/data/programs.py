"""Python programs, such as MBPP (Austin et al. 2021), and the places in them that catalogue rows 9 to 11 read.

Programs are parsed, never run. What does not parse is counted with its reason. Knows no model: what is a token is for the
reader of these marks to find out.
"""

import ast
import hashlib
import json
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from semhub.data.opening import open_table
from semhub.data.rows import BadRow, Row, flaw, refuse
from semhub.data.sources import Source
from semhub.types import Mark, Prompt

MAX_CHARS = 20_000
LICENCE = "CC BY 4.0 (MBPP, github.com/google-research/google-research/tree/master/mbpp)"
INSTEAD = "put mbpp.jsonl (columns code, text, test_list) into data/ and pass --data code=data/mbpp.jsonl"
# The positional parameters of Python's own functions, by the names of its documentation; one letter says nothing and is left out.
BUILT_IN: Mapping[str, tuple[str, ...]] = {
    "enumerate": ("iterable", "start"),
    "filter": ("function", "iterable"),
    "getattr": ("object", "name", "default"),
    "isinstance": ("object", "classinfo"),
    "iter": ("object", "sentinel"),
    "len": ("object",),
    "list": ("iterable",),
    "map": ("function", "iterable"),
    "next": ("iterator", "default"),
    "pow": ("base", "exp", "mod"),
    "reversed": ("sequence",),
    "round": ("number", "ndigits"),
    "set": ("iterable",),
    "sorted": ("iterable",),
    "sum": ("iterable", "start"),
    "tuple": ("iterable",),
}
RANGE = {1: ("stop",), 2: ("start", "stop"), 3: ("start", "stop", "step")}


@dataclass(frozen=True, slots=True)
class Program:
    """A program with line feeds alone, what it is for, and its tests."""

    id: str
    code: str
    task: str = ""
    tests: tuple[str, ...] = ()

    @property
    def whole(self) -> str:
        """The program and its tests."""
        return "\n".join((self.code, *self.tests))


def read_programs(path_or_id: str | Path, skip_bad: bool = False) -> Source:
    """Read programs from JSONL, Parquet or a hub data set -> a Source of `Program`s that parse.

    Columns: `code`; optional `text` (or `prompt`), `test_list`, `task_id`. CR LF becomes LF, which Python does not tell apart.
    Raises BadInput for bad rows (unless `skip_bad`) and where there is nothing to read.
    """
    found = open_table(str(path_or_id), "table of programs", INSTEAD, LICENCE, ("mbpp.jsonl",))
    kept, bad, broken, counts = [], [], [], Counter()
    for number, row in enumerate(found.rows, 1):
        made = row if isinstance(row, BadRow) else program_of(row, number)
        counts["rows"] += 1
        if isinstance(made, BadRow):
            bad.append(made)
        elif parsed(made.whole) is None:
            broken.append(row.bad(f"the program does not parse ({syntax_flaw(made.whole)})"))
            counts["left out: does not parse"] += 1
        else:
            kept.append(made)
    counts["kept"] = len(kept)
    refuse(bad if kept else bad + broken, str(path_or_id), len(kept), skip_bad)
    lost = counts["left out: does not parse"]
    notices = [f"code: {len(kept):,} of {counts['rows']:,} programs kept" + (f" ({lost:,} do not parse)" if lost else "")]
    return Source(tuple(kept), found.source, digest(kept), found.licence, dict(counts), bad + broken, notices, found.revision)


def program_of(row: Row, number: int) -> Program | BadRow:
    cells = row.cells
    if reason := flaw(cells.get("code"), MAX_CHARS):
        return row.bad(f"the code {reason}")
    tests = cells.get("test_list")
    if tests is not None and not (isinstance(tests, list | tuple) and all(isinstance(each, str) for each in tests)):
        return row.bad("test_list is no list of texts")
    task = next((cells[name] for name in ("text", "prompt") if isinstance(cells.get(name), str)), "")
    return Program(str(cells.get("task_id", number)), plain(cells["code"]), task, tuple(map(plain, tests or ())))


def plain(code: str) -> str:
    return code.replace("\r\n", "\n").replace("\r", "\n")


def digest(programs: Iterable[Program]) -> str:
    total = hashlib.sha256()
    for each in programs:
        total.update(json.dumps([each.id, each.code, each.task, each.tests]).encode() + b"\n")
    return total.hexdigest()


# what stands where ---------------------------------------------------------------------------------------------------


@cache
def parsed(code: str) -> ast.Module | None:
    """The syntax tree, or None; a program of another author's is allowed its odd escapes."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def syntax_flaw(code: str) -> str:
    """What Python says of a program that does not parse."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(code)
    except SyntaxError as error:
        return f"{error.msg}, line {error.lineno}"
    except (ValueError, RecursionError, MemoryError) as error:
        return str(error) or type(error).__name__
    return "for no reason"


class Places:
    """A program's text with the characters that its syntax tree points to (the tree counts bytes within lines)."""

    def __init__(self, code: str):
        self.code, self.lines = code, code.split("\n")
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line) + 1)

    def span(self, node: ast.expr) -> tuple[int, int]:
        return self.at(node.lineno, node.col_offset), self.at(node.end_lineno, node.end_col_offset)

    def at(self, line: int, byte: int) -> int:
        return self.starts[line - 1] + len(self.lines[line - 1].encode()[:byte].decode(errors="ignore"))

    def only(self, mark: str, start: int, end: int) -> int | None:
        """Where `mark` stands in `[start, end)` with nothing but white space around it, else None."""
        shown = self.code[start:end]
        return start + shown.index(mark) if shown.strip() == mark else None


def conjunction_marks(programs: Sequence[Program], words: Sequence[str], calls: bool = False) -> tuple[list[Mark], dict[str, str]]:
    """The commas between elements of list literals (with `calls`: between positional arguments instead), in programs with tests.

    Each word is a group of its own, after a space; what truly follows is of the group `code`.
    """
    marks, left_out = [], {}
    for program in programs:
        text = program.whole
        commas = list(commas_of(text, calls))
        if not commas:
            left_out[program.id] = "no comma in a call" if calls else "no comma in a list"
        for at in commas:
            marks.append(Mark(f"{program.id}:{at}", "code", text, at, {word: (f" {word}",) for word in words}, alone=True))
    return marks, left_out


def commas_of(text: str, calls: bool) -> Iterator[int]:
    source, kinds = Places(text), (ast.Call if calls else ast.List)
    for node in ast.walk(parsed(text)):
        if isinstance(node, kinds):
            spans = [source.span(each) for each in (node.args if calls else node.elts)]
            for (_, end), (start, _) in zip(spans, spans[1:], strict=False):
                if (at := source.only(",", end, start)) is not None:
                    yield at


@dataclass(frozen=True, slots=True)
class Argument:
    """A positional argument of a call: after which character it stands, its own characters, and its parameter's name."""

    function: str
    place: int
    at: int
    span: tuple[int, int]
    name: str
    others: tuple[str, ...]


def role_marks(programs: Sequence[Program]) -> tuple[list[Mark], dict[str, str]]:
    """The "(" or "," before each positional argument of a call by name, in programs without tests.

    Groups: `code`, the argument's first token, and `en`, its parameter's name as it would stand in the argument's place;
    wrong names are those of the call's other parameters. An argument that is called what its parameter is called says nothing.
    """
    marks, left_out = [], {}
    for program in programs:
        found = list(arguments(program.code))
        if not found:
            left_out[program.id] = "no call by name whose parameters are known"
        for each in found:
            gap = program.code[each.at + 1 : each.span[0]]
            id = f"{program.id}:{each.at}"
            if gap.strip(" ") or len(gap) > 1:
                left_out[id] = "more than one space before the argument"
            elif program.code[slice(*each.span)] == each.name:
                left_out[id] = "the argument is called as its parameter"
            else:
                facets = {"function": each.function, "argument": f"argument-{min(each.place, 3)}", "source": program.id}
                wrong = {"en": tuple(gap + other for other in each.others)}
                marks.append(Mark(id, "code", program.code, each.at, {"en": (gap + each.name,)}, wrong, each.span, facets=facets))
    return marks, left_out


def arguments(code: str) -> Iterator[Argument]:
    """The positional arguments of calls whose parameters are known: of the program's own functions, or of Python's."""
    tree, source = parsed(code), Places(code)
    own = {node.name: parameters(node) for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
            continue
        names = own.get(node.func.id) or (RANGE.get(len(node.args), ()) if node.func.id == "range" else BUILT_IN.get(node.func.id, ()))
        end = source.span(node.func)[1]
        for place, (argument, name) in enumerate(zip(node.args, names, strict=False)):
            if isinstance(argument, ast.Starred):
                break
            span = source.span(argument)
            at = source.only("," if place else "(", end, span[0])
            end = span[1]
            if at is not None and len(name) > 1:
                others = tuple(each for each in names if each != name and len(each) > 1)
                yield Argument(node.func.id, place + 1, at, span, name, others)


def parameters(function: ast.FunctionDef) -> tuple[str, ...]:
    return tuple(each.arg for each in (*function.args.posonlyargs, *function.args.args))


def range_prompts(programs: Sequence[Program]) -> tuple[list[Prompt], dict[str, str]]:
    """The beginnings of programs up to `range(`, where the program itself goes on with one argument."""
    prompts, left_out = [], {}
    for program in programs:
        source = Places(program.code)
        calls = [n for n in ast.walk(parsed(program.code)) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)]
        ends = sorted(source.span(n.func)[1] for n in calls if n.func.id == "range" and len(n.args) == 1 and not n.keywords)
        found = [end + 1 for end in ends if program.code[end : end + 1] == "("]
        if not found:
            left_out[program.id] = "white space between range and its bracket" if ends else "no range with one argument"
        prompts += [Prompt(f"{program.id}:{end}", "code", program.code[:end], {"source": program.id}) for end in found]
    return prompts, left_out


def written_arguments(continuation: str) -> list[str] | None:
    """The arguments that a continuation of `range(` gives, as they are written; None where its bracket does not close or parse."""
    tree = next((t for end in closings(continuation) if (t := parsed(f"range({continuation[:end]})")) is not None), None)
    if tree is None or len(tree.body) != 1 or not isinstance(tree.body[0], ast.Expr):
        return None
    call = tree.body[0].value
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.keywords:
        return None
    return [ast.unparse(argument) for argument in call.args]


def closings(text: str) -> list[int]:
    return [match.start() for match in re.finditer(r"\)", text)]
