"""What each HTTP function takes and returns, by the name of the function."""

from dataclasses import dataclass, field
from typing import Final

from pydantic import BaseModel

from api_description import answers
from blueprints import (
    aggregator,
    aggregator_ranking,
    async_http,
    chaining,
    document_pipeline,
    document_pipeline_reviews,
    durable_http,
    entity_counter,
    entity_counter_numbers,
    eternal,
    fan_out,
    human_approval,
    human_approval_links,
    monitor,
    operations,
    operations_cancelling,
    resilience,
    saga,
    sub_orchestrations,
    versioning,
)
from http_api.listing import Paging

Content = type[BaseModel] | str | None  # a JSON body, the media type of another one, or no body
Codes = dict[int, tuple[str, ...]]


@dataclass(frozen=True)
class Described:
    """One function: its answers by status, what it reads, and its problem codes by status."""

    answers: dict[int, Content]
    body: type[BaseModel] | None = None
    body_is_any_json: bool = False
    body_types: tuple[str, ...] = ()  # media types that it takes besides JSON
    query: type[BaseModel] | None = None
    problems: Codes = field(default_factory=dict)


STARTED: Final[dict[int, Content]] = {200: answers.Started, 202: answers.Started}
ACCEPTED: Final[dict[int, Content]] = {202: answers.Links}
OTHER_WORK: Final[Codes] = {409: ("other_work",)}
UNKNOWN: Final[Codes] = {404: ("unknown_operation",)}
GOING: Final[Codes] = {**UNKNOWN, 409: ("is_a_child", "wrong_state"), 410: ("operation_ended",)}
NO_STORAGE: Final = ("not_configured", "storage_refused", "storage_unavailable")
OF_LINKS: Final[Codes] = {
    403: ("token_invalid", "token_superseded"),
    404: ("unknown_operation",),
    503: ("not_configured",),
}
OF_APPROVALS: Final[Codes] = {
    **OF_LINKS,
    409: ("already_decided", "approval_suspended", "wrong_state"),
    410: ("approval_ended", "operation_ended", "token_expired"),
}
OF_REVIEWS: Final[Codes] = {
    **OF_LINKS,
    409: ("already_decided", "document_suspended", "wrong_state"),
    410: ("operation_ended", "review_ended", "token_expired"),
}

