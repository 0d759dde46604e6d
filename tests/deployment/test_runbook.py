"""docs/deploying.md says of each claim how it is known, and names the parameters that there are."""

import json
import re

import pytest

from tests.source import ROOT

PAGE = (ROOT / "docs" / "deploying.md").read_text("utf-8")
SECTIONS = re.findall(r"^## (.*)$", PAGE, re.MULTILINE)


def test_the_runbook_goes_from_deploying_to_cleaning_up() -> None:
    steps = ["Deploy with azd", "Smoke test", "Watch", "A new version while instances run"]
    steps += ["Roll back", "Scale", "Cost", "Clean up"]

    assert [section for section in SECTIONS if section in steps] == steps


@pytest.mark.parametrize("page", ["deploying.md", "from-v1.md"])
def test_what_is_documented_names_the_page(page: str) -> None:
    _, *claims = re.split(r"\*untried\*", (ROOT / "docs" / page).read_text("utf-8"), maxsplit=1)
    text = "".join(claims)

    assert re.findall(r"\*documented\*", text) == []
    assert re.findall(r"\[documented\]\((?!https://learn\.microsoft\.com/azure/)", text) == []
    assert "measured*" in text


def test_the_parameters_of_azd_are_those_in_the_page_and_those_of_bicep() -> None:
    file = json.loads((ROOT / "infra" / "main.parameters.json").read_text("utf-8"))
    bicep = (ROOT / "infra" / "main.bicep").read_text("utf-8")
    set_by_azd = {"AZURE_ENV_NAME", "AZURE_LOCATION", "AZURE_PRINCIPAL_ID", "AZURE_PRINCIPAL_TYPE"}
    variables = dict(re.findall(r"\$\{(\w+)=?([^}]*)\}", json.dumps(file["parameters"])))
    rows = dict(
        re.findall(r"^\| `([A-Z_]+)` \| (\S+) \|", PAGE.split("## To Azure")[0], re.MULTILINE)
    )

    assert rows == {
        name: usual or "none" for name, usual in variables.items() if name not in set_by_azd
    }
    assert file["parameters"].keys() <= set(re.findall(r"^param (\w+) ", bicep, re.MULTILINE))
