"""A real nginx on loopback, before a registry or instead of one.

Knows nginx's configuration and access log. Leaves to the test what a mirror serves.
"""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from harness.process import ChildProcess, connects, free_port

BINARY = "nginx"
HAS_IPV6 = Path("/proc/net/if_inet6").exists() and "0" * 31 + "1" in Path("/proc/net/if_inet6").read_text()
"""Whether this machine has the loopback address of IPv6."""

_CONFIGURATION = """\
daemon off;
master_process off;
pid {root}/nginx.pid;
error_log {root}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off;
  log_format asked '$request_method $uri $arg_ns $status "$http_x_mirror"';
  client_body_temp_path {root}/body;
  proxy_temp_path {root}/proxy;
  fastcgi_temp_path {root}/fastcgi;
  uwsgi_temp_path {root}/uwsgi;
  scgi_temp_path {root}/scgi;
  server {{
    listen 127.0.0.1:{port};
    {more}
    access_log {root}/access.log asked;
    location / {{
{location}
    }}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: ``namespace`` is what ``?ns=`` said, ``mirror`` the header ``X-Mirror``; empty without it."""

    method: str
    path: str
    namespace: str
    status: int
    mirror: str


_ASKED = re.compile(r'(\S+) (\S+) (\S+) (\d{3}) "([^"]*)"')


class Nginx:
    """An nginx on 127.0.0.1 and, where there is IPv6, on ::1; its folder is deleted when it stops.

    Args:
        root: made here if it is not there.
        location: what it does with every request, in nginx's words, such as ``return 502;``.
    """

    def __init__(self, root: Path, location: str) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.root = root
        self.port = free_port()
        more = f"listen [::1]:{self.port};" if HAS_IPV6 else ""
        (root / "nginx.conf").write_text(_CONFIGURATION.format(root=root, port=self.port, more=more, location=location))
        self._process = ChildProcess("nginx", root / "nginx.log")

    def __enter__(self) -> Self:
        self._process.start((BINARY, "-c", str(self.root / "nginx.conf"), "-p", str(self.root)))
        self._process.wait_until(lambda: connects(("127.0.0.1", self.port)))
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stop()
        shutil.rmtree(self.root, ignore_errors=True)

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    def asked(self) -> list[Asked]:
        """Return every request so far whose answer is over, in the order of the answers."""
        log = self.root / "access.log"
        found = _ASKED.findall(log.read_text()) if log.exists() else []
        return [
            Asked(method, path, namespace.strip("-"), int(status), mirror.strip("-"))
            for method, path, namespace, status, mirror in found
        ]
