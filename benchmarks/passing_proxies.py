"""The ways to a backend: direct, through imagefit, through nginx and through socat.

Knows how each proxy is started, and what it has spent. nginx speaks gRPC as imagefit does, but looks at nothing; socat
copies bytes from one socket to another, and nothing that copies them can be faster: it is the floor.
"""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.spending import spent_by
from harness.daemon import Daemon
from harness.process import ChildProcess, connects, free_port

IMAGEFIT: Final = "imagefit"
NGINX: Final = "nginx"
SOCAT: Final = "socat"
_SOCAT_BUFFER_BYTES: Final = 256 * 1024
_NGINX: Final = """\
daemon off;
master_process off;
pid {root}/nginx.pid;
error_log {root}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_max_body_size 0;
  keepalive_requests 1000000000;
  client_body_temp_path {root}/body;
  proxy_temp_path {root}/proxy;
  fastcgi_temp_path {root}/fastcgi;
  uwsgi_temp_path {root}/uwsgi;
  scgi_temp_path {root}/scgi;
  upstream backend {{
    server unix:{backend};
    keepalive 64;
    keepalive_requests 1000000000;
  }}
  server {{
    listen unix:{socket} http2;
    location / {{
      grpc_pass grpc://backend;
      grpc_set_header Host localhost;
    }}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to a backend.

    Attributes:
        socket: where it begins.
        pid: of the proxy whose CPU time is told; None where there is none, and for socat, which has a process for
            each connection.
    """

    socket: Path
    pid: int | None = None

    def cpu_seconds(self) -> float:
        """Return the CPU time that the proxy has spent; 0 where it is not told."""
        return 0.0 if self.pid is None else spent_by(self.pid).cpu_seconds


def imagefit(root: Path, backend: Path, ending: contextlib.ExitStack, *, metrics: bool = True) -> Way:
    """Start imagefit's daemon, with metrics as its unit has them or without."""
    listen = f"127.0.0.1:{free_port()}" if metrics else "off"
    daemon = ending.enter_context(Daemon(root, backend, f'[metrics]\nlisten = "{listen}"\n', verbose=False))
    return Way(daemon.socket, daemon.pid)


def nginx(root: Path, backend: Path, ending: contextlib.ExitStack) -> Way:
    """Start an nginx of one process that keeps its connections to the backend."""
    root.mkdir()
    socket, config = root / "n.sock", root / "nginx.conf"
    config.write_text(_NGINX.format(root=root, socket=socket, backend=backend))
    process = _started(NGINX, (NGINX, "-c", str(config), "-p", str(root)), socket, ending)
    return Way(socket, process.pid)


def socat(root: Path, backend: Path, ending: contextlib.ExitStack) -> Way:
    """Start a socat that has a process for each connection."""
    root.mkdir()
    socket = root / "s.sock"
    command = (SOCAT, f"-b{_SOCAT_BUFFER_BYTES}", f"UNIX-LISTEN:{socket},fork", f"UNIX-CONNECT:{backend}")
    _started(SOCAT, command, socket, ending)
    return Way(socket)


def _started(name: str, command: tuple[str, ...], socket: Path, ending: contextlib.ExitStack) -> ChildProcess:
    process = ChildProcess(name, socket.parent / "log")
    ending.callback(process.stop)
    process.start(command)
    process.wait_until(lambda: connects(socket))
    return process
