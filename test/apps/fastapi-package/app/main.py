from fastapi import FastAPI

from app.admin import app as admin
from app.routers import items

app = FastAPI()
app.include_router(items.router)
app.mount("/admin", admin)
