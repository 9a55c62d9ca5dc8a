from flask import Blueprint

pages = Blueprint("pages", __name__)


@pages.get("/")
def index():
    return "one object, three names\n"
