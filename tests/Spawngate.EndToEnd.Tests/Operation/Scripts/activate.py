"""Plays the part of a service manager that activates by socket.

usage: activate.py [--keep] [--datagram | --connected] [--name NAME=ADDRESS]... [--] COMMAND...

ADDRESS is PORT, HOST:PORT, [HOST]:PORT or a path. The sockets are opened here and passed to COMMAND from descriptor 3 on, as sd_listen_fds(3)
says. Without --keep this process becomes COMMAND. With it COMMAND is a child, started again whenever it ends while the sockets stay open, until
SIGTERM, which is passed on. What it knows of a socket after each end of the child goes to stderr.
"""
import os
import signal
import socket
import struct
import sys

FIRST = 3


def listen(address, kind):
    if address.startswith("/"):
        made = socket.socket(socket.AF_UNIX, kind)
        made.bind(address)
    else:
        host, _, port = address.rpartition(":")
        host = host.strip("[]") or "127.0.0.1"
        made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, int(port)))
    if kind == socket.SOCK_STREAM:
        made.listen(4096)
    return made


def pass_and_execute(sockets, names, command):
    # Out of the way first, so that no number is overwritten before it was copied.
    copies = [os.dup2(each.fileno(), 200 + index) for index, each in enumerate(sockets)]
    for index, copy in enumerate(copies):
        os.dup2(copy, FIRST + index, inheritable=True)
        os.close(copy)
    environment = dict(os.environ, LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(sockets)), LISTEN_FDNAMES=":".join(names))
    os.execvpe(command[0], command, environment)


def keep(sockets, names, command):
    child = 0
    ending = False

    def end(*_):
        nonlocal ending
        ending = True
        if child:
            os.kill(child, signal.SIGTERM)

    signal.signal(signal.SIGTERM, end)
    status = 0
    while not ending:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
            pass_and_execute(sockets, names, command)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        _, wait = os.waitpid(child, 0)
        status = os.waitstatus_to_exitcode(wait)
        for name, each in zip(names, sockets):
            linger = struct.unpack("ii", each.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8))
            listens = each.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            print(f'2026-01-31T12:00:00.000Z INFO activator: child="{child}" status="{status}" socket="{name}" listens="{listens}" linger="{linger[0]}" The child has ended', file=sys.stderr, flush=True)
    sys.exit(status if status >= 0 else 128 - status)


def main():
    arguments = sys.argv[1:]
    kept = connected = False
    kind = socket.SOCK_STREAM
    names, addresses = [], []
    while arguments and arguments[0].startswith("--"):
        option = arguments.pop(0)
        if option == "--":
            break
        kept |= option == "--keep"
        connected |= option == "--connected"
        kind = socket.SOCK_DGRAM if option == "--datagram" else kind
        if option == "--name":
            name, _, address = arguments.pop(0).partition("=")
            names.append(name)
            addresses.append(address)
    sockets = [listen(address, kind) for address in addresses]
    if connected:
        pair = [socket.create_connection(sockets[0].getsockname()), sockets[0].accept()[0]]
        sockets, names = [pair[1]], names[:1]
    if kept:
        keep(sockets, names, arguments)
    pass_and_execute(sockets, names, arguments)


main()
