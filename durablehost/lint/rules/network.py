"""DUR108: the network and the clients of SDKs."""

import ast
import re
from typing import Final

from durablehost.lint.app import App
from durablehost.lint.findings import Found
from durablehost.lint.rule import Example, Rule

_PACKAGES: Final = [
    "aiohttp",
    "azure.ai",
    "azure.appconfiguration",
    "azure.communication",
    "azure.containerregistry",
    "azure.core.pipeline",
    "azure.cosmos",
    "azure.data",
    "azure.eventgrid",
    "azure.eventhub",
    "azure.identity",
    "azure.keyvault",
    "azure.kusto",
    "azure.mgmt",
    "azure.monitor",
    "azure.search",
    "azure.servicebus",
    "azure.storage",
    "boto3",
    "botocore",
    "cx_Oracle",
    "elasticsearch",
    "ftplib",
    "google.cloud",
    "http.client",
    "httpx",
    "imaplib",
    "langchain",
    "msal",
    "mysql.connector",
    "openai",
    "oracledb",
    "paramiko",
    "pg8000",
    "poplib",
    "psycopg",
    "psycopg2",
    "pymongo",
    "pymssql",
    "pymysql",
    "pyodbc",
    "redis",
    "requests",
    "sendgrid",
    "slack_sdk",
    "smtplib",
    "snowflake.connector",
    "sqlalchemy.create_engine",
    "stripe",
    "telnetlib",
    "twilio",
    "urllib.request",
    "urllib3",
    "websocket",
    "websockets",
    "xmlrpc.client",
]
_SOCKET: Final = frozenset(
    f"socket.{name}"
    for name in ("socket", "create_connection", "getaddrinfo", "gethostbyname", "create_server")
)
# These only build or describe something.
_HARMLESS: Final = re.compile(
    r"aiohttp\.ClientTimeout|azure\.core\.pipeline\.policies|httpx\.(Limits|Timeout)|requests\.adapters"
    r"|requests\.(auth|exceptions|utils)|urllib\.request\.Request|urllib3\.util"
    # values of SDKs: `azure.storage.blob.BlobSasPermissions`, `azure.search.documents.models.…`
    r"|.*\.(models|types)\.[A-Z]\w*$|.*\.generate_\w+_sas$"
    r"|.*\.[A-Z]\w*(Data|Entity|Error|Exception|Key|Message|Permissions|Policy|Settings|Types)$"
)


def uses_network(name: str, node: ast.expr) -> bool:
    if not isinstance(node, ast.Call) or _HARMLESS.match(name):
        return False
    if name in _SOCKET:
        return True
    return any(name == each or name.startswith(f"{each}.") for each in _PACKAGES)


def check(app: App) -> list[Found]:
    instead = "Each replay does it again. Do it in an activity, or with context.call_http."
    return list(app.forbidden(uses_network, instead))


RULE = Rule(
    code="DUR108",
    name="network",
    sentence="An orchestrator uses the network or the client of a service.",
    why="""\
Each replay sends the request again and may get another answer. It also blocks the thread on which
the other orchestrators of the process run. Send requests in activities, or by
`context.call_http`. Creating a client counts, too: many connect or read settings at once.""",
    valid=[
        Example("""\
import requests


@app.activity_trigger(input_name="item")
def find_price(item):
    return requests.get(f"https://shop.example/prices/{item}", timeout=5).json()


@app.orchestration_trigger(context_name="context")
def order(context):
    price = yield context.call_activity(find_price, "tea")
    return price
"""),
        Example("""\
from azure.storage.blob import BlobSasPermissions


@app.orchestration_trigger(context_name="context")
def order(context):
    yield context.call_activity("ship", str(BlobSasPermissions(read=True)))
"""),
    ],
    invalid=[
        Example("""\
import requests

session = requests.Session()


def find_price(item):
    return session.get(f"https://shop.example/prices/{item}").json()  # here


@app.orchestration_trigger(context_name="context")
def order(context):
    yield context.call_activity("ship", find_price("tea"))
"""),
    ],
    check=check,
)
