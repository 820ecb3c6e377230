"""Behind a real nginx with client certificates: the page's steps as they are written, and who does not get in."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from api.wiring import build_archive
from tests.integration.http_server import Server, running_server
from tests.integration.http_world import BOUNDARY, OPERATOR, body_of, file, new_home
from tests.ports import free_port
from tests.vectors import REPOSITORY, in_ci
from tests.warm_commands import warm_commands

pytestmark = [pytest.mark.interop, pytest.mark.slow]

PAGE = (REPOSITORY / "docs" / "put-it-behind-nginx.md").read_text("utf-8")
NGINX = shutil.which("nginx") or "/usr/sbin/nginx"

MAIN = """\
daemon off;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/conf.d/*.conf;
}}
"""


def steps() -> list[str]:
    """The blocks of the page's numbered steps."""
    found = re.findall(r"^   ```sh\n(.*?)^   ```$", PAGE, re.S | re.M)
    return [re.sub(r"^   ", "", block, flags=re.M) for block in found]


@dataclass
class Answer:
    status: int
    body: bytes

    @property
    def reason(self) -> str:
        """Why the archive refused."""
        said = json.loads(self.body)
        assert said["type"] == "urn:trusted-archive:problem:certificate-refused", said
        return str(said["facts"]["reason"])


class Line(http.client.HTTPSConnection):
    """To this machine, whatever the server is called."""

    def connect(self) -> None:
        plain = socket.create_connection(("127.0.0.1", self.port), self.timeout)
        self.sock = self._context.wrap_socket(plain, server_hostname=self.host)  # type: ignore[attr-defined]


@dataclass
class Front:
    """The archive behind nginx, as the page makes it, in a folder of the test's."""

    folder: Path
    server: Server
    port: int
    key: str

    @property
    def files(self) -> Path:
        return self.folder / "etc" / "nginx"

    def ask(
        self,
        client: str | None,
        path: str = "/v1/preservation-objects",
        *,
        method: str = "GET",
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """A request through nginx with the certificate of that name, or with none."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.files / "client-ca.pem")
        if client is not None:
            context.load_cert_chain(self.files / f"{client}.pem", self.files / f"{client}.key")
        line = Line("archive.example", self.port, timeout=60, context=context)
        try:
            line.request(method, path, body, headers or {})
            answer = line.getresponse()
            return Answer(answer.status, answer.read())
        finally:
            line.close()

    def past(self, headers: dict[str, str], *, source: str = "127.0.0.1") -> Answer:
        """A request to the archive itself, past nginx."""
        line = http.client.HTTPConnection(self.server.host, self.server.port, 60, source_address=(source, 0))
        try:
            line.request("GET", "/v1/preservation-objects", headers=headers)
            answer = line.getresponse()
            return Answer(answer.status, answer.read())
        finally:
            line.close()

    def certificate(self, name: str) -> str:
        return quote((self.files / f"{name}.pem").read_text("ascii"))

    def issue(self, name: str, subject: str, *, by: str = "client-ca", ends: timedelta = timedelta(days=1)) -> None:
        """A certificate by the authority of the page, or by one of that name that is made for it."""
        now, key = datetime.now(UTC), ec.generate_private_key(ec.SECP256R1())
        if (self.files / f"{by}.key").exists():
            issuer_key = serialization.load_pem_private_key((self.files / f"{by}.key").read_bytes(), None)
            issuer = x509.load_pem_x509_certificate((self.files / f"{by}.pem").read_bytes()).subject
        else:
            issuer_key = ec.generate_private_key(ec.SECP256R1())
            issuer = x509.Name.from_rfc4514_string("CN=Our clients")
        assert isinstance(issuer_key, ec.EllipticCurvePrivateKey)
        made = x509.CertificateBuilder().subject_name(x509.Name.from_rfc4514_string(subject)).issuer_name(issuer)
        made = made.public_key(key.public_key()).serial_number(x509.random_serial_number())
        made = made.not_valid_before(now - timedelta(days=2)).not_valid_after(now + ends)
        pem, nothing = serialization.Encoding.PEM, serialization.NoEncryption()
        (self.files / f"{name}.pem").write_bytes(made.sign(issuer_key, hashes.SHA256()).public_bytes(pem))
        (self.files / f"{name}.key").write_bytes(
            key.private_bytes(pem, serialization.PrivateFormat.TraditionalOpenSSL, nothing)
        )


def typed(folder: Path, commands: str, path: Path) -> str:
    """Type a block in, its places turned to those of the test."""
    for written, real in {
        "/etc/trusted-archive": f"{folder}/etc",
        "/var/lib/trusted-archive/home": f"{folder}/home",
        "/opt/trusted-archive": str(REPOSITORY),
        "/etc/nginx/conf.d": f"{folder}/conf.d",
    }.items():
        commands = commands.replace(written, real)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=folder,
        env={"PATH": f"{path}:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(folder), "LANGUAGE": "en"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, (commands, done.stdout, done.stderr)
    return done.stdout


@contextmanager
def nginx(folder: Path, archive: int, port: int) -> Iterator[None]:
    """nginx with the configuration that the page copied; only ports and places are others."""
    conf = folder / "conf.d" / "trusted-archive.conf"
    text = conf.read_text("utf-8")
    for written, real in {
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "server 127.0.0.1:8080;": f"server 127.0.0.1:{archive};",
        "/etc/trusted-archive": f"{folder}/etc",
    }.items():
        assert written in text
        text = text.replace(written, real)
    conf.write_text(text, "utf-8")
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder), "utf-8")
    command = [NGINX, "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf")]
    tried = subprocess.run([*command, "-t"], capture_output=True, text=True, timeout=60)
    assert tried.returncode == 0, tried.stderr
    with (folder / "nginx.log").open("wb") as log:
        process = subprocess.Popen(command, stderr=log, stdin=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not (folder / "nginx.pid").exists():
            assert process.poll() is None, (folder / "nginx.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """The page from its first step to its last; services are started by the test instead of systemd."""
    if not Path(NGINX).exists():
        said = "nginx is not installed: nothing was tried behind it (apt-get install nginx-light)"
        pytest.fail(said) if in_ci() else pytest.skip(said)
    folder = tmp_path_factory.mktemp("front")
    home = folder / "home"
    archive = build_archive(new_home(home), create=True)
    _, key = archive.create_key(label="operator", role="operator", originator=None, actor=OPERATOR)
    archive.close()
    (folder / "conf.d").mkdir()
    *making, last = steps()
    assert len(making) == 4
    copying = last.splitlines()[0]
    assert copying.startswith("cp ")
    with warm_commands(folder / "bin") as path:
        typed(folder, "\n".join(making), path)
        typed(folder, copying, path)
    with running_server(home) as server:
        port = free_port()
        with nginx(folder, server.port, port):
            yield Front(folder, server, port, key)


def test_the_right_certificate_gets_in_as_its_key(front: Front) -> None:
    """The page's last command, and a deposit that is the organisation's of the key."""
    (curl,) = [line for line in steps()[-1].splitlines() if line.startswith("curl ")]
    address = f"--resolve archive.example:{front.port}:127.0.0.1 "
    said = typed(
        front.files,
        curl.replace("curl ", "curl -sS --fail " + address).replace("example/", f"example:{front.port}/"),
        front.folder,
    )
    assert "basic-1" in said
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}", "Idempotency-Key": "one"}
    body = body_of(file("letter.txt", b"a letter" * 200_000))
    answer = front.ask("filing", method="POST", body=body, headers=headers)
    assert answer.status == 201, answer
    told = json.loads(front.ask("filing").body)
    assert [one["originator"] for one in told["objects"]] == ["obec-a"]
    assert front.ask("filing", "/v1/keys").status == 403


def test_who_has_no_good_certificate_stays_outside(front: Front) -> None:
    """None, one of another authority of that name, one that has ended: nginx itself refuses, also with a good key."""
    front.issue("wrong", "CN=filing service,O=Obec A,C=CZ", by="nobody")
    front.issue("ended", "CN=filing service,O=Obec A,C=CZ", ends=timedelta(days=-1))
    key = {"Authorization": f"Bearer {front.key}"}
    for client in (None, "wrong", "ended"):
        for headers in ({}, key):
            answer = front.ask(client, headers=headers)
            assert (answer.status, b"nginx" in answer.body) == (400, True), (client, answer)


def test_a_good_certificate_of_nobody_here_opens_nothing(front: Front) -> None:
    """Neither by itself nor with headers that its bearer writes: nginx overwrites them."""
    front.issue("stranger", "CN=stranger,O=Obec B,C=CZ")
    assert front.ask("stranger").reason == "unknown"
    written = {"X-Client-Certificate": front.certificate("filing"), "X-Client-Verify": "SUCCESS", "X-Proxy-Secret": "x"}
    assert front.ask("stranger", headers=written).reason == "unknown"
    small = {name.lower().replace("-", "_"): value for name, value in written.items()}
    assert front.ask("stranger", headers=small).reason == "unknown"
    renewed = "CN=filing service,O=Obec A,C=CZ"
    front.issue("renewed", renewed)
    assert front.ask("renewed").status == 200


def test_nobody_gets_in_past_nginx(front: Front) -> None:
    """From its address without its secret, from another with it, nor beside a good key; the trail has each."""
    said = {"X-Client-Certificate": front.certificate("filing"), "X-Client-Verify": "SUCCESS"}
    secret = (front.folder / "home" / "proxy.secret").read_text().strip()
    key = {"Authorization": f"Bearer {front.key}"}
    assert front.past(said).reason == "secret"
    assert front.past({**said, **key}).reason == "secret"
    assert front.past({**said, "X-Proxy-Secret": secret}, source="127.0.0.2").reason == "proxy"
    assert front.past({**said, **key, "X-Proxy-Secret": secret}, source="127.0.0.2").reason == "proxy"
    assert front.past(key).status == 200
    assert front.past({**said, "X-Proxy-Secret": secret}).status == 200
    assert front.server.stop() == 0
    events = [
        json.loads(line)
        for path in (front.folder / "home" / "stores" / "one").rglob("events.jsonl")
        for line in path.read_text("utf-8").splitlines()
    ]
    refused = [one for one in events if one["type"] == "refusal" and one["code"] == "certificate-refused"]
    assert len(refused) >= 4
    assert secret not in front.server.log.read_text("utf-8")
