from flask import Flask


def create_app(configuration):
    return Flask(__name__)
