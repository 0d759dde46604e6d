"""The management URLs for durable clients."""

import json
import os
from collections.abc import Mapping
from urllib.parse import quote_plus

from durablehost.settings.percent_names import resolve

WEBHOOKS = "/runtime/webhooks/durabletask"

_OPERATIONS = {
    "statusQueryGetUri": "",
    "sendEventPostUri": "/raiseEvent/{eventName}",
    "terminatePostUri": "/terminate?reason={text}",
    "rewindPostUri": "/rewind?reason={text}",
    "purgeHistoryDeleteUri": "",
    "restartPostUri": "/restart",
    "suspendPostUri": "/suspend?reason={text}",
    "resumePostUri": "/resume?reason={text}",
}


def management_urls(
    origin: str, instance_id: str, hub: str, connection: str, key: str
) -> dict[str, str]:
    """The URLs to show and control one instance."""
    quoted = quote_plus(instance_id, safe="!*()")
    asked = f"taskHub={hub}&connection={connection}&code={key}"
    urls = {"id": instance_id}
    for name, operation in _OPERATIONS.items():
        mark = "&" if "?" in operation else "?"
        urls[name] = f"{origin}{WEBHOOKS}/instances/{quoted}{operation}{mark}{asked}"
    return urls


def client_payload(
    origin: str, rpc: str, hub: str, connection: str, key: str, binding: Mapping[str, object]
) -> str:
    """The text from which the SDK makes a client, as the host passes it to a function."""
    hub = resolve(str(binding.get("taskHub") or ""), os.environ) or hub
    connection = resolve(str(binding.get("connectionName") or ""), os.environ) or connection
    base = origin + WEBHOOKS
    start = f"{base}/orchestrators/{{functionName}}[/{{instanceId}}]"
    waiting = "timeout={timeoutInSeconds}&pollingInterval={intervalInSeconds}"
    return json.dumps(
        {
            "taskHubName": hub,
            "connectionName": binding.get("connectionName"),
            "creationUrls": {
                "createNewInstancePostUri": f"{start}?code={key}",
                "createAndWaitOnNewInstancePostUri": f"{start}?{waiting}&code={key}",
            },
            "managementUrls": management_urls(origin, "INSTANCEID", hub, connection, key),
            "baseUrl": base,
            "requiredQueryStringParameters": f"code={key}",
            "rpcBaseUrl": rpc,
            "httpBaseUrl": None,
        }
    )
