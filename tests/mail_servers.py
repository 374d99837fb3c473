"""Debian's own mail servers, each with a configuration and a queue of its own on loopback; they need root.

`.ci/run` installs what is lacking; by hand: apt-get install postfix dovecot-imapd
"""

import contextlib
import os
import pwd
import shutil
import socket
import socketserver
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ports import free_port

DOVECOT = Path("/usr/sbin/dovecot")
POSTFIX = Path("/usr/sbin/postfix")
SECONDS = 60.0
PASSWORD = 'hush"hush\\('
_SERVICES = """
pickup    unix  n  -  n  60  1  pickup
cleanup   unix  n  -  n  -   0  cleanup
qmgr      unix  n  -  n  300 1  qmgr
rewrite   unix  -  -  n  -   -  trivial-rewrite
bounce    unix  -  -  n  -   0  bounce
defer     unix  -  -  n  -   0  bounce
trace     unix  -  -  n  -   0  bounce
verify    unix  -  -  n  -   1  verify
flush     unix  n  -  n  1000? 0 flush
proxymap  unix  -  -  n  -   -  proxymap
smtp      unix  -  -  n  -   -  smtp
error     unix  -  -  n  -   -  error
retry     unix  -  -  n  -   -  error
discard   unix  -  -  n  -   -  discard
virtual   unix  -  n  n  -   -  virtual
anvil     unix  -  -  n  -   1  anvil
scache    unix  -  -  n  -   1  scache
postlog   unix-dgram n - n - 1  postlogd
"""


def eventually(look: Callable[[], object], what: str) -> None:
    """Waits until `look` finds something."""
    deadline = time.monotonic() + SECONDS
    while not look():
        assert time.monotonic() < deadline, f"never seen: {what}"
        time.sleep(0.1)


@dataclass
class Postfix:
    """A relay that is the last one too: it keeps what it takes in Maildirs, and reports what it cannot keep."""

    folder: Path
    port: int
    greylisted: set[str] = field(default_factory=set)
    """Who is put off at the first attempt."""
    put_off: list[str] = field(default_factory=list)

    def maildir(self, name: str) -> Path:
        """Where somebody's mail is."""
        return self.folder / "mail" / name

    def mails(self, name: str) -> list[bytes]:
        """What somebody got."""
        return [path.read_bytes() for path in sorted((self.maildir(name) / "new").glob("*"))]

    @property
    def log(self) -> str:
        """What it said of itself."""
        return (self.folder / "postfix.log").read_text(errors="replace")


@contextmanager
def postfix(*, maildirs: dict[str, str], transports: dict[str, str], refused: dict[str, str]) -> Iterator[Postfix]:
    """Runs a Postfix for `example.test` and `reports.test`.

    `maildirs`: folder by address; `transports`: another transport by address; `refused`: the reply at RCPT by address.
    """
    with _folder() as folder, contextlib.ExitStack() as stack:
        server = Postfix(folder, free_port())
        policy_port = stack.enter_context(_policy_service(server))
        conf = folder / "conf"
        _lay_out(folder, conf)
        for name, table in (("mailboxes", maildirs), ("transports", transports), ("refused", refused)):
            (conf / name).write_text("".join(f"{key} {value}\n" for key, value in table.items()))
        owner = pwd.getpwnam("nobody")
        (conf / "main.cf").write_text(f"""
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/postfix.log
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.example.test
mydestination =
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
recipient_delimiter = +
virtual_mailbox_domains = example.test, reports.test
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = texthash:{conf}/mailboxes
virtual_minimum_uid = 1
virtual_uid_maps = static:{owner.pw_uid}
virtual_gid_maps = static:{owner.pw_gid}
transport_maps = texthash:{conf}/transports
smtpd_reject_unlisted_recipient = no
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions = check_recipient_access texthash:{conf}/refused,
    check_policy_service inet:127.0.0.1:{policy_port}, permit_mynetworks, reject
maximal_queue_lifetime = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 1s
queue_run_delay = 1s
""")
        (conf / "master.cf").write_text(f"127.0.0.1:{server.port} inet n - n - - smtpd{_SERVICES}")
        _run("postfix", "-c", str(conf), "start")
        try:
            eventually(lambda: _listens(server.port), "Postfix")
            yield server
        finally:
            _run("postfix", "-c", str(conf), "abort")


