from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from texts import ANSWER


async def index(request):
    return PlainTextResponse(ANSWER)


app = Starlette(routes=[Route("/", index)])
