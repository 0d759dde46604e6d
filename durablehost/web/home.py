"""The page at `/`: what this app has, with links."""

from collections.abc import Iterable
from html import escape

from durablehost.app.functions import Function, FunctionTable
from durablehost.settings import Settings
from durablehost.web.routes import methods_of, route_of

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{hub} on durablehost</title>
<style>body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem }}
code {{ font-size: 0.9em }} td {{ padding-right: 2rem; vertical-align: top }}</style></head>
<body>
<h1>Your function app is up and running</h1>
<p>Task hub <code>{hub}</code>, served by durablehost.
<a href="/admin/host/status">Status</a> ·
<a href="/admin/functions">Functions as JSON</a> ·
<a href="/admin/durablehost/problems">Problems</a> ·
<a href="/runtime/webhooks/durabletask/instances">Instances</a></p>
{long_calls}<table>
{rows}
</table>
{left_out}</body>
</html>
"""


def home_page(table: FunctionTable, settings: Settings, long_calls: Iterable[str]) -> str:
    """The page as HTML; nothing in it comes unescaped from the app."""
    functions = sorted(table.functions, key=lambda f: (f.kind, f.name.lower()))
    rows = "\n".join(_row(function, settings) for function in functions)
    left_out = "".join(f"<li>{escape(o.name)}: {escape(o.says)}</li>\n" for o in table.left_out)
    running = "".join(f"<li>{escape(line)}</li>\n" for line in long_calls)
    return _PAGE.format(
        hub=escape(settings.hub_name),
        rows=rows or "<tr><td>No functions.</td></tr>",
        left_out=f"<h2>Left out</h2>\n<ul>\n{left_out}</ul>\n" if left_out else "",
        long_calls=f"<h2>Code that does not end</h2>\n<ul>\n{running}</ul>\n" if running else "",
    )


def _row(function: Function, settings: Settings) -> str:
    mark = " (disabled)" if function.is_disabled else ""
    return (
        f"<tr><td>{escape(function.name)}{mark}</td><td>{_what(function, settings)}</td>"
        f"<td><code>{escape(str(function.place))}</code></td></tr>"
    )


def _what(function: Function, settings: Settings) -> str:
    if function.kind != "http":
        return escape(str(function.trigger["type"]))
    route, methods = route_of(function, settings.route_prefix), methods_of(function)
    text = f"<code>{escape('/' + route)}</code>"
    if "{" not in route and (not methods or "GET" in methods):
        text = f'<a href="/{escape(route)}">{text}</a>'
    return f"{escape(', '.join(methods) or 'all methods')} {text}"
