"""Files from strangers: check that a file is a PDF, with bounded time and memory."""

import re
import zlib
from typing import Final

from activities import limits
from orchestration.failures import Failure

MAX_PDF_BYTES: Final = limits.SCAN_BYTES.most
MAX_INFLATED_BYTES: Final = limits.INFLATED_BYTES.most

_MAGIC: Final = b"%PDF-"
_LONGEST_NAME: Final = limits.FILE_NAME_CHARS.most
_STREAM: Final = re.compile(rb"stream\r?\n")
_FILTERS: Final = re.compile(rb"/Filter\s*\[([^\]]{0,300})\]")
_INFLATING: Final = re.compile(rb"/Fl(?:ateDecode)?\b")
_READ_BYTES: Final = 2**16
_GROWN_BYTES: Final = 2**20
_MOST_BROKEN: Final = 100  # each may cost as much as is read at once


def require_name(name: str) -> str:
    """Return a name that stays in its folder. Raises Failure `name_unsafe`."""
    parts = name.split("/")
    if not 0 < len(name) <= _LONGEST_NAME or not name.isprintable() or "\\" in name:
        wrong = f"it must have 1 to {_LONGEST_NAME} printable characters, none of them '\\'"
    elif ".." in parts or "." in parts or "" in parts:
        wrong = "no part of it may be empty, '.' or '..'"
    else:
        return name
    raise Failure("name_unsafe", f"the name {name[:100]!r} could leave its folder: {wrong}")


def require_size(count: int) -> None:
    """Raises Failure `document_too_large`. Call it before reading anything."""
    if count > MAX_PDF_BYTES:
        message = f"the file has {count} bytes: at most {MAX_PDF_BYTES} are accepted"
        raise Failure("document_too_large", message)


def require_pdf(content: bytes) -> None:
    """Raises Failure `not_a_pdf`, or `inflates_too_much` for a decompression bomb."""
    require_size(len(content))
    if not content.startswith(_MAGIC):
        raise Failure("not_a_pdf", "the file does not begin with %PDF-: send a PDF")
    for filters in _FILTERS.finditer(content):
        if len(_INFLATING.findall(filters[1])) > 1:
            raise _bomb("has a stream that is compressed twice")
    _require_little_inflated(content)


def _require_little_inflated(content: bytes) -> None:
    """Inflate each stream from its beginning, whatever length it states; store nothing."""
    inflated, broken, at = 0, 0, 0
    while found := _STREAM.search(content, at):
        at = found.end()
        if not _looks_deflated(content[at : at + 2]):
            continue
        try:
            grown, at = _inflate(content, at, MAX_INFLATED_BYTES - inflated)
        except zlib.error:
            grown, broken = 0, broken + 1
        inflated += grown
        if inflated > MAX_INFLATED_BYTES:
            raise _bomb(f"inflates to over {MAX_INFLATED_BYTES} bytes")
        if broken > _MOST_BROKEN:
            raise _bomb(f"has over {_MOST_BROKEN} streams that are broken")


def _looks_deflated(header: bytes) -> bool:
    """Whether these two bytes can begin a zlib stream (RFC 1950)."""
    return len(header) == 2 and header[0] & 0x0F == 8 and int.from_bytes(header, "big") % 31 == 0


def _inflate(content: bytes, start: int, most: int) -> tuple[int, int]:
    """Return the inflated size, counted up to `most`, and the end of the stream."""
    inflating, grown, at = zlib.decompressobj(), 0, start
    while at < len(content) and not inflating.eof and grown <= most:
        part = content[at : at + _READ_BYTES]
        try:
            grown += len(inflating.decompress(part, _GROWN_BYTES))
        except zlib.error:
            if at == start:
                raise
            return grown, at
        at += len(part) - len(inflating.unconsumed_tail) - len(inflating.unused_data)
    return grown, at


def _bomb(what: str) -> Failure:
    return Failure("inflates_too_much", f"the file {what}: print it to a new PDF")
