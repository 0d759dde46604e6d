"""`call_http` with a token source fails where there is no identity to get a token for."""

import azure.durable_functions as df

from durablehost.testing import ManualHub


def app_that_calls_with(source):
    app = df.DFApp()

    @app.orchestration_trigger(context_name="context")
    def probe(context):
        try:
            yield context.call_http("GET", "http://127.0.0.1:9/", token_source=source)
        except Exception as error:
            return str(error).splitlines()[0]

    return app


async def test_a_call_with_a_token_source_says_that_there_is_no_identity_to_ask():
    app = app_that_calls_with(df.ManagedIdentityTokenSource("api://tax-office"))

    async with ManualHub(app) as hub:
        hub.let_http_through("http://127.0.0.1:9/")
        probe = await hub.start("probe")

        said = "no managed identity here to get a token for 'api://tax-office' from"
        assert hub.output(probe).strip() == said
