from flask import Flask


def create_app(configuration):
    app = Flask(__name__)

    @app.get("/")
    def index():
        return f"Configured for {configuration}.\n"

    return app
