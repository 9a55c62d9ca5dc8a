import falcon
import falcon.asgi


class Lights:
    async def on_get(self, request, response):
        response.media = {"lights": "on"}


legacy = falcon.App()
app = falcon.asgi.App()
app.add_route("/", Lights())
