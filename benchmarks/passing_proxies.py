"""The ways to a backend: direct, through imagefit, through nginx and through socat.

Knows how each proxy is started, and what it has spent. nginx speaks gRPC as imagefit does, but looks at nothing; socat
copies bytes from one socket to another, and nothing that copies them can be faster: it is the floor.
"""

import contextlib
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.spending import spent_by
from harness.daemon import Daemon
from harness.process import ChildProcess, connects, free_port

PROGRAMS: Final = ("nginx", "socat")
_TICKS_IN_SECOND: Final = 100  # of /proc, whatever the kernel counts in
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
        pid: of the proxy; None for none.
    """

    socket: Path
    pid: int | None = None

    def cpu_seconds(self) -> float:
        """Return the CPU time that the proxy has spent, with its children, which have ended then; 0 for none."""
        if self.pid is None:
            return 0.0
        while _children(self.pid):  # socat's end once their connection has
            time.sleep(0.001)
        return spent_by(self.pid).cpu_seconds + _of_children(self.pid)


def imagefit(root: Path, backend: Path, ending: contextlib.ExitStack, *, metrics: bool = True) -> Way:
    """Start imagefit's daemon, with metrics as its unit has them or without."""
    listen = f"127.0.0.1:{free_port()}" if metrics else "off"
    daemon = ending.enter_context(Daemon(root, backend, f'[metrics]\nlisten = "{listen}"\n'))
    return Way(daemon.socket, daemon.pid)


def nginx(root: Path, backend: Path, ending: contextlib.ExitStack) -> Way:
    """Start an nginx of one process that keeps its connections to the backend."""
    root.mkdir()
    socket, config = root / "n.sock", root / "nginx.conf"
    config.write_text(_NGINX.format(root=root, socket=socket, backend=backend))
    return _started("nginx", ("nginx", "-c", str(config), "-p", str(root)), socket, ending)


def socat(root: Path, backend: Path, ending: contextlib.ExitStack) -> Way:
    """Start a socat that has a process for each connection."""
    root.mkdir()
    socket = root / "s.sock"
    command = ("socat", f"-b{_SOCAT_BUFFER_BYTES}", f"UNIX-LISTEN:{socket},fork", f"UNIX-CONNECT:{backend}")
    return _started("socat", command, socket, ending)


def missing_programs(*names: str) -> list[str]:
    """Return those of the programs that are not installed."""
    return [name for name in names if shutil.which(name) is None]


def _started(name: str, command: tuple[str, ...], socket: Path, ending: contextlib.ExitStack) -> Way:
    process = ChildProcess(name, socket.parent / "log")
    ending.callback(process.stop)
    process.start(command)
    process.wait_until(lambda: connects(socket))
    return Way(socket, process.pid)


def _children(pid: int) -> str:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text()


def _of_children(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user, system = fields[13:15]  # cutime and cstime of proc(5), whose numbers begin before the name
    return (int(user) + int(system)) / _TICKS_IN_SECOND
