"""What all tests here share: where the server is, and ways to reach it without a client library."""

import http.client
import json
import os
import ssl
import unittest
import xmlrpc.client

HOST = "localhost"
PORT = int(os.environ["ERP_PORT"])
DB = os.environ["ERP_DB"]
LOGIN = "admin"
PASSWORD = os.environ["ERP_PASSWORD"]
BASE = f"https://{HOST}:{PORT}"

TRACE = "Traceback (most recent call last):\n  File"
# Nothing of the program's inside is told: paths, crates, SQL.
INSIDE = ("/work", "/home", "src/", ".rs", "sqlx", "panicked", "SELECT ", "INSERT ", "UPDATE ")


def context():
    return ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])


def proxy(service, version="/2"):
    return xmlrpc.client.ServerProxy(f"{BASE}/xmlrpc{version}/{service}", context=context())


def request(method, path, body=None, headers=None):
    """Status, headers, body as bytes."""
    connection = http.client.HTTPSConnection(HOST, PORT, context=context(), timeout=30)
    try:
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def rpc(path, params, headers=None):
    """The envelope of a JSON-RPC answer, and its headers."""
    sent = {"jsonrpc": "2.0", "method": "call", "id": 7, "params": params}
    all_headers = {"Content-Type": "application/json", **(headers or {})}
    status, answered, body = request("POST", path, sent, all_headers)
    assert status == 200, (status, body)
    envelope = json.loads(body)
    assert envelope["id"] == 7 and envelope["jsonrpc"] == "2.0", envelope
    return envelope, answered


def make_key(execute, name):
    """As a client does it: ask, prove who one is, read the key."""
    asked = execute("res.users.apikeys.description", "create", {"name": name, "duration": "30"})
    action = execute("res.users.apikeys.description", "make_key", [asked])
    assert action["res_model"] == "res.users.identitycheck", action
    action = execute("res.users.identitycheck", "run_check", [action["res_id"]], context={"password": PASSWORD})
    return action["context"]["default_key"]


class Case(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.uid = proxy("common").authenticate(DB, LOGIN, PASSWORD, {})
        assert isinstance(cls.uid, int) and cls.uid, cls.uid
        cls.object = proxy("object")

    def forgive(self):
        """Wrong passwords make an address and a login wait; a right secret that is not yet known lets them begin anew."""
        key = make_key(self.execute, "a right secret")
        assert proxy("common").login(DB, LOGIN, key) == self.uid
        assert self.object.execute_kw(DB, self.uid, key, "res.users", "search_count", [[["id", "=", self.uid]]]) == 1

    def execute(self, model, method, *args, **kwargs):
        return self.object.execute_kw(DB, self.uid, PASSWORD, model, method, list(args), kwargs)

    def assert_tells_nothing(self, text):
        for word in INSIDE:
            self.assertNotIn(word, text)

    def assert_fault(self, code, text, call, *args, **kwargs):
        with self.assertRaises(xmlrpc.client.Fault) as caught:
            call(*args, **kwargs)
        fault = caught.exception
        self.assertEqual(fault.faultCode, code, fault.faultString)
        self.assertIn(text, fault.faultString)
        self.assert_tells_nothing(str(fault.faultString))
        return fault
