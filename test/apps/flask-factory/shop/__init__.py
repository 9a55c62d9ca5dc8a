"""A shop window, made by a factory: there is no module-level application to find."""

import os
import sys
import time

from flask import Flask, jsonify, render_template, request


def create_app(test_config: dict | None = None) -> Flask:
    """Return a new application; the argument is for tests."""
    app = Flask(__name__)
    app.config.from_mapping(CURRENCY=os.environ.get("SHOP_CURRENCY") or "EUR")
    app.config.from_mapping(test_config or {})

    @app.get("/")
    def index() -> str:
        return render_template("index.html", currency=app.config["CURRENCY"])

    @app.get("/slow")
    def slow() -> str:
        seconds = min(request.args.get("seconds", 1.0, type=float), 60)
        print(f"slow: begin {seconds:g}", file=sys.stderr, flush=True)
        time.sleep(seconds)
        return f"slept {seconds:g} s\n"

    @app.get("/address")
    def address():
        """Show how the application sees the visitor, for tests of proxies."""
        return jsonify(remote=request.remote_addr, scheme=request.scheme, host=request.host, url=request.url)

    return app
