"""The linter follows calls from an orchestrator to where a rule is broken, and shows the way."""

import pytest

from tests.durablehost.lint.examples import lint_text

CLOCK = "from datetime import datetime, timezone\n\n\n"


def messages(code: str, **modules: str) -> list[str]:
    linted = lint_text(code, None, **modules)
    assert [note for note in linted.notes if "failed" in note.message] == []
    return [f"{each.path}: {each.code} {each.message.split('.')[0]}" for each in linted.findings]


def test_the_way_leads_through_modules_and_names_each_function():
    code = """\
from pricing import rates


@app.orchestration_trigger(context_name="context")
def order(context):
    if rates.price("tea"):
        yield context.call_activity("ship", None)
"""
    rates = "from pricing.days import today\n\n\ndef price(item):\n    return today()\n"
    days = CLOCK + "def today():\n    return datetime.now(timezone.utc)\n"

    found = messages(code, **{"pricing.rates": rates, "pricing.days": days, "pricing": ""})

    assert found == ["pricing/days.py: DUR101 order → price → today calls datetime"]


def test_a_relative_import_is_followed():
    code = """\
from pricing.rates import rate


@app.orchestration_trigger(context_name="context")
def order(context):
    yield context.call_activity("ship", rate())
"""
    rates = "from .days import today\n\n\ndef rate():\n    return today()\n"
    days = CLOCK + "def today():\n    return str(datetime.now())\n"

    found = messages(code, **{"pricing.rates": rates, "pricing.days": days})

    assert found == ["pricing/days.py: DUR101 order → rate → today calls datetime"]


@pytest.mark.parametrize(
    ("helper", "use", "way"),
    [
        (
            "class Book:\n    def now(self):\n        return datetime.now()\n",
            "Book().now()",
            "order → now",
        ),
        (
            "class Book:\n    @property\n    def now(self):\n        return datetime.now()\n",
            "Book().now",
            "order → now",
        ),
        (
            "class Book:\n    def __init__(self):\n        self.at = datetime.now()\n",
            "Book().at",
            "order → __init__",
        ),
        (
            "class Base:\n    def now(self):\n        return datetime.now()\n\n\n"
            "class Book(Base):\n    pass\n",
            "Book().now()",
            "order → now",
        ),
        (
            "class Book:\n    @staticmethod\n    def now():\n        return datetime.now()\n",
            "Book.now()",
            "order → now",
        ),
        (
            "def twice(read):\n    return [read(), read()]\n\n\n"
            "def now():\n    return datetime.now()\n",
            "twice(now)",
            "order → now",
        ),
        (
            "class Book:\n    def now(self):\n        return datetime.now()\n\n\n"
            "def read(book: Book | None):\n    return book.now()\n",
            "read(None)",
            "order → read → now",
        ),
        (
            "class Book:\n    def now(self):\n        return datetime.now()\n\n\n"
            "def read(book):\n    return book.now()\n",
            "read(Book())",
            "order → read → now",
        ),
        ("def read(clock):\n    return clock.now()\n", "read(clock=datetime)", "order → read"),
        ("now = datetime.now\n", "now()", "order"),
        ("def reader():\n    return datetime\n", "reader().now()", "order"),
    ],
)
def test_each_form_of_a_call_is_followed(helper, use, way):
    code = f"""\
{CLOCK}{helper}

@app.orchestration_trigger(context_name="context")
def order(context):
    yield context.call_activity("ship", str({use}))
"""

    assert [each for each in messages(code) if "DUR101" in each] == [
        f"function_app.py: DUR101 {way} calls datetime"
    ]


@pytest.mark.parametrize(
    "lines",
    [
        "book: Book | None = None\n    book = context.get_input()\n    late = book.now()",
        "book = yield from found(context)\n    late = book.now()",
        "try:\n        late = 0\n    except Book as book:\n        late = book.now()",
        "with Book() as book:\n        late = book.now()",
    ],
)
def test_the_type_of_a_name_is_inferred_from_its_assignments(lines):
    code = f"""\
from collections.abc import Generator
{CLOCK}
class Book(Exception):
    def now(self):
        return datetime.now()


def found(context) -> Generator[object, object, Book]:
    return (yield context.call_activity("price", None))


@app.orchestration_trigger(context_name="context")
def order(context):
    {lines}
    yield context.call_activity("ship", str(late))
"""

    assert [each for each in messages(code) if "DUR101" in each] == [
        "function_app.py: DUR101 order → now calls datetime"
    ]


def test_a_wrapper_that_a_decorator_puts_around_an_orchestrator_is_followed():
    code = f"""\
import functools
{CLOCK}
def timed(function):
    @functools.wraps(function)
    def wrapper(context):
        context.set_custom_status(str(datetime.now()))
        return function(context)

    return wrapper


@app.orchestration_trigger(context_name="context")
@timed
def order(context):
    yield context.call_activity("ship", None)
"""

    assert messages(code) == ["function_app.py: DUR101 order → wrapper calls datetime"]


def test_what_a_decorator_does_at_import_is_no_part_of_a_replay():
    code = f"""\
{CLOCK}
loaded = {{}}


def noted(reason):
    def note(function):
        loaded[function.__name__] = (reason, datetime.now())
        return function

    return note


@app.orchestration_trigger(context_name="context")
@noted("it is new")
def order(context):
    yield context.call_activity("ship", None)
"""

    assert messages(code) == []


