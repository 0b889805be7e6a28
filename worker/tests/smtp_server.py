"""A real SMTP server for one test: prints its port, then one JSON line per mail it accepted."""

import json
import sys
import threading
from email import message_from_bytes
from email.policy import default

from aiosmtpd.controller import Controller


class Print:
    async def handle_DATA(self, server, session, envelope):
        mail = message_from_bytes(envelope.content, policy=default)
        parts = {part.get_content_type(): part.get_content() for part in mail.walk() if not part.is_multipart()}
        seen = {"to": envelope.rcpt_tos, "from": envelope.mail_from, "subject": mail["subject"], "id": mail["message-id"], "parts": parts}
        print(json.dumps(seen), flush=True)
        return "250 OK"


controller = Controller(Print(), hostname="127.0.0.1", port=int(sys.argv[1]))
controller.start()
print(controller.port, flush=True)
threading.Event().wait()