ROUTES: Final = {
    "start_invoice_intake": Described(STARTED, chaining.InvoiceBody, problems=OTHER_WORK),
    "start_invoice_batch": Described(
        STARTED, fan_out.BatchBody, problems={**OTHER_WORK, 503: NO_STORAGE}
    ),
    "start_yearly_report": Described(
        {200: answers.ReportState, 202: answers.ReportState},
        async_http.ReportBody,
        query=async_http.WaitQuery,
        problems={**UNKNOWN, **OTHER_WORK, 503: NO_STORAGE},
    ),
    "show_report": Described(
        {200: answers.ReportState, 202: answers.ReportState},
        query=async_http.WaitQuery,
        problems=UNKNOWN,
    ),
    "download_report": Described(
        {200: "text/csv"},
        problems={
            404: ("no_result", "unknown_blob", "unknown_operation"),
            409: ("not_written_yet",),
            503: ("blob_too_large", *NO_STORAGE),
        },
    ),
    "start_payment_approval": Described(
        STARTED, human_approval.ApprovalBody, problems={**OTHER_WORK, 503: ("not_configured",)}
    ),
    "show_approval_request": Described(
        {200: answers.ApprovalRequest},
        query=human_approval_links.TokenQuery,
        problems=OF_APPROVALS,
    ),
    "send_approval_decision": Described(
        ACCEPTED,
        human_approval_links.DecisionBody,
        query=human_approval_links.TokenQuery,
        problems=OF_APPROVALS,
    ),
    "start_settlement_watch": Described(STARTED, monitor.SettlementBody, problems=OTHER_WORK),
    "show_counter": Described({200: answers.CounterState}, problems={404: ("unknown_counter",)}),
    "add_to_counter": Described(
        {202: answers.CounterChange},
        entity_counter.Addition,
        problems={404: ("unknown_counter",), 409: ("counter_full",)},
    ),
    "reset_counter": Described({202: answers.CounterChange}, problems={404: ("unknown_counter",)}),
    "delete_counter": Described({202: answers.CounterChange}, problems={404: ("unknown_counter",)}),
    "start_document_number": Described(
        STARTED,
        entity_counter_numbers.DocumentBody,
        problems={**OTHER_WORK, 404: ("unknown_series",)},
    ),
    "start_month_end_close": Described(
        STARTED, sub_orchestrations.CloseBody, problems={**OTHER_WORK, 503: ("not_configured",)}
    ),
    "retry_month_end_close": Described(
        ACCEPTED,
        problems={**UNKNOWN, 409: ("nothing_to_retry", "wrong_state"), 503: ("not_configured",)},
    ),
    "start_ledger_sweep": Described(STARTED, eternal.SweepBody, problems=OTHER_WORK),
    "start_invoice_payment": Described(
        STARTED,
        saga.PaymentBody,
        problems={409: ("approval_required", "other_work"), 503: ("not_configured",)},
    ),
    "record_vendor_event": Described(
        {202: answers.EventAccepted}, aggregator.VendorEvent, problems={409: ("directory_full",)}
    ),
    "show_vendor_total": Described({200: answers.VendorTotal}, problems={404: ("unknown_vendor",)}),
    "start_vendor_ranking": Described(STARTED, aggregator_ranking.RankingBody, problems=OTHER_WORK),
    "start_exchange_rates": Described(STARTED, resilience.RatesBody, problems=OTHER_WORK),
    "show_breaker": Described({200: answers.Breaker}, problems={404: ("unknown_breaker",)}),
    "start_document_intake": Described(
        STARTED,
        document_pipeline.BlobBody,
        body_types=("application/pdf",),
        problems={
            **OTHER_WORK,
            404: ("unknown_blob",),
            413: ("document_too_large",),
            415: ("unsupported_encoding", "unsupported_media_type"),
            422: ("blob_too_large", "inflates_too_much", "not_a_pdf"),
            503: NO_STORAGE,
        },
    ),
    "download_document": Described(
        {200: "application/pdf"},
        query=document_pipeline_reviews.TokenQuery,
        problems={**OF_REVIEWS, 503: ("blob_too_large", "unknown_blob", *NO_STORAGE)},
    ),
    "show_document_review": Described(
        {200: answers.DocumentReview},
        query=document_pipeline_reviews.TokenQuery,
        problems=OF_REVIEWS,
    ),
    "send_document_decision": Described(
        ACCEPTED,
        document_pipeline_reviews.DecisionBody,
        query=document_pipeline_reviews.TokenQuery,
        problems=OF_REVIEWS,
    ),
    "start_tax_check": Described(STARTED, durable_http.TaxCheckBody, problems=OTHER_WORK),
    "start_delivery_intake": Described(STARTED, versioning.DeliveryBody, problems=OTHER_WORK),
    "show_retiring_versions": Described({200: answers.RetiringVersions}),
    "list_operations": Described({200: answers.OperationPage}, query=operations.OperationListing),
    "show_operation": Described({200: answers.Operation, 202: answers.Operation}, problems=UNKNOWN),
    "delete_operation": Described(
        {204: None}, problems={**UNKNOWN, 409: ("is_a_child", "wrong_state")}
    ),
    "suspend_operation": Described(ACCEPTED, query=operations.Reason, problems=GOING),
    "resume_operation": Described(ACCEPTED, query=operations.Reason, problems=GOING),
    "retry_operation": Described(
        ACCEPTED, problems={**UNKNOWN, 409: ("is_a_child", "wrong_state")}
    ),
    "send_event_to_operation": Described(
        ACCEPTED,
        body_is_any_json=True,
        problems={
            **GOING,
            404: ("unknown_event", "unknown_operation"),
            409: ("does_not_receive", "wrong_state"),
            422: ("invalid_body",),
        },
    ),
    "cancel_operation": Described(
        {202: answers.Cancelled},
        query=operations_cancelling.Cancel,
        problems={**GOING, 409: ("not_cancellable", "wrong_state")},
    ),
    "list_operation_children": Described(
        {200: answers.ChildrenPage}, query=Paging, problems=UNKNOWN
    ),
    "show_openapi": Described({200: "application/json"}),
}
