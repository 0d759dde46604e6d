"""All limits of the app, each with its reason.

docs/limits.md shows this table. tests/test_limits.py sends a request just over each limit.
"""

from dataclasses import dataclass
from typing import Final

_SETTING: Final = "this value is used"


@dataclass(frozen=True)
class Limit:
    """How much of something is allowed, why, and what happens to more (`over`)."""

    most: int
    of: str
    why: str
    over: str = "422"


# Requests

BODY_BYTES: Final = Limit(
    64 * 1024,
    "bytes of a JSON body",
    "the body becomes the input of an instance, which the hub stores in a message",
    "413",
)
ID_PART_CHARS: Final = Limit(
    64,
    "characters of a name that becomes part of an instance id, such as a vendor or a number",
    "an id contains the beginning and a hash of a name of more than 36 characters",
)
CENTS: Final = Limit(
    10**12,
    "cents of an amount",
    "JSON readers that use doubles still add thousands of such amounts exactly",
)
COUNT: Final = Limit(
    10**12,
    "the value of a counter, and what is added to it",
    "same reason; a full counter returns 409",
)
YEAR: Final = Limit(2100, "the year of a report", "a later year is a typing error")
REASON_CHARS: Final = Limit(
    500, "characters of the reason to cancel, suspend or resume", "every status contains it"
)
PURPOSE_CHARS: Final = Limit(
    500, "characters of the purpose of a payment", "every mail contains it"
)
COMMENT_CHARS: Final = Limit(
    2000,
    "characters of a comment on a decision",
    "the output contains the comments of all decisions",
)
ADDRESS_CHARS: Final = Limit(200, "characters of a mail address", "real addresses are shorter")
TOKEN_CHARS: Final = Limit(
    300, "characters of a decision token", "the app's own tokens have half as many"
)
PREFIX_CHARS: Final = Limit(
    500, "characters of a prefix of file names", "file names have at most as many"
)
FILE_NAME_CHARS: Final = Limit(
    500,
    "characters of a file name",
    "a blob name has at most 1,024, and the app puts its own prefix before it",
)
ID_CHARS: Final = Limit(
    100,
    "characters of an instance id, and of a prefix of ids in a list",
    "the Durable Task Scheduler accepts no longer ids (Azure Storage: 256)",
)
PAGE: Final = Limit(
    100, "operations on a page of a list", "the host reads each of them from a table"
)
PAGE_TOKEN_CHARS: Final = Limit(
    2000,
    "characters of the token for the next page",
    "it is sent in a header, and all headers together have 8 KB",
)
WAIT_SECONDS: Final = Limit(
    60,
    "seconds that a request waits for a report",
    "gateways close connections that are idle for minutes",
)
WATCH_HOURS: Final = Limit(
    720, "hours that a transfer is watched", "after thirty days a person must look at it"
)
SWEEP_MINUTES: Final = Limit(
    1440, "minutes between two sweeps", "a stuck payment should be noticed within a day"
)
TAX_MINUTES: Final = Limit(
    1440, "minutes to wait for the tax office", "its answer is evidence for one day"
)
CURRENCIES: Final = Limit(
    20,
    "currencies in a request for rates",
    "all are requested in parallel, from a partner that fails",
)
TOLERANCE_CENTS: Final = Limit(
    10_000,
    "cents by which books and bank may differ",
    "more than 100 euros is not a rounding difference",
)
RANKED: Final = Limit(100, "vendors in a ranking", "each page of vendors returns as many")
SCAN_BYTES: Final = Limit(
    10 * 2**20, "bytes of a scan", "two copies are in memory while it is checked", "413"
)
INFLATED_BYTES: Final = Limit(
    256 * 2**20,
    "bytes of all decompressed streams of a scan",
    "ten uncompressed pages in colour; a larger file could exhaust the memory of its readers",
)

# Settings

