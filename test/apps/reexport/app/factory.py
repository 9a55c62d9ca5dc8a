from flask import Flask

from .pages import pages


def create_app():
    application = Flask(__name__)
    application.register_blueprint(pages)
    return application


app = create_app()
