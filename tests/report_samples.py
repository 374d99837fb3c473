"""Reports shaped as mail servers write them, made here for tests; the words are ours, the structure is theirs."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mail:
    """The mail of ours that a report is about."""

    return_path: str = "bounces+token@wire.example"
    recipient: str = "ada@example.org"
    message_id: str = "<i1.aaaa@wire.example>"
    unsubscribe_url: str = ""

    def head(self) -> str:
        """Its headers as servers return them."""
        listed = f"List-Unsubscribe: <{self.unsubscribe_url}>\n" if self.unsubscribe_url else ""
        return (
            f"Return-Path: <{self.return_path}>\nFrom: Wire <news@wire.example>\nTo: <{self.recipient}>\n"
            f"Subject: Today\nMessage-ID: {self.message_id}\n{listed}MIME-Version: 1.0\nContent-Type: text/plain\n"
        )


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape").replace(b"\n", b"\r\n")


def postfix(
    mail: Mail,
    status: str = "5.1.1",
    diagnostic: str = 'x-unix; no such user: "ada"',
    action: str = "failed",
    returned: str = "text/rfc822-headers",
) -> bytes:
    """A notification of Postfix: three parts, the returned headers last."""
    return _octets(f"""Received: by mx.example.org (Postfix) id 4X7
