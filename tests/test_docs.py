"""The docs keep up with the code: links lead somewhere, pages are short, each pattern has one."""

import json
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from tests.source import ROOT, SERVING, patterns, tracked_files

PAGES = sorted(path for path in tracked_files() if path.suffix == ".md")
README = (ROOT / "README.md").read_text("utf-8")

FENCE = re.compile(r"^(?: {0,3})(`{3,}|~{3,})(.*?)^(?: {0,3})\1", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)|^\[[^\]]+\]:\s*(\S+)", re.MULTILINE)
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)


def without_code(text: str) -> str:
    """A page without its fenced blocks and inline code, where brackets are no links."""
    return re.sub(r"`[^`\n]*`", "", FENCE.sub("", text))


def anchors(page: Path) -> set[str]:
    """The anchors GitHub makes of a page's headings: the second of a name gets -1."""
    titles = HEADING.findall(FENCE.sub("", page.read_text("utf-8")))
    slugs = sorted(slug(title) for title in titles)
    numbered = [list(same) for _, same in groupby(slugs)]
    return {f"{each}-{n}" if n else each for same in numbered for n, each in enumerate(same)}


def slug(title: str) -> str:
    words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).lower()
    return re.sub(r"[^\w\- ]", "", words).replace(" ", "-")


def dead_links(page: Path) -> Iterator[str]:
    for links in LINK.findall(without_code(page.read_text("utf-8"))):
        link = links[0] or links[1]
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists():
            yield f"{link}: there is no such file"
        elif anchor and target.suffix == ".md" and anchor not in anchors(target):
            yield f"{link}: {target.name} has no such heading"
        elif not target.is_relative_to(ROOT):
            yield f"{link}: leads out of the repository"


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page):
    assert list(dead_links(page)) == []


def test_a_link_to_nowhere_is_noticed(tmp_path):
    page = tmp_path / "page.md"
    (tmp_path / "other.md").write_text("# One `two` (three)\n## Same\n## Same\n```\n# no\n```\n")
    page.write_text(
        "[a](other.md#one-two-three) [b](other.md#same-1) [c](https://example.com) `[d](code.md)`\n"
        "[e](gone.md) [f](other.md#no) [g](#here)\n\n```\n[h](fenced.md)\n```\n[i]: also-gone.md\n"
    )

    assert [link.split(":")[0] for link in dead_links(page) if "leads out" not in link] == [
        "gone.md",
        "other.md#no",
        "#here",
        "also-gone.md",
    ]


LINE_LINK = re.compile(r"\[`([^`\]]+)`\]\(([^)#\s]+)#L(\d+)\)")


def wrong_line_links(page: Path) -> Iterator[str]:
    """The links to a line of code that does not contain the text of the link."""
    for name, file, number in LINE_LINK.findall(page.read_text("utf-8")):
        lines = (page.parent / file).read_text("utf-8").splitlines()
        found = [line for line, text in enumerate(lines, 1) if name in text]
        if int(number) not in found:
            yield f"{file}#L{number} does not contain {name}: it is in lines {found}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_link_to_a_line_of_code_leads_to_what_its_text_says(page):
    assert list(wrong_line_links(page)) == []


def test_a_link_to_a_wrong_line_is_noticed(tmp_path):
    (tmp_path / "app.py").write_text("import x\n\ntimer.cancel()\n")
    page = tmp_path / "page.md"
    page.write_text("[`cancel`](app.py#L3) [`cancel`](app.py#L2) [`x`](app.py#L1) [a](app.py#L9)")

    assert list(wrong_line_links(page)) == ["app.py#L2 does not contain cancel: it is in lines [3]"]


async def test_the_example_in_the_readme_does_what_it_shows(hub):
    [example] = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    namespace: dict[str, Any] = {}

    exec(example, namespace)
    [test] = [value for name, value in namespace.items() if name.startswith("test_")]

    await test(hub)


def test_the_readme_is_read_in_one_go():
    assert len(README.splitlines()) < 145


@pytest.mark.parametrize("pattern", patterns())
def test_a_pattern_has_a_row_in_the_readme(pattern):
    assert re.search(rf"^\|.*\(blueprints/{pattern}\.py\).*\|$", README, re.MULTILINE)
    assert re.search(rf"^\|.*\(docs/patterns/{pattern}\.md\).*\|$", README, re.MULTILINE)


def template_of(pattern: str) -> str:
    """The app that `durablehost new` creates for a pattern, as its page shows it."""
    app = ROOT / "durablehost" / "templates" / pattern / "function_app.py"
    return f"```python\n{app.read_text('utf-8')}```\n"


@pytest.mark.parametrize("pattern", patterns())
def test_a_page_about_a_pattern_begins_with_the_template(pattern):
    page = (ROOT / "docs" / "patterns" / f"{pattern}.md").read_text("utf-8")
    before, _, after = page.partition(template_of(pattern))

    assert before.splitlines()[-2:] == ["## The pattern", ""]
    assert after.startswith(f"\n`python -m durablehost new my-app --pattern {pattern}` creates")


