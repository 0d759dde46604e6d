"""The JSON bodies that the app returns. A field with a default can be absent."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from blueprints.human_approval import ApprovalBody
from http_api.instances import State


class Answer(BaseModel):
    """An object without other fields."""

    model_config = ConfigDict(extra="forbid", json_schema_serialization_defaults_required=False)


class Traced(Answer):
    """An answer that says its trace: `operation_Id` in Application Insights."""

    traceId: str | SkipJsonSchema[None] = Field(None, description="Absent without telemetry.")


class FailureAnswer(Answer):
    """Why an operation failed: a code for programs, and a sentence for people."""

    code: str
    message: str


class FieldErrorAnswer(Answer):
    """What is wrong with one field of a request."""

    field: str
    message: str


class Problem(Traced):
    """An error, as RFC 9457 has it. Programs go by `code`."""

    type: Literal["about:blank"]
    title: str
    status: int
    detail: str = Field(description="What is wrong, naming the value, then what to do.")
    code: str
    errors: list[FieldErrorAnswer] | SkipJsonSchema[None] = None
    parent: str | SkipJsonSchema[None] = Field(None, description="URL of the parent operation.")


class Links(Traced):
    """An operation and its URLs, by the names that clients of Durable Functions know."""

    id: str
    statusQueryGetUri: str
    sendEventPostUri: str = Field(description="Replace `{eventName}`.")
    terminatePostUri: str = Field(description="Replace `{text}` by the reason.")
    purgeHistoryDeleteUri: str
    restartPostUri: str
    suspendPostUri: str = Field(description="Replace `{text}` by the reason.")
    resumePostUri: str = Field(description="Replace `{text}` by the reason.")


class Started(Links):
    """The operation that this request started, or that an earlier one did."""

    runtimeStatus: State
    failure: FailureAnswer | SkipJsonSchema[None] = None


class Cancelled(Links):
    """Whether the operation is asked to end or was terminated, and what that leaves undone."""

    cancel: Literal["requested", "terminated"]
    warning: str | None = None


class ReportState(Links):
    """How far a report is; when it is completed, its totals and where the file is."""

    runtimeStatus: State
    state: str
    step: str | None
    percent: int = Field(ge=0, le=100)
    lines: int | SkipJsonSchema[None] = None
    totals: dict[str, int] | SkipJsonSchema[None] = None
    resultUri: str | SkipJsonSchema[None] = None
    failure: FailureAnswer | SkipJsonSchema[None] = None


class Operation(Traced):
    """The status of an operation, in the form of Durable Functions."""

    name: str
    instanceId: str
    parentInstanceId: str | SkipJsonSchema[None] = None
    runtimeStatus: State
    input: Any
    customStatus: Any
    output: Any
    createdTime: str | None
    lastUpdatedTime: str | None


class OperationPage(Answer):
    """A page of operations. `next` is the `after` of the next page; it is null on the last one."""

    operations: list[Operation]
    next: str | None


class ChildrenPage(Answer):
    """A page of the children of an operation, as `OperationPage`."""

    children: list[Operation]
    next: str | None


class CounterState(Answer):
    """A counter as it was saved last."""

    key: str
    value: int


class CounterChange(Traced):
    """The change of a counter was accepted."""

    key: str
    statusQueryGetUri: str


class EventAccepted(Traced):
    """The event of a vendor was accepted."""

    event: str
    vendor: str
    statusQueryGetUri: str


class VendorTotal(Answer):
    """What the events of a vendor add up to."""

    vendor: str
    events: int
    amount_cents: int
    repeats: int


class Breaker(Answer):
    """The circuit breaker of a partner."""

    key: str
    state: str
    failures: int
    round: int
    until: str | None


class RetiringVersion(Answer):
    """An orchestrator whose old code can be deleted once `left` is 0."""

    name: str
    before: str | None
    left: int
    instances: list[str]


class RetiringVersions(Answer):
    """Whether no instance of old code is left."""

    drained: bool
    retiring: list[RetiringVersion]


class ApprovalRequest(Answer):
    """What the holder of a link is asked to decide on."""

    role: str
    until: str
    payment: ApprovalBody


class FieldsRead(Answer):
    """The fields of a document, as far as they could be read."""

    kind: str
    vendor: str
    number: str
    order: str
    amount_cents: int
    currency: str


class Doubt(Answer):
    """Why a person must look: the field or check, a code, and a sentence."""

    about: str
    code: str
    message: str


class DocumentReview(Answer):
    """What was read of a document, and what is doubtful."""

    round: int
    expires: str
    fields: FieldsRead
    doubts: list[Doubt]
