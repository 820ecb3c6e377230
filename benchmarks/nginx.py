"""A real nginx for the time of a measurement: as the documented proxy, and as a plain server of files.

Rules kept here
 * The proxy's lines are those of `deploy/nginx/trusted-archive.conf`. What is left out is TLS and with it the clients'
   certificates, so that what is measured is the passing on; what is added is nothing.
 * The plain server is as fast as it comes: sendfile, no access log, a process for each core.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.figures import BenchmarkError
from benchmarks.workspace import ROOT

START = 30.0
_MAIN = """\
daemon off;
worker_processes auto;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{
    worker_connections 4096;
}}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    default_type application/octet-stream;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{plain};
        root {files};
    }}
{proxy}
}}
"""
_TLS = re.compile(r"^\s*(#|ssl_|proxy_set_header X-Client|include ).*\n", re.MULTILINE)


def program() -> str:
    """Where nginx is; raises `BenchmarkError`."""
    found = shutil.which("nginx") or "/usr/sbin/nginx"
    if not Path(found).exists():
        raise BenchmarkError("nginx is not installed: apt-get install nginx-light")
    return found


@contextmanager
def running(folder: Path, files: Path, archive: tuple[str, int]) -> Iterator[tuple[int, int]]:
    """Ports of the plain server of `files` and of the proxy before the archive."""
    plain, proxy = _free(), _free()
    text = (ROOT / "deploy" / "nginx" / "trusted-archive.conf").read_text("utf-8")
    for written, real in {
        "listen 443 ssl;": f"listen 127.0.0.1:{proxy};",
        "server 127.0.0.1:8080;": f"server {archive[0]}:{archive[1]};",
    }.items():
        if written not in text:
            raise BenchmarkError(f"deploy/nginx/trusted-archive.conf has no line `{written}` any more")
        text = text.replace(written, real)
    (folder / "nginx.conf").write_text(
        _MAIN.format(folder=folder, files=files, plain=plain, proxy=_TLS.sub("", text)), "utf-8"
    )
    log = folder / "nginx.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [program(), "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf")],
            stdin=subprocess.DEVNULL,
            stderr=out,
        )
    try:
        deadline = time.monotonic() + START
        while not (folder / "nginx.pid").exists() or not (folder / "nginx.pid").read_text():
            if process.poll() is not None or time.monotonic() > deadline:
                raise BenchmarkError(f"nginx did not start: {log.read_text('utf-8')[-2000:]}")
            time.sleep(0.05)
        yield plain, proxy
    finally:
        process.terminate()
        process.wait(START)


def _free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
