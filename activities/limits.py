"""What is capped in the whole app, at what, and why: whatever caps something reads it from here.

docs/limits.md shows this table, and tests/test_limits.py sends one over each cap of a request.
"""

from dataclasses import dataclass
from typing import Final

_SETTING: Final = "taken as this much"


@dataclass(frozen=True)
class Limit:
    """How much of something there may be; `over` says what becomes of more."""

    most: int
    of: str
    why: str
    over: str = "422"


# Requests

BODY_BYTES: Final = Limit(
    64 * 1024,
    "bytes of a body of JSON",
    "it is the input of an instance, which the hub carries in its messages",
    "413",
)
ID_PART_CHARS: Final = Limit(
    64,
    "characters of a name that becomes part of an id, such as a vendor or a number",
    "of a longer name than 36 characters, an id has the beginning and a hash",
)
CENTS: Final = Limit(
    10**12,
    "cents of an amount",
    "sums of thousands of them are exact wherever JSON's numbers are doubles",
)
COUNT: Final = Limit(
    10**12, "of a counter, and of what is added to it", "as with amounts; 409 once it is full"
)
YEAR: Final = Limit(2100, "the year of a report", "what is later is a slip of the pen")
REASON_CHARS: Final = Limit(
    500, "characters of a reason to cancel, suspend or resume", "it is part of every status"
)
PURPOSE_CHARS: Final = Limit(500, "characters of a payment's purpose", "it is part of every mail")
COMMENT_CHARS: Final = Limit(
    2000, "characters of a comment on a decision", "with those of others it is part of the output"
)
ADDRESS_CHARS: Final = Limit(200, "characters of a mail address", "no mailbox has a longer one")
TOKEN_CHARS: Final = Limit(300, "characters of a decision token", "a token of ours is half as long")
PREFIX_CHARS: Final = Limit(500, "characters of a prefix of file names", "file names are no longer")
FILE_NAME_CHARS: Final = Limit(
    500, "characters of the name of a file", "the storage takes 1,024, and ours go before it"
)
ID_CHARS: Final = Limit(
    100,
    "characters of an id, and so of a prefix of ids in a list",
    "the Durable Task Scheduler takes no longer ids; Azure Storage takes 256",
)
PAGE: Final = Limit(100, "operations on a page of a list", "the host reads each one from a table")
PAGE_TOKEN_CHARS: Final = Limit(
    2000, "characters of what leads to the next page", "it goes into a header, of 8 KB with others"
)
WAIT_SECONDS: Final = Limit(
    60, "seconds to wait for a report", "gateways hang up on those who wait for minutes"
)
WATCH_HOURS: Final = Limit(
    720, "hours to watch a transfer", "after thirty days it is a case for a person"
)
SWEEP_MINUTES: Final = Limit(
    1440, "minutes between two sweeps", "no payment should be stuck unseen for longer"
)
TAX_MINUTES: Final = Limit(
    1440, "minutes to ask the tax office", "the answer is to be evidence for one day"
)
CURRENCIES: Final = Limit(
    20, "currencies in a request for rates", "each is asked for at once, of a partner that fails"
)
TOLERANCE_CENTS: Final = Limit(
    10_000, "cents by which books and bank may differ", "a hundred euros are no rounding"
)
RANKED: Final = Limit(100, "vendors in a ranking", "each page of vendors sends up as many")
SCAN_BYTES: Final = Limit(
    10 * 2**20, "bytes of a scan", "it is in memory, twice, while it is looked at", "413"
)
INFLATED_BYTES: Final = Limit(
    256 * 2**20,
    "bytes that the streams of a scan inflate to",
    "ten pages in colour that no JPEG made smaller; more would burst whoever reads it",
)

# Settings

