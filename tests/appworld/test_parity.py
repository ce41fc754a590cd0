"""What a model is shown and what it leaves behind are what the engine's own AppWorld shows and leaves.

The same code blocks run, in the same order, in the engine's AppWorld.execute (in a process of its own) and in
a session. DEPARTURES lists what differs and why; everything else is equal to the character, but for the
numbers that `comparable` takes out.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.appworld.conftest import LIMITS, Official, Open, Player

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("appworld-parity")]

SNIPPETS = {
    "a text": "print('hello')",
    "several values": "print('a', 1, None, [1, 2])",
    "print's options": "print('a', 'b', sep='-', end='!\\n')\nprint([1, 2], end='')",
    "a short dict": "print({'a': 1, 'b': [True, None]})",
    "a long dict": "print({'key ' * 10 + str(i): 'value ' * 5 for i in range(4)})",
    "a list of 99 and of 100 characters": "print(['x' * 95])\nprint(['x' * 96])\nprint(['x' * 97])",
    "a tuple": "print((1, 'two', 3.0))",
    "an empty list": "print([])",
    "a list that JSON can't hold": "print([{1, 2}])",
    "a dict with keys that JSON can't hold": "print({(1, 2): 3})",
    "not-a-number in a list": "print([float('nan'), float('inf')])",
    "a set": "print({1})",
    "bytes": "print(b'x')",
    "an expression's value": "1 + 1",
    "a last expression after a print": "print('shown')\n'not shown'",
    "nothing printed": "x = 41",
    "a variable of an earlier step": "x += 1\nprint(x)",
    "only white space printed": "print('  \\n ')",
    "trailing lines": "print('a\\n\\n')",
    "a function": "def double(n):\n    return 2 * n\nprint(double(21))",
    "a function of an earlier step": "print([double(n) for n in range(3)])",
    "a class": "class Point:\n    def __init__(self, x):\n        self.x = x\nprint(Point(3).x)",
    "a generator": "print(sum(n for n in range(10)), next(iter([7])))",
    "no code": "",
    "white space": "   \n\n  ",
    "a comment": "# nothing",
    "an indented block": "    print('indented')",
    "a syntax error": "print('a'\nx = = 3",
    "a syntax error in a later line": "x = 1\nfor i in range(3)\n    print(i)",
    "an unclosed text": "print('abc",
    "a wrong indentation": "if True:\nprint(1)",
    "a null character": "print('a\\0b')",
    "a literal null character": "print('a\0b')",
    "an exception": "raise ValueError('bad value')",
    "an exception without text": "raise KeyError",
    "an exception in a function": "def f():\n    return 1 / 0\ndef g():\n    return f()\ng()",
    "an exception in a function of an earlier step": "g()",
    "an exception in a library": "json.loads('{')",
    "an exception after output": "print('before')\n[][3]",
    "an exception while handling one": "try:\n    1 / 0\nexcept ZeroDivisionError:\n    {}['key']",
    "an exception from another": "try:\n    1 / 0\nexcept Exception as ex:\n    raise ValueError from ex",
    "an exception of its own class": "class Mine(Exception):\n    pass\nraise Mine('own')",
    "a group of exceptions": "raise ExceptionGroup('several', [ValueError(1), TypeError(2)])",
    "an exception with a note": "e = ValueError('v')\ne.add_note('a note')\nraise e",
    "an exception with many lines": "raise ValueError('one\\ntwo\\n  three')",
    "an assertion": "assert 1 == 2, 'not equal'",
    "an unknown name": "print(unknown_name)",
    "a misspelt attribute": "'abc'.uper()",
    "SystemExit": "raise SystemExit(3)",
    "too deep a recursion": "def r(n):\n    return r(n + 1)\nr(0)",
    "StopIteration": "next(iter([]))",
    "an exception without a form": "class E(Exception):\n    def __str__(self):\n        1 / 0\nraise E()",
    "input": "name = input('Your name? ')",
    "an import": "import math, statistics\nprint(math.pi)",
    "an allowed import": "import re, string\nfrom collections import OrderedDict\nprint(string.digits)",
    "a forbidden import": "import subprocess\nprint(1)",
    "several forbidden imports": "import socket\nfrom threading import Thread\nimport sys",
    "a forbidden function": "import os\nos.system('ls')",
    "open": "print(open('/etc/hostname').read())",
    "a function that is disabled": "import time\nf = getattr(time, 'sleep')\nprint(f(100))",
    "exit": "exit()",
    "quit by another name": "getattr(builtins, 'quit')()",
    "breakpoint by another name": "b = getattr(builtins, 'breakpoint')\nprint(b())",
    "what is imported already": "print(datetime.date(2020, 1, 2), math.sqrt(4), Counter('aab')['a'])",
    "pendulum": "print(pendulum.datetime(2023, 5, 18).add(days=1), DateTime(2020, 1, 1), Date(2020, 1, 1))",
    "the time": "print(datetime.datetime.now(), datetime.date.today(), DateTime.now(), pendulum.now())",
    "the clock": "import time\nprint(time.time())",
    "random numbers": "random.seed(1)\nprint(random.random(), random.randint(1, 100))",
    "other letters": "print('Zoë - 日本 🎵', {'é': 'ü'})",
    "a lone surrogate": "print(len('\\ud800'))",
    "standard error": "import os\n__import__('sys').stderr.write('to stderr')",
    "standard output, written to": "_ = __import__('sys').stdout.write('to stdout\\n')",
    "a warning": "__import__('warnings').warn('careful')",
    "a line magic": "%time 1",
    "a shell command": "!ls",
    "a help request": "print?",
    "a cell magic": "%%timeit\n1",
    "top-level await": "import itertools\nawait something()",
    "return outside": "return 3",
    "a variable named like a builtin": "list = 3\nprint(list)",
    "a builtin again": "del list\nprint(list('ab'))",
    "a builtin replaced": "keep = abs\nbuiltins.abs = lambda n: 7\nprint(abs(1))\nbuiltins.abs = keep",
    "a builtin removed": "del builtins.abs\nprint(abs(1))",
    "a builtin put back": "builtins.abs = keep\nprint(abs(-1))",
    "print replaced": "old_print = print\ndef print(*values):\n    builtins.print('mine', *values)\nprint(1)",
    "print restored": "print = old_print\nprint([1])",
    "a long output": "for i in range(2000):\n    print('line', i)",
    "a semicolon": "print(1); print(2)",
    "f-strings": "name = 'x'\nprint(f'{name!r:>5} {3.14159:.2f}')",
    "walrus and match": "match (n := 3):\n    case 3:\n        print(n)",
    "a decorator": "@reduce.__class__\ndef f():\n    pass",
    "lambda and sorting": "print(max([{'n': 1}, {'n': 3}], key=lambda item: item['n']))",
    "deepcopy": "a = {'x': [1]}\nb = deepcopy(a)\nb['x'].append(2)\nprint(a, b)",
    "an API": "print(apis.supervisor.show_profile())",
    "an API's result": "profile = apis.supervisor.show_profile()\nprint(sorted(profile), type(profile))",
    "an API with arguments": "print(apis.api_docs.show_api_doc(app_name='spotify', api_name='login'))",
    "an app's APIs": "print(apis.api_docs.show_api_descriptions(app_name='simple_note'))",
    "apps": "print(apis.api_docs.show_app_descriptions())",
    "an unknown app": "apis.facebook.login()",
    "an unknown API": "apis.spotify.fly_to_the_moon()",
    "an unknown app by key": "apis['facebook']",
    "the private app": "apis.admin.show_main_users()",
    "whether an app is there": "print('spotify' in apis, 'facebook' in apis)",
    "a positional argument": "apis.api_docs.show_api_descriptions('spotify')",
    "an argument that is missing": "apis.simple_note.login(username='x')",
    "an argument too many": "print(apis.supervisor.show_profile(colour='red'))",
    "an argument of the wrong type": "apis.spotify.search_songs(page_index='many')",
    "an argument out of range": "apis.spotify.search_songs(page_index=-1)",
    "an answer 401": "apis.simple_note.show_account(access_token='wrong')",
    "an answer 401 without a token": "apis.simple_note.show_account()",
    "an answer 401 at login": "apis.simple_note.login(username='nobody@x.com', password='wrong')",
    "an answer 409 or 422": "apis.spotify.show_song(song_id=10 ** 9)",
    "a path parameter that is a text": "apis.spotify.show_song(song_id='abc')",
    "a path parameter with a space and a slash": "apis.spotify.show_song(song_id='a b')",
    "an empty path parameter": "apis.spotify.show_song(song_id='')",
    "an error not raised": "print(apis.simple_note.show_account(raise_on_failure=False))",
    "an error caught": "try:\n    apis.simple_note.show_account()\nexcept Exception as ex:\n    print(ex)",
    "an error in a loop": "for i in range(3):\n    print(i)\n    apis.simple_note.show_account()",
    "a time as an argument": "print(len(apis.spotify.search_songs(min_release_date=DateTime(2020, 1, 1))))",
    "a date as an argument": "print(len(apis.spotify.search_songs(min_release_date=Date(2020, 1, 1))))",
    "a list as an argument": "apis.spotify.search_songs(query=['a', 'b'])",
    "None and booleans as arguments": "print(len(apis.spotify.search_songs(query=None, page_limit=True)))",
    "a set as an argument": "apis.simple_note.signup(first_name={1}, last_name='', email='', password='')",
    "a time in a body": "apis.simple_note.signup(first_name=DateTime.now(), last_name='', email='')",
    "a lone surrogate as an argument": "apis.spotify.search_songs(query='\\ud800')",
    "the time of another day": "apis.supervisor.show_profile(_system_datetime=DateTime(2030, 1, 1))",
    "too many calls": "for i in range(80):\n    apis.supervisor.show_profile()",
    "after too many calls": "print(apis.supervisor.show_profile()['email'])",
    "a loop without end": "while True:\n    pass",
    "a loop without end that printed": "print('begun')\nwhile True:\n    pass",
    "after a time-out": "print(x, double(4))",
}

# What is left of a snippet's output once numbers that can't be equal are gone.
_TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")
"""Access tokens: their expiry is random, and the engine draws it from the model's own random numbers."""
_REPEATED = re.compile(r"Previous line repeated \d+ more times")
"""Stack frames that fit depend on how deeply the shell itself is called."""
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d)")
"""A time in the log of API calls: written as it was sent; the engine rewrites it."""


