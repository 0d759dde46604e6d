"""Pages of other origins: who may call, and what the browser is told."""

import azure.durable_functions as df
import azure.functions as func
import pytest

from durablehost.settings import Settings
from tests.durablehost.web.serving import serving

PAGE = "https://page.example"


@pytest.fixture
def tell() -> df.DFApp:
    app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)

    @app.route(route="tell")
    def tell(req: func.HttpRequest) -> func.HttpResponse:
        return func.HttpResponse("told")

    return app


async def test_a_preflight_is_answered_by_the_host(tell: df.DFApp) -> None:
    asked = {
        "Origin": PAGE,
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "x-probe",
    }

    async with serving(tell, Settings(cors=(PAGE, "https://other.example"))) as call:
        answer = await call("OPTIONS", "/api/tell", headers=asked)

    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert answer.headers["Access-Control-Allow-Methods"] == "PUT"
    assert answer.headers["Access-Control-Allow-Headers"] == "x-probe"
    assert answer.headers["Vary"] == "Origin"


@pytest.mark.parametrize(
    ("cors", "allowed"),
    [((PAGE,), PAGE), (("*",), "*"), (("https://other.example",), None), ((), None)],
)
async def test_an_answer_names_the_origin_that_may_read_it(
    tell: df.DFApp, cors: tuple[str, ...], allowed: str | None
) -> None:
    async with serving(tell, Settings(cors=cors)) as call:
        for path in ("/api/tell", "/nothing"):
            answer = await call("GET", path, headers={"Origin": PAGE})
            assert answer.headers.get("Access-Control-Allow-Origin") == allowed


async def test_credentials_are_allowed_if_the_settings_allow_them(tell: df.DFApp) -> None:
    async with serving(tell, Settings(cors=(PAGE,), cors_credentials=True)) as call:
        answer = await call("GET", "/api/tell", headers={"Origin": PAGE})

    assert answer.headers["Access-Control-Allow-Credentials"] == "true"


async def test_options_without_a_preflight_is_the_functions_own(tell: df.DFApp) -> None:
    async with serving(tell, Settings(cors=("*",))) as call:
        answer = await call("OPTIONS", "/api/tell", headers={"Origin": PAGE})

    assert answer.status == 200