FILES_AT_ONCE: Final = Limit(
    100, "files of a batch read at once (`BATCH_AT_ONCE`)", "the reader is shared", _SETTING
)
SHARDS: Final = Limit(
    64, "shards of a hot vendor (`HOT_SHARDS`)", "whoever reads a total asks each", _SETTING
)
LANES: Final = Limit(
    50,
    "lanes of a month-end close (`MONTH_END_LANES`)",
    "the custom status shows each, and has 16 KB",
    _SETTING,
)
PATIENCE_HOURS: Final = Limit(
    24 * 365,
    "hours that people have to decide (`APPROVAL_…_HOURS`, `REVIEW_HOURS`)",
    "their links are good for as long",
    _SETTING,
)
PERCENT: Final = Limit(
    100, "per cent of sureness (`REVIEW_SURE_PERCENT`)", "no reader is surer", _SETTING
)
KEPT_DAYS: Final = Limit(
    3650,
    "days that ended instances are kept (`RETENTION_DAYS`)",
    "books are kept for ten years",
    _SETTING,
)

# Work

BATCH_FILES: Final = Limit(
    10_000,
    "files of a batch",
    "their names are dealt out in one activity, and summed up in one",
    "fails with `too_many_files`",
)
FILE_BYTES: Final = Limit(
    10 * 2**20,
    "bytes of a file of a batch",
    "twenty are in memory at once",
    "named in the summary, with `blob_too_large`",
)
MONTH_VENDORS: Final = Limit(
    5000,
    "vendors of a month-end close",
    "each is a child instance of its own",
    "fails with `too_many_vendors`",
)
REPORT_BYTES: Final = Limit(
    32 * 2**20, "bytes of a report", "it is joined in memory", "fails with `report_too_large`"
)
TAX_PAUSE_SECONDS: Final = Limit(
    600,
    "seconds to leave the tax office alone",
    "its `Retry-After` may be nonsense",
    "taken as this much",
)
TAX_TICKETS: Final = Limit(
    3,
    "tickets in a row that the tax office refuses",
    "one is spent where its answer was lost; three are no accident",
    "fails with the office's code",
)
REVIEW_ROUNDS: Final = Limit(
    5,
    "rounds of reviewing a document",
    "whoever corrects it again and again has another one in mind",
    "rejected",
)
DIRECTORY_PAGE: Final = Limit(
    2000, "vendors on one of the 16 pages of the directory", "it is read for each new vendor", "409"
)
REMEMBERED_EVENTS: Final = Limit(
    1000,
    "events that a shard of a total remembers",
    "its state, of some 25 KB, is read and written with each event",
    "an event repeated after as many others counts anew",
)
OPEN_DAYS: Final = Limit(
    62, "days of a shard that are open", "as above", "the oldest is booked on the day after it"
)
CLOSED_DAYS: Final = Limit(
    62, "closed days that a shard remembers", "as above", "forgotten; they stay in the total"
)
CALENDAR_DAYS: Final = Limit(
    200, "closed days whose totals the calendar has", "as above", "forgotten, the oldest first"
)
STUCK_NAMED: Final = Limit(
    100, "stuck payments that a sweep names", "its state passes from beat to beat", "named later"
)
FAILURES_NAMED: Final = Limit(
    100, "failures that an output names", "whoever asks for a status gets all of it", "counted"
)
LANE_FAILURES_NAMED: Final = Limit(
    20, "failures that a lane names", "all lanes together are in one history", "counted"
)
MAIL_CHARS: Final = Limit(
    9000, "characters of a mail about a month-end close", "the mail server takes 10,000", "cut off"
)
FIELD_CHARS: Final = Limit(
    64, "characters of what was read in a document", "the custom status has 16 KB", "cut off"
)
ANSWER_BYTES: Final = Limit(
    8 * 2**20,
    "bytes of an answer of a party outside",
    "it is in memory while it is read",
    "fails with `answer_too_large`",
)
MESSAGE_CHARS: Final = Limit(
    300, "characters of a message of a party outside", "it goes into outputs and logs", "cut off"
)
INSTANCES_NAMED: Final = Limit(
    10, "instances of a leaving version that are named", "they are to be looked at", "counted"
)
ERRORS_NAMED: Final = Limit(
    20, "errors that an answer names", "who sent as many begins with the first", "counted"
)
