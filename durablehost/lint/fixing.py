"""Writes the corrections of findings into the files."""

from collections.abc import Sequence
from pathlib import Path

from durablehost.lint.findings import Edit, Finding
from durablehost.lint.source import decode, encoding_of


def fix_text(text: str, edits: Sequence[Edit]) -> str:
    """A text with all edits, from its end to its beginning."""
    body = text.encode()  # the columns of edits count bytes of UTF-8
    newline = "\r\n" if "\r\n" in text else "\n"
    begins = [0]
    for line in body.split(b"\n"):
        begins.append(begins[-1] + len(line) + 1)

    def offset(place: tuple[int, int]) -> int:
        return begins[place[0] - 1] + place[1]

    for edit in sorted(edits, key=lambda each: each.start, reverse=True):
        put = edit.text.replace("\n", newline).encode()
        body = body[: offset(edit.start)] + put + body[offset(edit.end) :]
    return body.decode()


def chosen_edits(findings: Sequence[Finding]) -> list[Edit]:
    """The edits of findings, without those that overlap the edits of an earlier one."""
    chosen: list[Edit] = []
    for finding in findings:
        if not any(_overlap(edit, other) for edit in finding.edits for other in chosen):
            chosen += finding.edits
    return chosen


def _overlap(one: Edit, other: Edit) -> bool:
    if one.path != other.path:
        return False
    return one == other or (one.start < other.end and other.start < one.end)


def fix_files(folder: Path, findings: Sequence[Finding]) -> int:
    """Correct the files of an app; the number of findings that had a fix."""
    edits = chosen_edits(findings)
    for path in {edit.path for edit in edits}:
        file = folder / path
        of_file = [edit for edit in edits if edit.path == path]
        data = file.read_bytes()
        file.write_bytes(fix_text(decode(data), of_file).encode(encoding_of(data)))
    return sum(bool(finding.edits) and finding.edits[0] in edits for finding in findings)
