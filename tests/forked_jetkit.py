"""The programs ``jetkit`` and ``python`` without their seconds of imports: a process that has made them once forks.

``python forked_jetkit.py FOLDER`` waits for commands and writes FOLDER/jetkit and FOLDER/python, which send it one,
with its folder, environment and streams, and end as the command ends. A fork shares no thread: the server may import
and load compiled kernels, but start no pool of threads.
"""

import array
import atexit
import gc
import json
import os
import runpy
import signal
import socket
import sys
import threading
import traceback
from pathlib import Path

import jinja2  # noqa: F401
import lightning_fabric  # noqa: F401
import matplotlib.figure  # noqa: F401
import mplhep  # noqa: F401
import numpy as np
import onnx  # noqa: F401
import onnxscript  # noqa: F401
import sklearn.ensemble  # noqa: F401
import torch  # noqa: F401

import jetkit.cli
import jetkit.interchange.onnx
import jetkit.models
import jetkit.simulation
import jetkit.tasks.registered
from jetkit.data.split import hash_share

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
JEMALLOC = "jemalloc_bg_thd"
"""The thread of pyarrow's allocator, which starts anew in a fork."""
PROGRAMS = ("python", "jetkit")


def serve(folder: Path) -> None:
    """Answer each command from a fork of its own, until killed; the programs for PATH are there once this is ready."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    hash_share(np.arange(2), 0)
    threads = [path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")]
    assert len(set(threads) - {JEMALLOC}) == len(threads) - threads.count(JEMALLOC) == 1, (
        "a fork would wait for a thread"
    )
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "socket"))
        server.listen()
        for name in PROGRAMS:
            _install(folder, name)
        gc.freeze()
        while True:
            client, _ = server.accept()
            with client:
                if os.fork() == 0:
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    server.close()
                    _attend(client)


def _install(folder: Path, name: str) -> None:
    program = folder / f".{name}"
    program.write_text(PROGRAM.format(python=sys.executable, address=str(folder / "socket")), encoding="utf-8")
    program.chmod(0o755)
    program.rename(folder / name)


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
        _leave(_run(words))
    _, status = os.waitpid(running, 0)
    client.sendall(str(os.waitstatus_to_exitcode(status) % 256).encode())
    os._exit(0)


def _run(words: list[str]) -> int:
    """Run `jetkit WORD…`, `python -c TEXT WORD…` or `python FILE WORD…`; returns its exit code."""
    sys.argv = words if Path(words[0]).name == "jetkit" else words[1:]
    try:
        if sys.argv is words:
            jetkit.cli.main()
        elif sys.argv[0] == "-c":
            text = sys.argv.pop(1)
            sys.path.insert(0, "")
            exec(compile(text, "<text>", "exec"), {"__name__": "__main__"})
        else:
            sys.path.insert(0, str(Path(sys.argv[0]).parent))
            runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as end:
        return int(end.code or 0)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _leave(code: int) -> None:
    """End as an interpreter does, but for freeing what it has imported, which takes seconds."""
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
