"""Files that arrive as blobs. Their senders get no answer: a bad file goes into quarantine."""

import asyncio
import hashlib
import logging

import azure.functions as func

from activities.documents import quarantine
from activities.pdf_files import MAX_PDF_BYTES, require_name, require_pdf, require_size
from orchestration.failures import Failure

log = logging.getLogger(__name__)


async def content_of(blob: func.InputStream) -> bytes | None:
    """Return the content of a blob, or None after putting it into quarantine.

    Reads no more than the size limit.
    """
    name, length = blob.name or "", blob.length or 0
    content = blob.read(MAX_PDF_BYTES + 1) if length <= MAX_PDF_BYTES else b""
    length = max(length, len(content))
    try:
        require_name(name)
        require_size(length)
        await asyncio.to_thread(require_pdf, content)
    except Failure as failure:
        folder = _folder_of(blob)
        log.warning("%s: the blob %r is put into quarantine: %s", folder, name, failure)
        reason = {**failure.as_data(), "blob": name, "bytes": length}
        stored = content if length <= MAX_PDF_BYTES else None
        await quarantine(folder, reason, stored)
        return None
    return content


def _folder_of(blob: func.InputStream) -> str:
    """Return a folder without any part of the sender's name, the same at a second attempt."""
    etag = (getattr(blob, "blob_properties", None) or {}).get("ETag", "")
    digest = hashlib.sha256(f"{blob.name}\n{etag}".encode()).hexdigest()
    return f"arrival-{digest[:32]}"
