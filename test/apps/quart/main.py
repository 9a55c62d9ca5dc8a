from quart import Quart


def create_app(name: str = "duck") -> Quart:
    app = Quart(__name__)

    @app.get("/")
    async def index():
        return f"a {name}\n"

    return app
