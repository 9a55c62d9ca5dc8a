import os

from bottle import route, run


@route("/")
def index():
    return "routes without an object\n"


if __name__ == "__main__":
    run(host="0.0.0.0", port=int(os.environ.get("PORT", "8080")))
