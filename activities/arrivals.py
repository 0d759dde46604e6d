"""Files that arrive as blobs, whose senders nobody can answer: what is refused is put aside."""

import asyncio
import hashlib
import logging

import azure.functions as func

from activities.documents import quarantine
from activities.pdf_files import MAX_PDF_BYTES, require_name, require_pdf, require_size
from orchestration.failures import Failure

log = logging.getLogger(__name__)


async def sound_content(blob: func.InputStream) -> bytes | None:
    """Return what is in a blob; None once it is in quarantine. No more is read than is taken."""
    name, length = blob.name or "", blob.length or 0
    content = blob.read(MAX_PDF_BYTES + 1) if length <= MAX_PDF_BYTES else b""
    length = max(length, len(content))
    try:
        require_name(name)
        require_size(length)
        await asyncio.to_thread(require_pdf, content)
    except Failure as failure:
        log.warning("the blob %r is put into quarantine: %s", name, failure)
        reason = {**failure.as_data(), "blob": name, "bytes": length}
        kept = content if length <= MAX_PDF_BYTES else None
        await quarantine(_folder_of(blob), reason, kept)
        return None
    return content


def _folder_of(blob: func.InputStream) -> str:
    """Where to put it: nothing of a stranger's name in it, and the same at a second attempt."""
    etag = (getattr(blob, "blob_properties", None) or {}).get("ETag", "")
    digest = hashlib.sha256(f"{blob.name}\n{etag}".encode()).hexdigest()
    return f"arrival-{digest[:32]}"
