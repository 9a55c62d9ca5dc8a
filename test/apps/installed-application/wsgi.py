from wsgiref.simple_server import demo_app as application  # stands for a package that brings a whole application

__all__ = ["application"]
