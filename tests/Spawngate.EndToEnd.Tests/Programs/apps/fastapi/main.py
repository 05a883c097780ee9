import asyncio

from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import Response, StreamingResponse

app = FastAPI()


@app.get("/")
async def root():
    return {"message": "Hello World"}


@app.post("/echo")
async def echo(request: Request):
    return Response(await request.body())


@app.get("/rows")
async def rows(ms: int = 50):
    async def generate():
        for row in range(1, 101):
            yield f"row {row}\n"
            await asyncio.sleep(ms / 1000)

    return StreamingResponse(generate(), media_type="text/csv")


@app.get("/events")
async def events():
    async def generate():
        yield "data: first\n\n"
        await asyncio.sleep(3)
        yield "data: last\n\n"

    return StreamingResponse(generate(), media_type="text/event-stream")


@app.websocket("/ws")
async def websocket_endpoint(websocket: WebSocket):
    await websocket.accept()
    while True:
        data = await websocket.receive_text()
        await websocket.send_text(f"Message text was: {data}")
