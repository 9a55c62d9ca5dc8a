from litestar import Litestar, get


@get("/")
async def level() -> dict[str, int]:
    return {"level": 4}


app = Litestar(route_handlers=[level])
