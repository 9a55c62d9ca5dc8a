import uvicorn
from fastapi import FastAPI

app = FastAPI()


@app.get("/")
def index():
    return "guarded"


def main():
    uvicorn.run("main:app", reload=True)


if __name__ == "__main__":
    main()