@pytest.mark.parametrize("pattern", patterns())
def test_a_page_about_a_pattern_says_what_production_adds_to_the_template(pattern):
    page = (ROOT / "docs" / "patterns" / f"{pattern}.md").read_text("utf-8")
    before, _, section = page.partition("\n## What production adds\n")
    rows = [row for row in section.partition("\n## ")[0].splitlines() if row.startswith("|")][2:]

    assert re.findall("^## .*", before, re.MULTILINE) == ["## The pattern"]
    assert rows
    assert [row for row in rows if not LINE_LINK.search(row)] == []


def test_a_page_about_a_pattern_is_one_page_without_its_template():
    lengths = {}
    for page in (ROOT / "docs" / "patterns").glob("*.md"):
        text = page.read_text("utf-8")
        if page.stem in patterns():
            text = text.replace(template_of(page.stem), "")
        lengths[page.name] = len(text.splitlines())

    assert {name: length for name, length in lengths.items() if length > 100} == {}


def scenarios_of_the_platform_page() -> list[str]:
    text = without_code((ROOT / "docs" / "platform.md").read_text("utf-8"))
    named = re.findall(r"\[([a-z][a-z0-9_.*,… ]*)\](?!\()", text)
    return sorted({name for group in named for name in re.split(r"[,…]", group.replace(" ", ""))})


@cache
def recorded_scenarios() -> list[str]:
    recordings = (ROOT / "tests" / "conformance").glob("*/recorded.json")
    return [name for recording in recordings for name in json.loads(recording.read_text("utf-8"))]


@pytest.mark.parametrize("name", scenarios_of_the_platform_page())
def test_the_platform_page_names_scenarios_that_were_recorded(name):
    assert [scenario for scenario in recorded_scenarios() if fnmatch(scenario, name)]


CASES = ROOT / "docs" / "case-studies"


@pytest.mark.parametrize("page", sorted(CASES.glob("*.md")), ids=lambda page: page.stem)
def test_a_case_study_is_one_page_and_names_the_tests_that_run_it(page):
    text = page.read_text("utf-8")
    tests = (ROOT / "tests" / "case_studies" / f"test_{page.stem}.py").read_text("utf-8")
    named = re.findall(r"^- (test_\w+)$", text, re.MULTILINE)

    assert len(text.splitlines()) <= 80
    assert named == re.findall(r"^(?:async )?def (test_\w+)\(", tests, re.MULTILINE)


def test_the_case_studies_are_where_people_choose_a_pattern():
    chooser = (ROOT / "docs" / "patterns" / "index.md").read_text("utf-8")

    assert set(re.findall(r"\(\.\./case-studies/(\w+)\.md\)", chooser)) == {
        page.stem for page in CASES.glob("*.md")
    }


@pytest.mark.parametrize("pattern", patterns())
def test_a_pattern_is_among_those_to_choose_from(pattern):
    chooser = (ROOT / "docs" / "patterns" / "index.md").read_text("utf-8")

    assert f"({pattern}.md)" in chooser


@pytest.mark.parametrize("name", sorted(SERVING))
def test_each_page_that_serves_all_patterns_has_a_row_in_the_index(name):
    chooser = (ROOT / "docs" / "patterns" / "index.md").read_text("utf-8")

    assert re.search(rf"^\| .* \| \[{name}\]\([^)]+\) \|$", chooser, re.MULTILINE)
    assert re.search(rf"^.*\[{name}\]\([^)]+\)", README, re.MULTILINE)


def test_every_difference_from_azure_says_how_one_learns_of_it():
    page = (ROOT / "docs" / "durablehost.md").read_text("utf-8")
    section = page.split("## What it leaves out", 1)[1].split("\n## ", 1)[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line[:2] == "| "]

    assert len(rows) > 25
    assert [row for row in rows if len(row) != 3] == []
    assert [
        row for row in rows if row[2] == "none" and not re.search("as (on|under)", row[1])
    ] == []


def lines_with(pattern: str) -> list[str]:
    """The lines of all tracked files but the change log that hold this."""
    return [
        f"{name_of(path)}:{number}"
        for path in tracked_files()
        if path.name != "CHANGELOG.md"
        for number, line in enumerate(path.read_bytes().decode("utf-8", "replace").splitlines(), 1)
        if re.search(pattern, line, re.IGNORECASE)
    ]


def test_durablehost_is_installed_from_a_path_because_the_package_index_does_not_have_it():
    assert lines_with(r"pip3? install (-\S+ )*[\"'`]?durablehost(\[\w+\])?(?![\w./-])") == []


def test_no_file_has_the_name_that_durablehost_had_before():
    assert lines_with("dev" + "host") == []