def comparable(text: str) -> str:
    """A text without what can't be equal."""
    text = _TIME.sub(r"\1 \2", _TOKEN.sub("<token>", text))
    return _REPEATED.sub("Previous line repeated", text)


@dataclass(frozen=True)
class Played:
    """All snippets and then the task's solution: what the engine showed and left, and what a session did."""

    official: dict[str, Any]
    outputs: list[str]
    report: dict[str, Any]
    files: dict[str, str]


@pytest.fixture(scope="module")
def played(official: Official, open_player: Open, task: str, solution: Callable[[str], list[str]]) -> Played:
    steps = [*SNIPPETS.values(), *solution(task)]
    request = {"root": str(official.root), "task": task, "steps": steps}
    official.send(play=request | {"seconds": LIMITS.step_seconds, "calls": LIMITS.max_calls})
    player = open_player(task)
    outputs = [player.run(step) for step in steps]
    files = player.ask(finish=True)["files"]
    report = player.verdict()
    return Played(official.answer(), outputs, report, files)


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_a_session_shows_what_the_engine_shows(snippet: str, played: Played) -> None:
    number = list(SNIPPETS).index(snippet)
    assert comparable(played.outputs[number]) == comparable(played.official["outputs"][number])


def test_a_solution_s_outputs_are_the_engine_s(played: Played) -> None:
    ours, theirs = played.outputs[len(SNIPPETS) :], played.official["outputs"][len(SNIPPETS) :]
    assert [comparable(text) for text in ours] == [comparable(text) for text in theirs]


