"""The function app: one app object, one line a blueprint."""

import azure.durable_functions as df
import azure.functions as func

from activities import invoices, orders, postings
from blueprints import chaining, operations

app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)

app.register_functions(operations.bp)
app.register_functions(chaining.bp)

app.register_functions(invoices.bp)
app.register_functions(orders.bp)
app.register_functions(postings.bp)
