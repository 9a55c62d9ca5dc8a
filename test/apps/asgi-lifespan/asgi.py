from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute

steps = []


@asynccontextmanager
async def lifespan(app):
    steps.append("started")
    yield
    print("lifespan: stopped", flush=True)


async def index(request):
    return PlainTextResponse(f"{steps}\n")


async def echo(socket):
    await socket.accept()
    await socket.send_text(f"echo {await socket.receive_text()}")
    await socket.close()


application = Starlette(routes=[Route("/", index), WebSocketRoute("/echo", echo)], lifespan=lifespan)
