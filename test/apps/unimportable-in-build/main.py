import socket

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

ADDRESS = socket.gethostbyname(open("/tmp/service-host").read().strip())


async def index(request):
    return PlainTextResponse(f"the service is at {ADDRESS}\n")


app = Starlette(routes=[Route("/", index)])
