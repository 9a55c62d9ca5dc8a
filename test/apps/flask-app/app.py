"""A whole application in one file, which also starts Flask's own server on a laptop."""

import sys

from flask import Flask

app = Flask(__name__)


@app.get("/")
def index() -> str:
    """Say who serves the page: Flask's own server has no place in a container."""
    served = "the development server" if __name__ == "__main__" else "a real server"
    return f"One file is enough, said {served}.\n"


@app.get("/fail")
def fail() -> str:
    """Answer 500; the traceback belongs into the log."""
    print("fail: about to", file=sys.stderr, flush=True)
    raise RuntimeError("asked to fail")


if __name__ == "__main__":
    app.run(port=5000, debug=True)
