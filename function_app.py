"""The function app: one app object, one line a blueprint."""

import azure.durable_functions as df
import azure.functions as func

from blueprints import operations

app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)

app.register_functions(operations.bp)
