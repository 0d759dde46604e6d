"""Nothing is reported in sound code: this repository's apps, the templates, and `sound.md`."""

import re
from pathlib import Path

import pytest

from durablehost.lint.linting import lint_folder
from durablehost.lint.options import Options
from tests.durablehost.lint.examples import lint_text
from tests.source import ROOT, modules_below

FENCE = re.compile(r"^## (.*?)\n\n```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
SOUND = FENCE.findall((Path(__file__).parent / "sound.md").read_text("utf-8"))
TEMPLATES = sorted((ROOT / "durablehost" / "templates").glob("*/function_app.py"))
APPS = [ROOT, *(path.parent for path in TEMPLATES)]


@pytest.mark.parametrize("code", [code for _, code in SOUND], ids=[title for title, _ in SOUND])
def test_nothing_is_reported_in_sound_code(code):
    linted = lint_text(code)

    assert [f"{each.line}: {each.code} {each.message}" for each in linted.findings] == []
    assert [each for each in linted.notes if "failed" in each.message] == []


@pytest.mark.parametrize("folder", APPS, ids=lambda folder: folder.name)
def test_nothing_is_reported_in_our_app_and_the_templates(folder):
    linted = lint_folder(folder, Options(), loads=False)

    assert [f"{each.path}:{each.line}: {each.message}" for each in linted.findings] == []
    assert [each for each in linted.notes if "failed" in each.message] == []


def test_no_comment_in_the_app_switches_a_rule_off():
    folders = ("activities", "blueprints", "http_api", "orchestration")
    files = [path for name in folders for path in modules_below(ROOT / name).values()]
    files += [ROOT / "function_app.py", *TEMPLATES]

    assert [path for path in files if "durable: ignore" in path.read_text("utf-8")] == []