FILES_AT_ONCE: Final = Limit(
    100,
    "files of a batch that are read at once (`BATCH_AT_ONCE`)",
    "other work uses the document reader too",
    _SETTING,
)
LANES: Final = Limit(
    50,
    "lanes of a month-end close (`MONTH_END_LANES`)",
    "each lane asks the books and the bank at the same time",
    _SETTING,
)
PATIENCE_HOURS: Final = Limit(
    24 * 365,
    "hours for a decision (`APPROVAL_…_HOURS`, `REVIEW_HOURS`)",
    "the decision links are valid as long",
    _SETTING,
)
PERCENT: Final = Limit(
    100,
    "per cent of certainty (`REVIEW_SURE_PERCENT`)",
    "there is no more than 100 per cent",
    _SETTING,
)
KEPT_DAYS: Final = Limit(
    3650,
    "days that ended instances are kept (`RETENTION_DAYS`)",
    "books must be kept for ten years",
    _SETTING,
)

# Work

BATCH_FILES: Final = Limit(
    10_000,
    "files of a batch",
    "one activity lists all names and one summarizes all results",
    "fails with `too_many_files`",
)
FILE_BYTES: Final = Limit(
    10 * 2**20,
    "bytes of a file of a batch",
    "twenty files are in memory at once",
    "the summary names it, with `blob_too_large`",
)
MONTH_VENDORS: Final = Limit(
    5000,
    "vendors of a month-end close",
    "each vendor has a child instance",
    "fails with `too_many_vendors`",
)
REPORT_BYTES: Final = Limit(
    32 * 2**20, "bytes of a report", "it is joined in memory", "fails with `report_too_large`"
)
TAX_PAUSE_SECONDS: Final = Limit(
    600,
    "seconds to wait because the tax office asks for it",
    "its `Retry-After` can be nonsense",
    "this value is used",
)
TAX_TICKETS: Final = Limit(
    3,
    "tickets in a row that the tax office refuses",
    "one can be refused because an answer was lost; three mean that something is wrong",
    "fails with the code of the tax office",
)
REVIEW_ROUNDS: Final = Limit(
    5,
    "rounds of reviewing a document",
    "a document that is corrected more often needs another kind of help",
    "the document is rejected",
)
DIRECTORY_PAGE: Final = Limit(
    2000, "vendors on one of the 16 pages of the directory", "it is read for each new vendor", "409"
)
REMEMBERED_EVENTS: Final = Limit(
    1000,
    "event ids that a shard of a total remembers",
    "each event reads and writes the whole state, about 25 KB",
    "an event that is repeated after that many others counts again",
)
STUCK_NAMED: Final = Limit(
    100,
    "stuck payments that a sweep names",
    "`continue_as_new` passes them on",
    "named by a later sweep",
)
FAILURES_NAMED: Final = Limit(
    100, "failures that an output names", "every status request returns all of them", "only counted"
)
LANE_FAILURES_NAMED: Final = Limit(
    20,
    "failures that a lane names",
    "the history of the close contains the failures of all lanes",
    "only counted",
)
MAIL_CHARS: Final = Limit(
    9000,
    "characters of a mail about a month-end close",
    "the mail server accepts 10,000",
    "cut off",
)
FIELD_CHARS: Final = Limit(
    64,
    "characters of a field that was read from a document",
    "the custom status has at most 16 KB",
    "cut off",
)
ANSWER_BYTES: Final = Limit(
    8 * 2**20,
    "bytes of an answer of another system",
    "it is read into memory",
    "fails with `answer_too_large`",
)
MESSAGE_CHARS: Final = Limit(
    300,
    "characters of an error message of another system",
    "outputs and logs contain it",
    "cut off",
)
INSTANCES_NAMED: Final = Limit(
    10,
    "instances of an old version that are named",
    "people look at them one by one",
    "only counted",
)
ERRORS_NAMED: Final = Limit(
    20, "errors that an answer names", "a caller corrects the first ones first", "only counted"
)
