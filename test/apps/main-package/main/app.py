from bottle import Bottle

from main.texts import GREETING

app = Bottle()


@app.get("/")
def index():
    return GREETING
