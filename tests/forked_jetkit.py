"""The program ``jetkit`` without its seconds of imports: a process that has made them once forks for each command.

``python forked_jetkit.py FOLDER`` waits for commands and writes FOLDER/jetkit, which sends it one, with its folder,
environment and streams, and ends as the command ends. A fork shares no thread: the server may import, not compute.
"""

import array
import json
import os
import signal
import socket
import sys
from pathlib import Path

import lightning_fabric  # noqa: F401
import torch  # noqa: F401

import jetkit.cli
import jetkit.models
import jetkit.tasks.registered

PROGRAM = """#!{python} -SE
import array, json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    command = json.dumps([sys.argv, os.getcwd(), dict(os.environ)]).encode()
    streams = array.array("i", [0, 1, 2]).tobytes()
    server.sendmsg([len(command).to_bytes(8, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)])
    server.sendall(command)
    sys.exit(int(server.recv(8) or b"1"))
"""


def serve(folder: Path) -> None:
    """Answer each command from a fork of its own, until killed; the program for PATH is there once this is ready."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "socket"))
        server.listen()
        _install(folder)
        while True:
            client, _ = server.accept()
            with client:
                if os.fork() == 0:
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    server.close()
                    _attend(client)


def _install(folder: Path) -> None:
    program = folder / ".jetkit"
    program.write_text(PROGRAM.format(python=sys.executable, address=str(folder / "socket")), encoding="utf-8")
    program.chmod(0o755)
    program.rename(folder / "jetkit")


def _attend(client: socket.socket) -> None:
    """In a fork: run a command in a fork of that one, which owns all that it starts, and tell how it ended."""
    size, ancillary, _, _ = client.recvmsg(8, socket.CMSG_SPACE(12))
    streams = array.array("i", ancillary[0][2])
    words, folder, environment = json.loads(client.makefile("rb").read(int.from_bytes(size, "big")))
    running = os.fork()
    if running == 0:
        client.close()
        for target, stream in enumerate(streams):
            os.dup2(stream, target)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.path[:0] = environment.get("PYTHONPATH", "").split(os.pathsep) if "PYTHONPATH" in environment else []
        sys.argv = words
        sys.exit(jetkit.cli.main())
    _, status = os.waitpid(running, 0)
    client.sendall(str(os.waitstatus_to_exitcode(status) % 256).encode())
    os._exit(0)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
