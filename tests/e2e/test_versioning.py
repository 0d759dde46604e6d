"""Two deployments of the app over one hub: what 1.0 began ends as 1.0, with processes."""

from contextlib import closing
from pathlib import Path

from tests.durablehost_process import running
from tests.processes import PARTIES, Site

DEFAULT_VERSION = "AzureFunctionsJobHost__extensions__durableTask__defaultVersion"


def test_instances_end_with_the_version_with_which_they_began(
    world: Site, app_folder: Path, tmp_path: Path
) -> None:
    environ = {f"{party.upper()}_URL": f"{world.base}/{party}" for party in PARTIES}
    invoice = {"vendor": "acme", "number": "E2E-V", "order": "PO-1001", "amount_cents": 990_000}
    hub = ("--data", tmp_path / "hub.db")

    with running(app_folder, *hub, environ=environ | {DEFAULT_VERSION: "1.0"}) as old:
        with closing(Site(old.base.rstrip("/"))) as api:
            here = api.send("POST", "/api/deliveries", invoice).json()["id"]
            api.at_step(here, "waiting for the goods")
        old.stop()
    with (
        running(app_folder, *hub, environ=environ) as new,
        closing(Site(new.base.rstrip("/"))) as api,
    ):
        before = api.send("GET", "/api/versions").json()
        api.send("POST", f"/api/operations/{here}/events/GoodsArrived", {})
        ended = api.ended(here)
        refused = api.send("POST", "/api/deliveries", invoice | {"number": "E2E-W"}).json()["id"]

        assert (before["drained"], before["retiring"][0]["instances"]) == (False, [here])
        assert (ended["customStatus"]["version"], ended["runtimeStatus"]) == ("1.0", "Completed")
        assert api.ended(refused)["output"]["code"] == "over_order"
        assert api.send("GET", "/api/versions").json()["drained"] is True
