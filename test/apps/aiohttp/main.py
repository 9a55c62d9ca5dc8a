import os

from aiohttp import web


async def index(request):
    return web.Response(text="its own loop\n")


app = web.Application()
app.router.add_get("/", index)

if __name__ == "__main__":
    web.run_app(app, port=int(os.environ.get("PORT", "8080")))
