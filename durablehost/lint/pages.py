"""The page of each rule, made from the rule itself; `python -m durablehost.lint.pages DIR` "
"writes all."""

import sys
from pathlib import Path

from durablehost.lint.rule import Example, Rule
from durablehost.lint.rules import all_rules

BEFORE = "import azure.durable_functions as df\n\napp = df.DFApp()\n\n\n"


def page_of(rule: Rule) -> str:
    """The page of a rule in Markdown."""
    parts = [f"# {rule.code} {rule.name}", rule.sentence, rule.why]
    parts += ["## Reported", *(_shown(each, is_invalid=True) for each in rule.invalid)]
    parts += ["## Not reported", *(_shown(each, is_invalid=False) for each in rule.valid)]
    parts.append("[All rules](index.md)")
    return "\n\n".join(parts) + "\n"


def table_of(rules: tuple[Rule, ...]) -> str:
    """One line for each rule, with a link to its page."""
    rows = [
        f"| [{rule.code}]({rule.name}.md) | {rule.name} | {rule.sentence.rstrip('.')} | "
        f"{'yes' if any(each.fixed for each in rule.invalid) else ''} |"
        for rule in rules
    ]
    return "\n".join(["| code | name | what it reports | fix |", "|---|---|---|---|", *rows])


def write_pages(folder: Path) -> None:
    """Write the pages of all rules, and the table in index.md between its two marks."""
    for rule in all_rules():
        (folder / f"{rule.name}.md").write_text(page_of(rule), "utf-8")
    index = folder / "index.md"
    before, begin, rest = index.read_text("utf-8").partition("<!-- rules -->\n")
    _, end, after = rest.partition("<!-- end of the rules -->")
    text = f"{before}{begin}{table_of(all_rules())}\n{end}{after}"
    index.write_text(text, "utf-8")


def _shown(example: Example, *, is_invalid: bool) -> str:
    code = example.code.replace("# here", "# reported") if is_invalid else example.code
    shown = f"```python\n{code}```"
    if example.fixed:
        fixed = example.fixed.replace("  # here", "")
        shown += f"\n\n`--fix` makes of it:\n\n```python\n{fixed}```"
    return shown


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]))
