from flask import Flask

metrics = Flask("metrics")
app = Flask(__name__)


@metrics.get("/")
def numbers():
    return "42 requests\n"


@app.get("/")
def front():
    return "The front desk, not the back office.\n"
