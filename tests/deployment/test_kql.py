"""The queries in the docs are KQL that Application Insights can run."""

import shutil
from pathlib import Path

import pytest

from deployment import kql

BAD = {
    "syntax": "traces | where",
    "keyword": "traces | extend kind = message",
    "column": "traces | project nothing",
    "table": "nothing | take 1",
}


@pytest.fixture
def bad(tmp_path: Path) -> list[Path]:
    if not shutil.which("node") or not kql.PARSER.exists():
        pytest.skip("the parser of KQL is missing: `python dev.py check` installs it, with Node")
    for name, text in BAD.items():
        (tmp_path / f"{name}.kql").write_text(text)
    return sorted(tmp_path.glob("*.kql"))


def test_errors_are_found_in_bad_queries_and_not_in_those_of_the_docs(bad: list[Path]) -> None:
    found = kql.complaints([*bad, *kql.QUERIES.glob("*.kql")])

    assert {line.partition(".kql:")[0] for line in found} == BAD.keys()


def test_without_node_nothing_is_checked_and_the_check_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")

    assert kql.main() == 0

    assert capsys.readouterr().out == "docs/queries is not checked: Node is not installed\n"
