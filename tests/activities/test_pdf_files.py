"""A file that could burst its reader is found out by work that its size bounds."""

import zlib

import pytest

from activities import pdf_files
from activities.pdf_files import require_name, require_pdf, require_size
from orchestration.failures import Failure

HEAD = b"%PDF-1.7\n"
LIMIT = 100_000


@pytest.fixture(autouse=True)
def _limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf_files, "MAX_INFLATED_BYTES", LIMIT)


def stream(content: bytes, end: bytes = b"\nendstream\n", level: int = 9) -> bytes:
    return b"1 0 obj\nstream\r\n" + zlib.compress(content, level) + end


def code_of(content: bytes) -> str:
    """The code that a file is refused with; empty where it is taken."""
    try:
        require_pdf(content)
    except Failure as failure:
        return failure.code
    return ""


@pytest.mark.parametrize(
    "content",
    [
        HEAD,
        HEAD + stream(bytes(LIMIT)),
        HEAD + stream(bytes(LIMIT // 2)) * 2,
        HEAD + stream(bytes(1000)) * 90,
        HEAD + b"stream\n\xff\xd8\xff\xe0 a JPEG \nendstream\n" * 1000,
        HEAD + b"<</Filter [/ASCII85Decode /FlateDecode]>>",
        HEAD + b"<</Filter [/FlateDecode /DCTDecode]>>",
        HEAD + b"stream\n" + zlib.compress(b"half of it")[:9],
        HEAD + b"stream\n",
        HEAD + b"stream\nx",
    ],
)
def test_a_pdf_within_bounds_is_taken(content: bytes) -> None:
    assert code_of(content) == ""


@pytest.mark.parametrize(
    "content",
    [
        HEAD + stream(bytes(LIMIT + 1)),
        HEAD + stream(bytes(LIMIT // 2)) * 3,
        HEAD + stream(b"", end=b"") + stream(bytes(LIMIT + 1)),
        HEAD + stream(bytes(LIMIT + 1), end=b""),
        HEAD + stream(bytes(3 * LIMIT))[:-30],
        HEAD + b"<</Filter [/FlateDecode /FlateDecode]>>",
        HEAD + b"<</Filter\n[ /Fl\n/ASCII85Decode /FlateDecode ]>>",
    ],
)
def test_a_pdf_that_grows_beyond_the_limit_is_refused(content: bytes) -> None:
    assert code_of(content) == "inflates_too_much"


def test_the_word_endstream_within_a_stream_hides_nothing() -> None:
    stored = zlib.compress(b"\nendstream\n" * 10_000, 0)

    assert code_of(HEAD + b"stream\n" + stored) == "inflates_too_much"


def test_a_stream_behind_a_broken_one_is_looked_at() -> None:
    broken = b"stream\n\x78\x9c broken from its third byte on \nendstream\n"

    assert code_of(HEAD + broken + stream(bytes(LIMIT))) == ""
    assert code_of(HEAD + broken + stream(bytes(LIMIT + 1))) == "inflates_too_much"


def test_streams_that_cost_much_and_give_nothing_are_not_all_looked_at() -> None:
    broken = b"stream\n\x78\x9c\xff"

    assert code_of(HEAD + broken * 100) == ""
    assert code_of(HEAD + broken * 101) == "inflates_too_much"


def test_a_stream_that_breaks_late_counts_with_what_came_out_of_it() -> None:
    late = zlib.compress(bytes(range(256)) * 390, 0)[:-4] + b"nope"

    assert code_of(HEAD + b"stream\n" + late) == ""
    assert code_of(HEAD + (b"stream\n" + late) * 2) == "inflates_too_much"


@pytest.mark.parametrize("content", [b"", b"%PDF", b" %PDF-1.7", b"%pdf-1.7", b"PK\x03\x04"])
def test_a_file_without_a_pdf_header_is_not_a_pdf(content: bytes) -> None:
    assert code_of(content) == "not_a_pdf"


def test_the_largest_file_is_taken_and_one_byte_more_is_not() -> None:
    require_size(10 * 2**20)

    with pytest.raises(Failure, match="10485761 bytes"):
        require_size(10 * 2**20 + 1)


@pytest.mark.parametrize("name", ["a.pdf", "2026/ü 1.pdf", "..a/b..", "...", "x" * 500])
def test_a_name_that_stays_in_its_folder_is_taken(name: str) -> None:
    assert require_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "..", "a/..", "../a", "/a", "a/", "./a", "a\\b", "a\x00b", "x" * 501]
)
def test_a_name_that_leaves_its_folder_is_refused(name: str) -> None:
    with pytest.raises(Failure, match="could leave its folder") as caught:
        require_name(name)

    assert caught.value.code == "name_unsafe"
