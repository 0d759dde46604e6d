"""`python -m sandbox`: serve the sandbox until Ctrl-C."""

import argparse
import os
import socket
import sys

from aiohttp import web

from sandbox.app import create_app


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=7072, help="0 takes a free one")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument(
        "--key",
        default=os.environ.get("SANDBOX_KEY", ""),
        help="what every path begins with; the environment variable SANDBOX_KEY unless given",
    )
    parser.add_argument("--settle-after", type=float, default=5.0, metavar="SECONDS")
    chosen = parser.parse_args()
    try:
        listener = socket.create_server((chosen.host, chosen.port))
    except (OSError, OverflowError) as error:
        print(f"cannot listen on {chosen.host}:{chosen.port}: {error}; choose another --port")
        return 1
    port = listener.getsockname()[1]
    # The key is not printed: in Azure, this line is in the log.
    print(f"sandbox on http://{chosen.host}:{port}/", flush=True)
    app = create_app(settle_after=chosen.settle_after, key=chosen.key)
    web.run_app(app, sock=listener, print=None, access_log=None, shutdown_timeout=1.0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
