"""A real SMTP server for the tests: prints its port, then one JSON line per mail it accepted, with the number of its connection.

usage: smtp_server.py PORT [OPTIONS], where OPTIONS is a JSON object:
  tls     "starttls" or "wrapper", with a certificate of a CA made now, whose own is written to `ca`
  login   [user, password], without which nothing is taken
  enough  mails of one connection after which it says 421
What it says to a mail depends on the recipient's name: see Behave.
"""

import asyncio
import datetime
import ipaddress
import itertools
import json
import ssl
import sys
import tempfile
import threading
from email import message_from_bytes
from email.policy import default

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

options = json.loads(sys.argv[2]) if len(sys.argv) > 2 else {}


class Behave:
    """Takes every mail, but does to some recipients what mail servers do."""

    def __init__(self):
        self.connections = {}
        self.numbers = itertools.count(1)
        self.mails = {}
        self.greylisted = set()

    def number(self, server):
        if server not in self.connections:
            self.connections[server] = next(self.numbers)
        return self.connections[server]

    async def handle_MAIL(self, server, session, envelope, address, mail_options):
        number = self.number(server)
        if self.mails.get(number, 0) >= options.get("enough", 10**9):
            asyncio.get_running_loop().call_later(0.01, server.transport.close)
            return "421 4.7.0 enough for one connection"
        envelope.mail_from = address
        envelope.mail_options.extend(mail_options)
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        name = address.split("@")[0]
        if name == "unknown":
            return "550 5.1.1 no such user here"
        if name == "relayed":
            return "554 5.7.1 relay access denied"
        if name == "grey" and address not in self.greylisted:
            self.greylisted.add(address)
            return "451 4.7.1 greylisted, come again"
        if name == "hangup":
            asyncio.get_running_loop().call_later(0.01, server.transport.close)
            return "421 4.3.0 going down"
        if name == "slow":
            await asyncio.sleep(10)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        name = envelope.rcpt_tos[0].split("@")[0]
        if name == "full":
            return "552 5.2.2 mailbox full"
        if name == "spam":
            return "554 5.7.1 looks like spam"
        if name == "busy":
            return "452 4.3.1 no room just now"
        number = self.number(server)
        self.mails[number] = self.mails.get(number, 0) + 1
        if name == "goodbye":
            asyncio.get_running_loop().call_later(0.01, server.transport.close)
        mail = message_from_bytes(envelope.content, policy=default)
        parts = {part.get_content_type(): part.get_content() for part in mail.walk() if not part.is_multipart()}
        headers = {name.lower(): value for name, value in mail.items()}
        seen = {"to": envelope.rcpt_tos, "from": envelope.mail_from, "subject": mail["subject"], "id": mail["message-id"], "parts": parts}
        seen |= {"headers": headers, "connection": number, "encrypted": session.ssl is not None or options.get("tls") == "wrapper"}
        print(json.dumps(seen), flush=True)
        return "250 OK"


def certificates():
    """A CA, written to options["ca"], and a server's context with a certificate of it for 127.0.0.1."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    def certificate(name, key, issuer, issuer_key, extension):
        start = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=1)
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(issuer).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(start)
        builder = builder.not_valid_after(start + datetime.timedelta(days=1)).add_extension(extension, critical=False)
        return builder.sign(issuer_key, hashes.SHA256())

    def name(text):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    pem = serialization.Encoding.PEM
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca = certificate(name("tests"), ca_key, name("tests"), ca_key, x509.BasicConstraints(ca=True, path_length=None))
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    leaf = certificate(name("mail"), key, name("tests"), ca_key, address)
    with open(options["ca"], "wb") as file:
        file.write(ca.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        file.write(leaf.public_bytes(pem) + private)
        file.flush()
        context.load_cert_chain(file.name)
    return context


def authenticate(server, session, envelope, mechanism, data):
    good = [data.login.decode(), data.password.decode()] == options["login"]
    return AuthResult(success=good, handled=False)


settings = {}
if "login" in options:
    settings |= {"authenticator": authenticate, "auth_required": True, "auth_require_tls": False}
if options.get("tls") == "starttls":
    settings |= {"tls_context": certificates(), "require_starttls": True}


class Serve(Controller):
    def factory(self):
        return SMTP(self.handler, **settings)


controller = Serve(Behave(), hostname="127.0.0.1", port=int(sys.argv[1]), ssl_context=certificates() if options.get("tls") == "wrapper" else None)
controller.start()
print(controller.port, flush=True)
threading.Event().wait()
