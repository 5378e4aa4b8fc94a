"""Outgoing mail against a real SMTP server, and the ways by which people get in by it.

It starts a server of its own, since it stops and kills it.
"""

import asyncio
import email
import email.policy
import http.client
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

ERP = os.environ["ERP_BIN"]
PASSWORD = "admin-secret"
PATIENCE = 40


def until(what, probe, patience=PATIENCE):
    end = time.monotonic() + patience
    while time.monotonic() < end:
        found = probe()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited {patience} s for {what}")


class Erp:
    """The shipped program on a database of its own."""

    def __init__(self, folder):
        self.folder = Path(folder)
        (self.folder / "password").write_text(PASSWORD)
        init = [ERP, "init", "--data", self.folder / "erp", "--name", "post", "--admin-password-file", self.folder / "password"]
        subprocess.run(init, check=True, capture_output=True)
        self.port, self.process, self.context = 0, None, None

    def start(self):
        log = self.folder / f"log{time.monotonic_ns()}"
        serve = [ERP, "serve", "--data", self.folder / "erp", "--listen", f"127.0.0.1:{self.port}"]
        with open(log, "wb") as file:
            self.process = subprocess.Popen(serve, stderr=file, env={**os.environ, "ERP_LOG_FORMAT": "json"})

        def ready():
            if self.process.poll() is not None:
                raise AssertionError(log.read_text())
            return re.search(r'"url":"[^"]*:(\d+)"', log.read_text())

        self.port = int(until("the server", ready)[1])
        if self.context is None:
            self.context = ssl._create_unverified_context()
            authority = self.request("GET", "/iot/v1/ca.pem")[2]
            self.context = ssl.create_default_context(cadata=authority)

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait(30)

    def request(self, method, path, body=None, kind="application/x-www-form-urlencoded"):
        """Status, headers, text."""
        connection = http.client.HTTPSConnection("localhost", self.port, context=self.context, timeout=30)
        try:
            connection.request(method, path, body, {"Content-Type": kind, "Accept": "text/html", "Origin": f"https://localhost:{self.port}"})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()
        finally:
            connection.close()

    def form(self, path, **fields):
        return self.request("POST", path, urllib.parse.urlencode(fields))

    def rpc(self, service, method, *args):
        params = {"service": service, "method": method, "args": args}
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "call", "params": params})
        answer = json.loads(self.request("POST", "/jsonrpc", body, "application/json")[2])
        if "error" in answer:
            raise AssertionError(answer["error"])
        return answer["result"]

    def login(self, login, password):
        return self.rpc("common", "login", "post", login, password)

    def call(self, model, method, *args, **kwargs):
        return self.rpc("object", "execute_kw", "post", 2, PASSWORD, model, method, args, kwargs)


class Inbox:
    """What an SMTP server does with what it gets."""

    def __init__(self):
        self.mails, self.tries, self.refusals = [], [], []
        self.hold = None

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 5.1.1 no such user here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.tries.append(mail)
        if self.refusals:
            return self.refusals.pop()
        if self.hold is not None:
            hold, self.hold = self.hold, None
            hold.set()
            await asyncio.sleep(60)
            return "451 too late"
        self.mails.append((envelope.mail_from, envelope.rcpt_tos, mail))
        return "250 OK"

    def to(self, address):
        return [mail for _, to, mail in self.mails if address in to]


def certificates(folder):
    """An authority, and a certificate for localhost that it signed."""
    def openssl(*args):
        subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Post CA", "-days", "30")
    openssl("req", *key, "-keyout", "smtp.key", "-out", "smtp.csr", "-subj", "/CN=localhost")
    (Path(folder) / "san").write_text("subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n")
    openssl("x509", "-req", "-in", "smtp.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", "smtp.pem",
            "-days", "30", "-extfile", "san")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(Path(folder) / "smtp.pem", Path(folder) / "smtp.key")
    return (Path(folder) / "ca.pem").read_text(), context


def plain_and_html(mail):
    return mail.get_body(("plain",)).get_content(), mail.get_body(("html",)).get_content()


