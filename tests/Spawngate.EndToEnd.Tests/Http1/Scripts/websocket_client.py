"""A client of the library `websockets` at the other end of a gateway: python3 websocket_client.py HOST PORT; prints `well` when all was well."""
import asyncio
import os
import sys

import websockets

HOST, PORT = sys.argv[1], int(sys.argv[2])


def connect(**options):
    return websockets.connect(f"ws://{HOST}/", host="127.0.0.1", port=PORT, max_size=None, **options)


async def exchange(size, **options):
    text, data = "x" * size, os.urandom(size)
    async with connect(**options) as socket:
        for message in (text, data, "", b""):
            await socket.send(message)
            assert await socket.recv() == message, f"echo of {size}"


async def ping():
    async with connect() as socket:
        for payload in (b"", b"ping", b"x" * 125):
            await asyncio.wait_for(await socket.ping(payload), 10)
        await socket.send("ping me")
        assert await asyncio.wait_for(socket.recv(), 20) == "ping me", "ping of the server"


async def fragments():
    async with connect() as socket:
        await socket.send(["one ", "two ", "three"])
        assert await socket.recv() == "one two three", "fragments"


async def close_codes():
    for code in (1000, 1001, 1011, 3000, 4999):
        socket = await connect()
        await socket.send(f"close {code}")
        try:
            await socket.recv()
        except websockets.ConnectionClosed as closed:
            assert (closed.rcvd.code, closed.rcvd.reason) == (code, "as you wish"), f"code {closed.rcvd}"
        socket = await connect()
        await socket.close(code, "bye")
        assert socket.close_code == code, f"code {socket.close_code}"


async def main():
    await exchange(1024)
    await exchange(16 * 1024 * 1024, compression=None)
    await ping()
    await fragments()
    await close_codes()
    print("well")


asyncio.run(asyncio.wait_for(main(), 60))