Date: Wed, 4 Mar 2026 06:00:00 +0000 (UTC)
From: MAILER-DAEMON@mx.example.org (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: {mail.return_path}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="4X7.1772/mx.example.org"
Message-Id: <20260304060000.4X7@mx.example.org>

This is a MIME-encapsulated message.

--4X7.1772/mx.example.org
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

This is the mail system at host mx.example.org: we could not deliver to
<{mail.recipient}>.

--4X7.1772/mx.example.org
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org
X-Postfix-Queue-ID: 4X7
X-Postfix-Sender: rfc822; {mail.return_path}
Arrival-Date: Wed, 4 Mar 2026 06:00:00 +0000 (UTC)

Final-Recipient: rfc822; {mail.recipient}
Original-Recipient: rfc822;{mail.recipient}
Action: {action}
Status: {status}
Diagnostic-Code: {diagnostic}

--4X7.1772/mx.example.org
Content-Description: Undelivered Message Headers
Content-Type: {returned}

{mail.head()}
--4X7.1772/mx.example.org--
""")


def exim(mail: Mail, diagnostic: str, status: str = "5.0.0") -> bytes:
    """A notification of Exim: its status is 5.0.0 whatever was said; the whole message is returned."""
    return _octets(f"""Return-path: <>
Received: from Debian-exim by mx.example.net with local (Exim 4.96)
X-Failed-Recipients: {mail.recipient}
Auto-Submitted: auto-replied
From: Mail Delivery System <Mailer-Daemon@mx.example.net>
To: {mail.return_path}
Content-Type: multipart/report; report-type=delivery-status; boundary=1772604000-eximdsn-1
MIME-Version: 1.0
Subject: Mail delivery failed: returning message to sender

--1772604000-eximdsn-1
Content-type: text/plain; charset=us-ascii

  {mail.recipient}
    host mx.example.org: {diagnostic}

--1772604000-eximdsn-1
Content-type: message/delivery-status

Reporting-MTA: dns; mx.example.net

Action: failed
Final-Recipient: rfc822;{mail.recipient}
Status: {status}
Remote-MTA: dns; mx.example.org
Diagnostic-Code: {diagnostic}

--1772604000-eximdsn-1
Content-type: message/rfc822

{mail.head()}
Good morning.

--1772604000-eximdsn-1--
""")


def exchange(mail: Mail, status: str = "5.1.10", said: str = "RESOLVER.ADR.RecipientNotFound; not found") -> bytes:
    """A non-delivery report of Exchange: HTML beside the text, quirks in case and order, the message returned."""
    return _octets(f"""From: postmaster@tenant.example
To: {mail.return_path}
Subject: Undeliverable: Today
MIME-Version: 1.0
X-MS-Exchange-Message-Is-Ndr:
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="_000_ndr_"

--_000_ndr_
Content-Type: multipart/alternative; differences=Content-Type;
\tboundary="_001_words_"

--_001_words_
Content-Type: text/plain; charset="us-ascii"

Your message could not be delivered.

--_001_words_
Content-Type: text/html; charset="us-ascii"

<p>Your message could not be delivered.</p>

--_001_words_--

--_000_ndr_
Content-Type: message/delivery-status

Reporting-MTA: dns;mail.tenant.example
Received-From-MTA: dns;mx.wire.example
Arrival-Date: Wed, 4 Mar 2026 06:00:00 +0000

Original-Recipient: rfc822;{mail.recipient}
Final-Recipient: rfc822;{mail.recipient}
Action: failed
Status: {status}
Diagnostic-Code: smtp;550 {status} {said}
X-Display-Name: {mail.recipient}

--_000_ndr_
Content-Type: message/rfc822

{mail.head()}
--_000_ndr_--
""")


def gmail(mail: Mail, reply: str) -> bytes:
    """A notification of a large provider: related parts first, a folded diagnostic with continuation lines."""
    folded = reply.replace("\n", "\n ")
    status = reply.split()[1] if reply[3] == " " else reply.partition("-")[2].split()[0]
    return _octets(f"""From: Mail Delivery Subsystem <mailer-daemon@mail.example>
To: {mail.return_path}
Auto-Submitted: auto-replied
Subject: Delivery Status Notification (Failure)
MIME-Version: 1.0
X-Failed-Recipients: {mail.recipient}
Content-Type: multipart/report; boundary="00000000000055"; report-type=delivery-status

--00000000000055
Content-Type: multipart/related; boundary="00000000000056"

--00000000000056
Content-Type: multipart/alternative; boundary="00000000000057"

--00000000000057
Content-Type: text/plain; charset="UTF-8"

** Address not found **

--00000000000057--

--00000000000056--

--00000000000055
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.example
Arrival-Date: Wed, 04 Mar 2026 06:00:00 -0800 (PST)
X-Original-Message-ID: {mail.message_id}

Final-Recipient: rfc822; {mail.recipient}
Action: failed
Status: {status}
Remote-MTA: dns; mx.example.org. (192.0.2.7, the server for the domain.)
Diagnostic-Code: smtp; {folded}
Last-Attempt-Date: Wed, 04 Mar 2026 06:00:01 -0800 (PST)

--00000000000055
Content-Type: message/rfc822

{mail.head()}
--00000000000055--
""")


def qmail(mail: Mail, said: str = "Sorry, no mailbox here by that name. (#5.1.1)") -> bytes:
    """A bounce in qmail's own shape: plain text, no MIME."""
    return _octets(f"""Date: 4 Mar 2026 06:00:00 -0000
From: MAILER-DAEMON@old.example
To: {mail.return_path}
Subject: failure notice

Hi. This is the qmail-send program at old.example.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<{mail.recipient}>:
{said}

--- Below this line is a copy of the message.

{mail.head()}
Good morning.
""")


def internationalised(mail: Mail) -> bytes:
    """A notification as RFC 6533 has it: an address with letters outside ASCII, the part in base64."""
    import base64

    fields = (
        "Reporting-MTA: dns; mx.example.org\n\n"
        f"Original-Recipient: utf-8; j\\x{{F6}}rg@example.org\nFinal-Recipient: utf-8;{mail.recipient}\n"
        "Action: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 kein Empfänger\n"
    )
    coded = base64.encodebytes(fields.encode()).decode()
    return _octets(f"""From: postmaster@mx.example.org
To: {mail.return_path}
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="eai"

--eai
Content-Type: text/plain; charset=utf-8

Kein Empfänger.

--eai
Content-Type: message/global-delivery-status
Content-Transfer-Encoding: base64

{coded}
--eai
Content-Type: message/global-headers
Content-Transfer-Encoding: 8bit

{mail.head()}
--eai--
""")


def several(mail: Mail, groups: list[tuple[str, str, str]]) -> bytes:
    """One notification about several recipients: (address, action, status)."""
    said = "\n".join(
        f"Final-Recipient: rfc822; {address}\nAction: {action}\nStatus: {status}\n"
        for address, action, status in groups
    )
    return _octets(f"""From: postmaster@mx.example.org
To: {mail.return_path}
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="many"

--many
Content-Type: text/plain

Some of it did not arrive.

--many
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org
Original-Envelope-Id: {mail.return_path}

{said}
--many
Content-Type: text/rfc822-headers

{mail.head()}
--many--
""")


def feedback(mail: Mail, kind: str = "abuse", *, redacted: bool = False) -> bytes:
    """A feedback report (RFC 5965); `redacted`: as providers send it that hide whom it is from."""
    told = "" if redacted else f"Original-Mail-From: <{mail.return_path}>\nOriginal-Rcpt-To: <{mail.recipient}>\n"
    head = mail.head()
    if redacted:
        lines = [line for line in head.splitlines() if not line.startswith(("Return-Path", "To:", "Message-ID"))]
        head = "\n".join([*lines, "To: <redacted@provider.example>", ""])
    return _octets(f"""From: <feedback@provider.example>
To: <fbl@wire.example>
Subject: FW: Today
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report;
     boundary="part1_13d.2e68ed54_boundary"

--part1_13d.2e68ed54_boundary
Content-Type: text/plain; charset="US-ASCII"
Content-Transfer-Encoding: 7bit

This is an email abuse report.

--part1_13d.2e68ed54_boundary
Content-Type: message/feedback-report

Feedback-Type: {kind}
User-Agent: SomeGenerator/1.0
Version: 1
{told}Arrival-Date: Wed, 4 Mar 2026 06:00:00 GMT
Source-IP: 192.0.2.1

--part1_13d.2e68ed54_boundary
Content-Type: message/rfc822
Content-Disposition: inline

{head}
Good morning.

--part1_13d.2e68ed54_boundary--
""")


def vacation(mail: Mail) -> bytes:
    """An answering machine (RFC 3834) that quotes a delivery report's words."""
    return _octets(f"""From: {mail.recipient}
To: {mail.return_path}
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied (vacation)
Content-Type: text/plain

I am away. Status: 5.1.1 Action: failed Final-Recipient: rfc822; {mail.recipient}
""")


def old_vacation(mail: Mail) -> bytes:
    """An answering machine from before RFC 3834."""
    return _octets(
        f"From: {mail.recipient}\nTo: {mail.return_path}\nPrecedence: auto_reply\nSubject: away\n\nStatus: 5.1.1\n"
    )


def receipt(mail: Mail) -> bytes:
    """A disposition notification (RFC 8098): somebody read, or deleted, the mail."""
    return _octets(f"""From: {mail.recipient}
To: {mail.return_path}
MIME-Version: 1.0
Content-Type: multipart/report; report-type=disposition-notification; boundary="mdn"

--mdn
Content-Type: text/plain

Deleted unread.

--mdn
Content-Type: message/disposition-notification

Final-Recipient: rfc822; {mail.recipient}
Disposition: automatic-action/MDN-sent-automatically; deleted

--mdn--
""")


def letter(mail: Mail) -> bytes:
    """A person writes to the return path and quotes a bounce in words."""
    return _octets(f"""From: Somebody <somebody@example.com>
To: {mail.return_path}
Subject: Delivery failed

550 5.1.1 <{mail.recipient}>: user unknown. Please remove {mail.recipient} from your list.
""")


def forwarded(mail: Mail) -> bytes:
    """A person forwards a whole bounce as an attachment: it is not a bounce of the mail server's own."""
    inner = postfix(mail).decode().replace("\r\n", "\n")
    return _octets(f"""From: Somebody <somebody@example.com>
To: {mail.return_path}
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="fwd"

--fwd
Content-Type: text/plain

Look what I got.

--fwd
Content-Type: message/rfc822

{inner}
--fwd--
""")
