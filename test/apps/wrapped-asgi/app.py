from a2wsgi import WSGIMiddleware
from flask import Flask

flask_app = Flask(__name__)


@flask_app.get("/")
def index():
    return "wrapped twice\n"


class Traced:
    def __init__(self, app):
        self.app = app

    def __call__(self, *args):
        return self.app(*args)


app = Traced(WSGIMiddleware(flask_app))
