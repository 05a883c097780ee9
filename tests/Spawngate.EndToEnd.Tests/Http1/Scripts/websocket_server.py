"""A WebSocket server of the library `websockets`: it sends back what it gets, closes with the code that it is told, and pings when asked to."""
import asyncio
import os

import websockets


async def echo(socket, _path=None):
    async for message in socket:
        if isinstance(message, str) and message.startswith("close "):
            await socket.close(int(message.split()[1]), "as you wish")
            return
        if message == "ping me":
            await asyncio.wait_for(await socket.ping(b"from the server"), 10)
        await socket.send(message)


async def main():
    async with websockets.serve(echo, "127.0.0.1", int(os.environ["PORT"]), max_size=None):
        await asyncio.Future()


asyncio.run(main())