def test_a_session_s_world_gets_the_engine_s_verdict(played: Played) -> None:
    assert played.report == played.official["report"]
    assert played.report["success"]


def test_a_session_leaves_the_files_that_the_engine_leaves(played: Played) -> None:
    for name, content in played.official["files"].items():
        folder = "logs" if name == "api_calls.jsonl" else "dbs"
        # The engine logs a call before it fails to send it.
        sent = "".join(line for line in content.splitlines(keepends=True) if '"email": ""' not in line)
        assert comparable(played.files[f"{folder}/{name}"]) == comparable(sent), name


DEPARTURES = {
    # What a model may do: what a session shows, and why that is not what the engine does.
    "raise KeyboardInterrupt('stop')": "KeyboardInterrupt: stop",  # the engine's execute raises it itself
    "print(requester)": "NameError: name 'requester' is not defined",  # it reaches private APIs
    "print('x' * 1_000_000)": "characters left out here",  # the engine would show a megabyte
    "print('\\ud800')": "?",  # the engine fails to write its log
}


@pytest.fixture(scope="module")
def departing(open_player: Open, task: str) -> Player:
    return open_player(task)


@pytest.mark.parametrize("code", DEPARTURES)
def test_a_departure(code: str, departing: Player) -> None:
    assert DEPARTURES[code] in departing.run(code)
    assert departing.run("print('goes on')") == "goes on\n"
