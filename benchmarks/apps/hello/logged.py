"""The applications with an access log, for a server that has none."""

from importlib import import_module

from paste.translogger import TransLogger


def hello():
    return TransLogger(import_module("hello").wsgi)


def page():
    return TransLogger(import_module("page").wsgi)