@dataclass(frozen=True)
class Dovecot:
    """An IMAP server; everybody's password is `PASSWORD`, their mail in Maildirs below `folder/mail`."""

    folder: Path
    port: int
    tls_port: int

    def deliver(self, user: str, raw: bytes) -> None:
        """Puts a message into somebody's inbox."""
        owner = pwd.getpwnam("nobody")
        home = self.folder / "mail" / user
        for part in (home, home / "new", home / "cur", home / "tmp"):
            part.mkdir(exist_ok=True)
            os.chown(part, owner.pw_uid, owner.pw_gid)
        path = home / "new" / f"{time.time_ns()}.test"
        path.write_bytes(raw)
        os.chown(path, owner.pw_uid, owner.pw_gid)

    def seen(self, user: str) -> int:
        """How many messages carry the mark of having been read."""
        return sum(path.name.rpartition(",")[2].count("S") for path in (self.folder / "mail" / user / "cur").glob("*"))


@contextmanager
def dovecot(certificate: tuple[Path, Path], ports: tuple[int, int] | None = None) -> Iterator[Dovecot]:
    """Runs a Dovecot with a certificate and its key; `ports`: plain with STARTTLS, and TLS from the beginning."""
    with _folder() as folder:
        plain, tls = ports or (free_port(), free_port())
        owner = pwd.getpwnam("nobody")
        mail = folder / "mail"
        mail.mkdir()
        os.chown(mail, owner.pw_uid, owner.pw_gid)
        (folder / "dovecot.conf").write_text(f"""
base_dir = {folder}/run
log_path = {folder}/dovecot.log
protocols = imap
listen = 127.0.0.1
ssl = yes
ssl_cert = <{certificate[0]}
ssl_key = <{certificate[1]}
disable_plaintext_auth = no
first_valid_uid = 1
first_valid_gid = 0
mail_location = maildir:{mail}/%u
auth_username_chars =
auth_failure_delay = 0
passdb {{
  driver = static
  args = password={PASSWORD}
}}
userdb {{
  driver = static
  args = uid={owner.pw_uid} gid={owner.pw_gid} home={mail}/%u
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service imap-login {{
  inet_listener imap {{
    port = {plain}
  }}
  inet_listener imaps {{
    port = {tls}
    ssl = yes
  }}
}}
""")
        with _foreground("dovecot", "-F", "-c", str(folder / "dovecot.conf")):
            eventually(lambda: _listens(plain) and _listens(tls), "Dovecot")
            yield Dovecot(folder, plain, tls)


@contextmanager
def _folder() -> Iterator[Path]:
    # Not below pytest's own directory: these servers' other users must be able to go there.
    folder = Path(tempfile.mkdtemp(prefix="publisher-mail-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _lay_out(folder: Path, conf: Path) -> None:
    for name in ("conf", "queue", "data", "mail"):
        (folder / name).mkdir()
    for name, user in (("data", "postfix"), ("mail", "nobody")):
        shutil.chown(folder / name, user)
    shutil.copy("/etc/postfix/dynamicmaps.cf", conf)


@contextmanager
def _policy_service(server: Postfix) -> Iterator[int]:
    """Puts off whom `server.greylisted` names, once (Postfix' SMTPD_POLICY_README)."""

    class Answer(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            asked: dict[str, str] = {}
            for line in self.rfile:
                name, _, value = line.decode().strip().partition("=")
                if name:
                    asked[name] = value
                    continue
                recipient = asked.get("recipient", "")
                grey = recipient in server.greylisted
                server.greylisted.discard(recipient)
                server.put_off += [recipient] if grey else []
                said = "450 4.7.1 greylisted, come again" if grey else "DUNNO"
                self.wfile.write(f"action={said}\n\n".encode())
                asked = {}

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Answer) as service:
        service.daemon_threads = True
        thread = threading.Thread(target=service.serve_forever)
        thread.start()
        try:
            yield service.server_address[1]
        finally:
            service.shutdown()
            thread.join()


@contextmanager
def _foreground(*command: str) -> Iterator[None]:
    process = subprocess.Popen(_found(command))
    try:
        yield
    finally:
        process.terminate()
        process.wait(SECONDS)


def _run(*command: str) -> None:
    done = subprocess.run(_found(command), capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"


def _found(command: tuple[str, ...]) -> tuple[str, ...]:
    path = shutil.which(command[0], path="/usr/sbin:/usr/bin:/sbin:/bin")
    assert path, f"there is no {command[0]}; install it: apt-get install postfix dovecot-imapd"
    assert os.geteuid() == 0, f"{command[0]} runs as root only"
    return (path, *command[1:])


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5):
        return True
    return False
