"""A real SMTP server (aiosmtpd) for tests: writes what it takes to a file, one JSON object a line.

    server.py PORT FILE none|starttls|tls CERTIFICATE KEY

Encrypted, it asks for the log-in of `shop` with the password `let me send`. What begins the address decides: `refused` is
refused for good, `foreign` because this server does not relay, `later` for now; `held` is taken when FILE.go is there.
"""

import asyncio
import email
import email.policy
import json
import os
import signal
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

port, path, encryption, certificate, key = sys.argv[1:]


def authenticate(server, session, envelope, mechanism, data):
    return AuthResult(success=(data.login, data.password) == (b"shop", b"let me send"), handled=False)


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("refused"):
            return f"550 5.1.1 <{address}>: nobody has this address"
        if address.startswith("foreign"):
            return f"554 5.7.1 <{address}>: Relay access denied"
        if address.startswith("later"):
            return f"450 4.2.1 <{address}>: not now"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        while envelope.rcpt_tos[0].startswith("held") and not os.path.exists(path + ".go"):
            await asyncio.sleep(0.05)
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        taken = {
            "to": envelope.rcpt_tos[0],
            "from": message["From"],
            "subject": message["Subject"],
            "id": message["Message-ID"],
            "body": message.get_content(),
            "unsubscribe": message["List-Unsubscribe"],
            "unsubscribe_post": message["List-Unsubscribe-Post"],
            "encrypted": server.transport.get_extra_info("sslcontext") is not None,
            "logged_in": session.authenticated is True,
        }
        with open(path, "a") as file:
            file.write(json.dumps(taken) + "\n")
        return "250 OK"


async def main():
    context = None
    if encryption != "none":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
    starttls = context if encryption == "starttls" else None

    def connection():
        secret = context is not None
        return SMTP(Handler(), hostname="localhost", tls_context=starttls, require_starttls=starttls is not None,
                    auth_required=secret, auth_require_tls=starttls is not None, authenticator=authenticate)

    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    server = await loop.create_server(connection, "127.0.0.1", int(port),
                                      ssl=context if encryption == "tls" else None)
    await stop.wait()
    server.close()


asyncio.run(main())
