from bottle import Bottle

app = Bottle()


@app.get("/")
def index():
    return "numbers are fine\n"