def link_in(mail):
    plain, html = plain_and_html(mail)
    link = re.search(r"https://[^\s<>\"]+/web/\w+\?token=[\w-]+", plain)[0]
    assert f'href="{link}"' in html, html
    return urllib.parse.urlsplit(link)


class Mail(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.erp = Erp(cls.folder)
        cls.erp.start()
        cls.addClassCleanup(lambda: cls.erp.stop())
        cls.authority, cls.tls = certificates(cls.folder)
        cls.erp.call("res.users", "write", [2], {"email": "boss@shop.example", "name": "Boss Lady"})

    def setUp(self):
        self.inbox = Inbox()

    def smtp(self, port=0, **options):
        """A mail server for this test, and the ERP's settings for it, which are gone after the test."""
        controller = self.listen(port, **options)
        settings = {
            "name": "test", "smtp_host": "localhost", "smtp_port": controller.port, "smtp_encryption": "none",
            "sender": "Shop <post@shop.example>",
        }
        server = self.erp.call("ir.mail_server", "create", settings)
        self.addCleanup(self.forget, server)
        return server

    def forget(self, server):
        self.erp.call("ir.mail_server", "unlink", [server])
        left = self.erp.call("mail.mail", "search", [["state", "!=", "sent"]])
        self.erp.call("mail.mail", "unlink", left)

    def listen(self, port=0, **options):
        if not port:
            with __import__("socket").create_server(("127.0.0.1", 0)) as free:
                port = free.getsockname()[1]
        controller = Controller(self.inbox, hostname="127.0.0.1", port=port, **options)
        controller.start()
        self.addCleanup(controller.stop)
        return controller

    def queue(self, address, **values):
        new = {"subject": "Hello", "body_html": "<p>Hello</p>", "email_to": address, "email_from": "boss@shop.example"}
        return self.erp.call("mail.mail", "create", {**new, **values})

    def state(self, mail, *fields):
        rows = self.erp.call("mail.mail", "read", [mail], ["state", *fields])
        return rows[0]

    def received(self, address, count=1):
        until(f"{count} mails to {address}", lambda: len(self.inbox.to(address)) >= count)
        return self.inbox.to(address)[-1]

    def user(self, name, **values):
        return self.erp.call("res.users", "create", {"login": f"{name}@people.example", "name": name.title(), **values})

    def open(self, link, password):
        """Chooses a password by a link, as a browser does."""
        page = f"{link.path}?{link.query}"
        status, _, text = self.erp.request("GET", page)
        self.assertEqual(status, 200)
        token = re.search(r'name="token" value="([^"]+)"', text)
        if token is None:
            return 410, text
        status, headers, text = self.erp.form(link.path, token=token[1], password=password, again=password)
        return status, text

    def test_without_a_mail_server_the_administrator_copies_the_link(self):
        user = self.user("kim")
        action = self.erp.call("res.users", "action_reset_password", [user])
        self.assertEqual(action["tag"], "copy_links")
        link = action["params"]["links"][0]
        self.assertEqual(link["login"], "kim@people.example")
        self.assertTrue(link["url"].startswith("https://"), link)
        link = urllib.parse.urlsplit(link["url"])
        self.assertEqual(link.path, "/web/signup")
        self.assertEqual(self.open(link, "kim's password")[0], 303)
        self.assertTrue(self.erp.login("kim@people.example", "kim's password"))
        # From the login page nothing can be sent.
        status, _, text = self.erp.form("/web/reset_password", login="kim@people.example")
        self.assertEqual(status, 403)
        self.assertIn("ask your administrator", text)

    def test_who_is_invited_reads_it_in_his_language_and_comes_in_by_its_link(self):
        self.smtp()
        french = self.erp.call("res.lang", "search", [["code", "=", "fr_FR"], ["active", "in", [True, False]]])
        self.erp.call("res.lang", "write", french, {"active": True})
        reference = self.erp.call("ir.model.data", "check_object_reference", "mail", "invitation_template")
        self.erp.call("mail.template", "write", [reference[1]], {"subject": "{{ ctx.inviter }} vous invite"},
                      context={"lang": "fr_FR"})
        user = self.user("nora", lang="fr_FR")
        mail = self.received("nora@people.example")
        self.assertEqual(mail["Subject"], "Boss Lady vous invite")
        self.assertEqual(mail["From"], "Shop <post@shop.example>")
        self.assertEqual(mail["To"], "Nora <nora@people.example>")
        self.assertIsNotNone(mail["Date"].datetime)
        self.assertRegex(mail["Message-ID"], r"^<[^<>@\s]+@shop\.example>$")
        self.assertEqual(self.erp.call("res.users", "read", [user], ["state"])[0]["state"], "new")
        link = link_in(mail)
        self.assertEqual(link.path, "/web/signup")
        self.assertFalse(self.erp.login("nora@people.example", "nora's password"))
        status, text = self.open(link, "short")
        self.assertEqual(status, 422, text)
        self.assertIn("at least 8 characters", text)
        self.assertEqual(self.open(link, "nora's password")[0], 303)
        self.assertEqual(self.erp.login("nora@people.example", "nora's password"), user)
        self.assertEqual(self.erp.call("res.users", "read", [user], ["state"])[0]["state"], "active")
        self.assertEqual(self.open(link, "another password")[0], 410, "it works once")
        # The secret in it is not kept.
        kept = self.erp.call("mail.mail", "search_count", [["email_to", "like", "nora@"]])
        self.assertEqual(kept, 0)

        # Now that she was here it is a reset, no invitation.
        action = self.erp.call("res.users", "action_reset_password", [user])
        self.assertEqual(action["tag"], "display_notification")
        link = link_in(self.received("nora@people.example", 2))
        self.assertEqual(link.path, "/web/reset_password")
        self.assertEqual(self.open(link, "quite another one")[0], 303)
        self.assertFalse(self.erp.login("nora@people.example", "nora's password"))
        self.assertTrue(self.erp.login("nora@people.example", "quite another one"))

    def test_an_invitation_is_sent_again_and_the_one_before_ends(self):
        self.smtp()
        user = self.user("otto")
        first = link_in(self.received("otto@people.example"))
        self.erp.call("res.users", "action_reset_password", [user])
        second = link_in(self.received("otto@people.example", 2))
        self.assertEqual(second.path, "/web/signup", "he was never here: it is an invitation still")
        self.assertEqual(self.open(first, "otto's password")[0], 410)
        self.assertEqual(self.open(second, "otto's password")[0], 303)

    def test_nobody_is_invited_who_has_a_password_or_whom_the_maker_will_tell(self):
        self.smtp()
        self.user("pia", password="pia's password")
        self.erp.call("res.users", "create", {"login": "quin@people.example"}, context={"no_reset_password": True})
        self.user("rob")
        self.received("rob@people.example")
        self.assertEqual(len(self.inbox.mails), 1)

    def test_people_reset_their_password_from_the_login_page_while_that_is_switched_on(self):
        self.smtp()
        user = self.user("sue", password="sue's password")
        self.assertIn("/web/reset_password", self.erp.request("GET", "/web/login")[2])
        known = self.erp.form("/web/reset_password", login="sue@people.example")
        unknown = self.erp.form("/web/reset_password", login="nobody-here@people.example")
        self.assertEqual((known[0], known[2]), (unknown[0], unknown[2]), "it is not told who has an account")
        link = link_in(self.received("sue@people.example"))
        # Another one at once sends no second mail.
        self.erp.form("/web/reset_password", login="sue@people.example")
        self.assertEqual(self.open(link, "sue's new one")[0], 303)
        self.assertEqual(self.erp.login("sue@people.example", "sue's new one"), user)
        self.assertEqual(len(self.inbox.mails), 1)

        switch = self.erp.call("ir.config_parameter", "create", {"key": "auth_signup.reset_password", "value": "False"})
        self.addCleanup(self.erp.call, "ir.config_parameter", "unlink", [switch])
        self.assertNotIn("/web/reset_password", self.erp.request("GET", "/web/login")[2])
        status, _, text = self.erp.form("/web/reset_password", login="sue@people.example")
        self.assertEqual(status, 403)
        # The administrator still sends one.
        self.erp.call("res.users", "action_reset_password", [user])
        self.received("sue@people.example", 2)

    def test_the_least_length_of_a_password_is_a_setting(self):
        user = self.user("tom")
        length = self.erp.call("ir.config_parameter", "create", {"key": "auth_password_policy.minlength", "value": "12"})
        try:
            link = self.erp.call("res.users", "action_reset_password", [user])["params"]["links"][0]["url"]
            link = urllib.parse.urlsplit(link)
            status, text = self.open(link, "elevenchars")
            self.assertEqual(status, 422)
            self.assertIn("at least 12 characters", text)
            with self.assertRaisesRegex(AssertionError, "at least 12 characters"):
                self.erp.call("res.users", "write", [user], {"password": "elevenchars"})
            self.assertEqual(self.open(link, "twelve chars")[0], 303)
        finally:
            self.erp.call("ir.config_parameter", "unlink", [length])

    def test_a_message_is_whole_with_its_headers_text_and_files(self):
        self.smtp()
        partner = self.erp.call("res.partner", "create", {"name": "Zoë \"Z\" Lind", "email": "zoe@customer.example"})
        deal = self.erp.call("res.partner", "create", {"name": "Füllhorn AG", "is_company": True})
        file = ["Angebot für Zoë.pdf", "JVBERi0xLjQK"]
        post = {"message_type": "comment", "subtype_xmlid": "mail.mt_comment", "partner_ids": [partner]}
        self.erp.call("res.partner", "message_post", [deal], body="<p>Grüße &amp; mehr</p>", attachments=[file], **post)
        first = self.received("zoe@customer.example")
        self.assertEqual(first["Subject"], "Re: Füllhorn AG")
        self.assertEqual(first["From"], "Boss Lady <post@shop.example>")
        self.assertEqual(first["Reply-To"], "Boss Lady <boss@shop.example>")
        self.assertEqual(first["To"].addresses[0].display_name, 'Zoë "Z" Lind')
        self.assertIsNone(first["References"])
        self.assertEqual(self.inbox.mails[0][0], "post@shop.example", "bounces come to us")
        plain, html = plain_and_html(first)
        self.assertIn("Grüße & mehr", plain)
        self.assertNotIn("<", plain)
        self.assertIn("<p>Grüße &amp; mehr</p>", html)
        files = list(first.iter_attachments())
        self.assertEqual([(f.get_filename(), f.get_content()) for f in files], [(file[0], b"%PDF-1.4\n")])
        self.erp.call("res.partner", "message_post", [deal], body="And again", **post)
        second = self.received("zoe@customer.example", 2)
        self.assertEqual((second["References"], second["In-Reply-To"]), (first["Message-ID"], first["Message-ID"]))
        self.assertNotEqual(second["Message-ID"], first["Message-ID"])

    def test_starttls_and_login(self):
        asked = []

        def authenticator(server, session, envelope, mechanism, auth_data):
            asked.append((auth_data.login, auth_data.password))
            return AuthResult(success=auth_data.password == b"right", handled=False)

        server = self.smtp(tls_context=self.tls, require_starttls=True, authenticator=authenticator, auth_required=True)
        settings = {"smtp_encryption": "starttls", "smtp_user": "shop", "smtp_pass": "wrong"}
        self.erp.call("ir.mail_server", "write", [server], settings)
        mail = self.queue("una@customer.example")

        def failed(word):
            row = self.state(mail, "failure_reason", "attempts")
            return row["state"] == "outgoing" and word in (row["failure_reason"] or "").lower() and row

        until("the untrusted certificate", lambda: failed("certificate"))
        self.assertEqual(asked, [], "no password goes to a server that nobody vouches for")
        self.erp.call("ir.mail_server", "write", [server], {"smtp_ca": self.authority})
        self.erp.call("mail.mail", "mark_outgoing", [mail])
        until("the wrong password", lambda: failed("535"))
        self.assertEqual(asked[-1], (b"shop", b"wrong"))
        self.erp.call("ir.mail_server", "write", [server], {"smtp_pass": "right"})
        self.erp.call("mail.mail", "mark_outgoing", [mail])
        self.received("una@customer.example")
        self.assertEqual(asked[-1], (b"shop", b"right"))
        until("it is sent", lambda: self.state(mail)["state"] == "sent")

    def test_a_passing_refusal_is_tried_again_and_a_lasting_one_is_not(self):
        self.smtp()
        self.inbox.refusals = ["451 4.3.0 come back later"]
        mail = self.queue("vic@customer.example")

        def waiting():
            row = self.state(mail, "attempts", "due", "failure_reason", "write_date")
            return row["attempts"] == 1 and row

        row = until("the refusal", waiting)
        self.assertEqual(row["state"], "outgoing")
        self.assertIn("come back later", row["failure_reason"])
        due, tried = (time.mktime(time.strptime(row[f], "%Y-%m-%d %H:%M:%S")) for f in ("due", "write_date"))
        self.assertAlmostEqual(due - tried, 60, delta=5)
        self.assertEqual(self.inbox.mails, [])
        # The minute is over.
        self.erp.call("mail.mail", "write", [mail], {"due": "2020-01-01 00:00:00"})
        got = self.received("vic@customer.example")
        self.assertEqual(self.inbox.tries[0]["Message-ID"], got["Message-ID"], "it is the same mail")
        until("it is sent", lambda: self.state(mail)["state"] == "sent")

        mail = self.queue("nobody@customer.example")
        row = until("the lasting refusal", lambda: self.state(mail)["state"] == "exception" and self.state(mail, "failure_reason", "attempts"))
        self.assertIn("no such user here", row["failure_reason"])
        self.assertEqual(row["attempts"], 1)
        self.assertEqual(len(self.inbox.mails), 1)

    def test_after_a_stop_and_after_a_kill_everybody_has_one_mail(self):
        server = self.smtp()
        port = self.erp.call("ir.mail_server", "read", [server], ["smtp_port"])[0]["smtp_port"]
        # The mail server is in the middle of it when the ERP is killed.
        held = self.inbox.hold = threading.Event()
        killed = self.queue("wim@customer.example")
        self.assertTrue(held.wait(PATIENCE))
        self.erp.stop(signal.SIGKILL)
        self.erp.start()
        self.received("wim@customer.example")
        until("it is sent", lambda: self.state(killed)["state"] == "sent")

        self.erp.call("ir.mail_server", "write", [server], {"smtp_port": 1})
        waiting = [self.queue(f"xen{n}@customer.example") for n in range(5)]
        until("nobody listens", lambda: all(self.state(mail, "attempts")["attempts"] == 1 for mail in waiting))
        self.erp.call("ir.mail_server", "write", [server], {"smtp_port": port})
        self.erp.call("mail.mail", "mark_outgoing", waiting)
        self.erp.stop()
        self.erp.start()
        until("all of them", lambda: all(self.state(mail)["state"] == "sent" for mail in waiting))
        to = sorted(address for _, addresses, _ in self.inbox.mails for address in addresses)
        self.assertEqual(to, ["wim@customer.example"] + [f"xen{n}@customer.example" for n in range(5)])

    def test_a_copy_of_the_database_writes_to_nobody(self):
        self.smtp()
        setting = self.erp.call("ir.config_parameter", "search", [["key", "=", "database.production"]])
        self.erp.call("ir.config_parameter", "write", setting, {"value": "false"})
        mail = self.queue("yan@customer.example")
        time.sleep(2)
        self.assertEqual((self.inbox.tries, self.state(mail)["state"]), ([], "outgoing"))
        self.erp.call("ir.config_parameter", "write", setting, {"value": "true"})
        self.erp.call("mail.mail", "mark_outgoing", [mail])
        self.received("yan@customer.example")


if __name__ == "__main__":
    unittest.main()
