"""A blob's properties with the names and numbers of the .NET SDK, which the host passes on."""

import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from durablehost.triggers.dotnet import NO_TIME, time_text

if TYPE_CHECKING:
    from azure.storage.blob import BlobProperties

# The values in answers of the storage, in the order of .NET's numbers.
_BLOB_TYPES = ("BlockBlob", "PageBlob", "AppendBlob")
_COPY_STATES = ("pending", "success", "aborted", "failed")
_LEASE_STATES = ("available", "leased", "expired", "breaking", "broken")
_LEASE_STATUSES = ("locked", "unlocked")
_LEASE_DURATIONS = ("infinite", "fixed")


def properties_of(blob: "BlobProperties") -> dict[str, Any]:
    """A blob's properties with .NET names, and .NET's values for missing properties."""
    return {
        **_general(blob),
        **_copy(blob),
        **_content(blob),
        **_protection(blob),
        **_tier_and_version(blob),
    }


def _general(blob: "BlobProperties") -> dict[str, Any]:
    return {
        "LastModified": time_text(blob.last_modified),
        "CreatedOn": time_text(blob.creation_time),
        "LastAccessed": time_text(blob.last_accessed_on),
        "ExpiresOn": NO_TIME,
        "Metadata": blob.metadata or {},
        "TagCount": blob.tag_count or 0,
        "BlobType": _number(blob.blob_type, _BLOB_TYPES),
        "ETag": {},  # .NET writes an ETag as an empty object
        "BlobSequenceNumber": blob.page_blob_sequence_number or 0,
        "BlobCommittedBlockCount": blob.append_blob_committed_block_count or 0,
        "IsSealed": bool(blob.is_append_blob_sealed),
        "LeaseDuration": _number(blob.lease.duration, _LEASE_DURATIONS),
        "LeaseState": _number(blob.lease.state, _LEASE_STATES),
        "LeaseStatus": _number(blob.lease.status, _LEASE_STATUSES),
    }


def _copy(blob: "BlobProperties") -> dict[str, Any]:
    copy = blob.copy
    return {
        "CopyId": copy.id,
        "CopySource": copy.source,
        "CopyStatus": _number(copy.status, _COPY_STATES),
        "BlobCopyStatus": _number(copy.status, _COPY_STATES) if copy.status else None,
        "CopyProgress": copy.progress,
        "CopyCompletedOn": time_text(copy.completion_time),
        "CopyStatusDescription": copy.status_description,
        "IsIncrementalCopy": bool(copy.incremental_copy),
        "DestinationSnapshot": copy.destination_snapshot,
        "ObjectReplicationDestinationPolicyId": blob.object_replication_destination_policy,
        "ObjectReplicationSourceProperties": [],
    }


def _content(blob: "BlobProperties") -> dict[str, Any]:
    content = blob.content_settings
    return {
        "ContentLength": blob.size,
        "ContentType": content.content_type,
        "ContentHash": _base64(content.content_md5),
        "ContentEncoding": content.content_encoding,
        "ContentDisposition": content.content_disposition,
        "ContentLanguage": content.content_language,
        "CacheControl": content.cache_control,
        "AcceptRanges": "bytes",
    }


def _protection(blob: "BlobProperties") -> dict[str, Any]:
    policy = blob.immutability_policy
    return {
        "IsServerEncrypted": bool(blob.server_encrypted),
        "EncryptionKeySha256": blob.encryption_key_sha256,
        "EncryptionScope": blob.encryption_scope,
        "ImmutabilityPolicy": {
            "ExpiresOn": time_text(policy.expiry_time) if policy.expiry_time else None,
            "PolicyMode": policy.policy_mode,
        },
        "HasLegalHold": bool(blob.has_legal_hold),
    }


def _tier_and_version(blob: "BlobProperties") -> dict[str, Any]:
    return {
        "AccessTier": blob.blob_tier,
        "AccessTierInferred": bool(blob.blob_tier_inferred),
        "AccessTierChangedOn": time_text(blob.blob_tier_change_time),
        "ArchiveStatus": blob.archive_status,
        "RehydratePriority": blob.rehydrate_priority,
        "VersionId": blob.version_id,
        "IsLatestVersion": bool(blob.is_current_version),
    }


def _number(word: object, words: Sequence[str]) -> int:
    text = str(getattr(word, "value", word))
    return words.index(text) if text in words else 0


def _base64(content: bytes | bytearray | None) -> str | None:
    return base64.b64encode(content).decode() if content else None
