from flask import Flask

from fruit.stock import CRATES

app = Flask(__name__)


@app.get("/")
def stock():
    return f"{CRATES} crates of apples\n"
