import os

from flask import Flask

API_KEY = os.environ["API_KEY"]
app = Flask(__name__)


@app.get("/")
def index():
    return f"the key begins with {API_KEY[:3]}\n"
