from bottle import Bottle

app = Bottle()


@app.get("/")
def index():
    return "the only web application\n"