def test_a_context_manager_is_followed():
    code = f"""\
{CLOCK}
class Timed:
    def __enter__(self):
        self.began = datetime.now()

    def __exit__(self, *_):
        return None


@app.orchestration_trigger(context_name="context")
def order(context):
    with Timed():
        yield context.call_activity("ship", None)
"""

    assert messages(code) == ["function_app.py: DUR101 order → __enter__ calls datetime"]


def test_activities_are_not_followed():
    code = f"""\
{CLOCK}
@app.activity_trigger(input_name="item")
def stamp(item):
    return datetime.now().isoformat()


@app.orchestration_trigger(context_name="context")
def order(context):
    yield context.call_activity(stamp, None)
"""

    assert messages(code) == []


def test_functions_that_call_each_other_are_followed_once():
    code = f"""\
{CLOCK}
def ping(n):
    return pong(n - 1) if n else datetime.now().hour


def pong(n):
    return ping(n - 1)


@app.orchestration_trigger(context_name="context")
def order(context):
    yield context.call_activity("ship", ping(3))
"""

    assert messages(code) == ["function_app.py: DUR101 order → ping calls datetime"]


def test_a_name_of_the_app_hides_one_of_the_library():
    code = """\
class datetime:
    @staticmethod
    def now():
        return 0


@app.orchestration_trigger(context_name="context")
def order(context):
    yield context.call_activity("ship", datetime.now())
"""

    assert messages(code) == []


@pytest.mark.parametrize(
    ("line", "effect"),
    [
        ('if hour > 12:\n        yield context.call_activity("price", None)', "changes which task"),
        (
            'for _ in range(hour):\n        yield context.call_activity("ship", 1)',
            "changes which task",
        ),
        ("for _ in range(hour):\n        pass", "value is not safe"),
        ('if hour > 12:\n        context.set_custom_status("late")', "value is not safe"),
        ("if hour > 12:\n        order = 1", "changes which task"),
        ('yield context.call_activity("ship", hour)', "value is not safe"),
        ("context.set_custom_status(hour)", "value is not safe"),
        (
            'if (yield context.call_activity("price", hour)):\n        return 1',
            "value is not safe",
        ),
        ('yield context.call_activity("ship" if hour > 12 else "price", 1)', "changes which task"),
        ('name = "ship" if late(hour) else "price"\n    print(name)', "changes which task"),
    ],
)
def test_a_value_that_decides_a_branch_differs_from_another_value(line, effect):
    code = f"""\
{CLOCK}
def late(hour):
    return hour > 12


@app.orchestration_trigger(context_name="context")
def order(context):
    hour = datetime.now().hour
    {line}
    yield context.call_activity("ship", None)
"""

    [finding] = [each for each in lint_text(code).findings if each.code == "DUR101"]
    assert effect in finding.message


def test_what_cannot_be_followed_is_a_note():
    code = """\
HANDLERS = {"tea": len}


@app.orchestration_trigger(context_name="context")
def order(context):
    size = HANDLERS[context.get_input()]("tea")
    yield context.call_activity("ship", size)
"""

    linted = lint_text(code)

    assert linted.findings == []
    assert [note.message for note in linted.notes] == [
        "Cannot tell what HANDLERS[context.get_input()](...) calls."
    ]


def test_a_method_of_a_string_is_not_a_note():
    code = """\
class Shop:
    def format(self): ...


@app.orchestration_trigger(context_name="context")
def order(context):
    yield context.call_activity("ship", "{}/x".format(context.instance_id))
"""

    assert lint_text(code).notes == []


def test_functions_that_only_the_running_app_knows_are_a_note():
    code = """\
import importlib

for name in ("orders", "invoices"):
    app.register_functions(importlib.import_module(name).bp)
"""

    [note] = lint_text(code).notes

    assert note.message == (
        "Cannot tell which functions app.register_functions(importlib.import_module(name).bp) "
        "registers."
    )


def test_a_setting_that_a_module_of_the_app_keeps_is_found_where_it_decides():
    code = """\
import limits


@app.orchestration_trigger(context_name="context")
def order(context):
    for first in range(0, 100, limits.BATCH):
        yield context.call_activity("ship", [first, limits.BATCH])
"""
    module = (
        "import os\n\n\ndef setting(name):\n    return int(os.environ[name])\n\n\n"
        "BATCH = setting('BATCH')\n"
    )

    [finding] = lint_text(code, limits=module).findings

    assert finding.message.startswith(
        "order uses limits.BATCH, which the app takes from os.environ when it starts "
        "(limits.py:8). It may differ in a later replay and changes which task is scheduled."
    )


def test_a_method_of_the_app_on_an_object_of_an_unknown_class_is_a_note():
    code = """\
class Book:
    def close(self): ...


def closed(book):
    book.close()
    return book.strip()


@app.orchestration_trigger(context_name="context")
def order(context):
    yield context.call_activity("ship", closed(context.get_input()))
"""

    assert [note.message for note in lint_text(code).notes] == [
        "Cannot tell what book.close(...) calls."
    ]


def test_a_setting_that_a_module_keeps_may_decide_what_is_logged():
    code = """\
import os

VERBOSE = os.environ.get("VERBOSE")


@app.orchestration_trigger(context_name="context")
def order(context):
    if VERBOSE and not context.is_replaying:
        print("an order")
    yield context.call_activity("ship", VERBOSE)
"""

    assert messages(code) == []
