"""The function app: every function is registered here, grouped by pattern."""

import azure.durable_functions as df
import azure.functions as func

from activities import (
    approvals,
    blobs,
    document_checks,
    documents,
    invoice_files,
    invoices,
    ledger,
    messages,
    month_ends,
    orders,
    payments,
    postings,
    rates,
    reports,
    reviews,
    summaries,
    tax,
    transfers,
)
from blueprints import (
    aggregator,
    aggregator_directory,
    aggregator_poison,
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
    openapi,
    operations,
    operations_cancelling,
    operations_children,
    resilience,
    retention,
    saga,
    sub_orchestrations,
    versioning,
)

app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)

# chaining: process an invoice in steps
app.register_functions(chaining.bp)

# fan_out: read a folder of invoice files in parallel
app.register_functions(fan_out.bp)
app.register_functions(invoice_files.bp)
app.register_functions(summaries.bp)

# async_http: create a yearly report that takes minutes
app.register_functions(async_http.bp)
app.register_functions(reports.bp)

# human_approval: ask people to approve a payment
app.register_functions(human_approval.bp)
app.register_functions(human_approval_links.bp)
app.register_functions(approvals.bp)

# monitor: poll a bank transfer until it settles
app.register_functions(monitor.bp)
app.register_functions(transfers.bp)

# entity_counter: count, and number documents without a gap
app.register_functions(entity_counter.bp)
app.register_functions(entity_counter_numbers.bp)

# sub_orchestrations: close a month, with one child for each vendor
app.register_functions(sub_orchestrations.bp)
app.register_functions(month_ends.bp)

# eternal: sweep the ledger for ever
app.register_functions(eternal.bp)
app.register_functions(ledger.bp)

# saga: pay an invoice, or undo all of it
app.register_functions(saga.bp)
app.register_functions(payments.bp)

# aggregator: keep running totals for each vendor
app.register_functions(aggregator.bp)
app.register_functions(aggregator_poison.bp)
app.register_functions(aggregator_directory.bp)
app.register_functions(aggregator_ranking.bp)

# resilience: get exchange rates from partners that fail
app.register_functions(resilience.bp)
app.register_functions(rates.bp)

# document_pipeline: read, classify, check, store and post a scan
app.register_functions(document_pipeline.bp)
app.register_functions(document_pipeline_reviews.bp)
app.register_functions(document_checks.bp)
app.register_functions(documents.bp)
app.register_functions(reviews.bp)

# durable_http: ask the tax office
app.register_functions(durable_http.bp)
app.register_functions(tax.bp)

# versioning: change an orchestrator while instances run
app.register_functions(versioning.bp)

# several patterns: activities that more than one of them calls
app.register_functions(blobs.bp)
app.register_functions(invoices.bp)
app.register_functions(messages.bp)
app.register_functions(orders.bp)
app.register_functions(postings.bp)

# operations and retention: manage what the patterns have started
app.register_functions(operations.bp)
app.register_functions(operations_cancelling.bp)
app.register_functions(operations_children.bp)
app.register_functions(openapi.bp)
app.register_functions(retention.bp)
