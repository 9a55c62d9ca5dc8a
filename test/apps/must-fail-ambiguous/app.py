"""Two applications in one file, neither with a usual name: which one to serve is the user's to say."""

from flask import Flask

public = Flask("public")
internal = Flask("internal")


@public.get("/")
def welcome() -> str:
    """Greet the public."""
    return "welcome\n"


@internal.get("/")
def numbers() -> str:
    """Tell the staff."""
    return "figures of the week\n"
