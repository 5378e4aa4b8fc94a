"""JSON-RPC without a library: envelopes, sessions, errors."""

import http.cookies
import json

from world import BASE, DB, LOGIN, PASSWORD, TRACE, Case, request, rpc


def call(service, method, *args):
    return rpc("/jsonrpc", {"service": service, "method": method, "args": list(args)})[0]


class Envelope(Case):
    def test_an_answer_and_an_error_have_their_shapes(self):
        self.assertEqual(call("common", "login", DB, LOGIN, PASSWORD)["result"], self.uid)
        envelope = call("object", "execute_kw", DB, self.uid, PASSWORD, "res.partner", "write", [[2**40], {"name": "x"}])
        error = envelope["error"]
        self.assertNotIn("result", envelope)
        self.assertEqual(set(error), {"code", "message", "data"})
        self.assertEqual((error["code"], error["message"]), (200, "Odoo Server Error"))
        data = error["data"]
        self.assertEqual(set(data), {"name", "message", "arguments", "context", "debug"})
        self.assertEqual(data["name"], "odoo.exceptions.MissingError")
        self.assertEqual(data["arguments"], [data["message"]])
        self.assertTrue(data["debug"].startswith(TRACE))
        self.assert_tells_nothing(json.dumps(envelope))

    def test_errors_are_named_as_clients_expect(self):
        self.forgive()
        def name(*args):
            envelope = call("object", "execute_kw", DB, self.uid, PASSWORD, *args)
            self.assert_tells_nothing(json.dumps(envelope))
            return envelope["error"]["data"]["name"]

        self.assertEqual(name("res.partner", "_search", []), "odoo.exceptions.AccessError")
        self.assertEqual(name("res.partner", "nomethod", []), "builtins.AttributeError")
        self.assertEqual(name("no.model", "read", []), "odoo.exceptions.UserError")
        self.assertEqual(name("res.partner", "read", [[1], ["nope"]]), "builtins.ValueError")
        self.assertEqual(name("res.partner", "write", [[1], {"nope": 1}]), "builtins.KeyError")
        self.assertEqual(name("res.partner", "create", [{"name": {}}]), "odoo.exceptions.ValidationError")
        envelope = call("object", "execute_kw", DB, self.uid, "wrong", "res.partner", "read", [[1]])
        self.assertEqual(envelope["error"]["data"]["name"], "odoo.exceptions.AccessDenied")
        self.assertEqual(envelope["error"]["data"]["message"], "Access Denied")

    def test_what_is_no_json_is_refused_by_http(self):
        for body in (b"", b"{", b"[]"):
            status, _, answer = request("POST", "/jsonrpc", body, {"Content-Type": "application/json"})
            self.assertEqual((status, answer), (400, b"Invalid JSON data"))

    def test_nothing_is_null_here(self):
        envelope = call("object", "execute", DB, self.uid, PASSWORD, "res.partner", "check_access_rule", [], "read")
        self.assertIsNone(envelope["result"])
        made = call("object", "execute", DB, self.uid, PASSWORD, "res.company", "get_external_id", [1])["result"]
        self.assertEqual(made, {"1": "base.main_company"})


class Session(Case):
    def sign_in(self):
        envelope, headers = rpc("/web/session/authenticate", {"db": DB, "login": LOGIN, "password": PASSWORD})
        cookie = http.cookies.SimpleCookie(headers["Set-Cookie"])["session_id"]
        self.assertTrue(cookie["httponly"])
        self.assertEqual((cookie["path"], cookie["max-age"]), ("/", "604800"))
        return envelope["result"], cookie.value

    def test_a_session_calls_with_its_cookie_until_it_ends(self):
        info, value = self.sign_in()
        for key in ("uid", "is_system", "is_admin", "user_context", "db", "server_version", "server_version_info", "name",
                    "username", "partner_id", "partner_display_name", "web.base.url", "user_companies", "currencies",
                    "active_ids_limit", "max_file_upload_size", "user_id", "user_settings", "web_tours", "show_effect",
                    "display_switch_company_menu", "cache_hashes"):
            self.assertIn(key, info)
        self.assertEqual((info["uid"], info["db"], info["username"]), (self.uid, DB, LOGIN))
        cookie = {"Cookie": f"session_id={value}"}
        params = {"model": "res.partner", "method": "search_count", "args": [[]], "kwargs": {}}
        for path in ("/web/dataset/call_kw", "/web/dataset/call_kw/res.partner/search_count", "/web/dataset/call"):
            self.assertIsInstance(rpc(path, params, cookie)[0]["result"], int)
        self.assertIsInstance(rpc("/web/dataset/call_kw", params, {"X-Openerp-Session-Id": value})[0]["result"], int)
        self.assertIs(rpc("/web/dataset/call_button", params, cookie)[0]["result"], False)
        self.assertEqual(rpc("/web/session/get_session_info", {}, cookie)[0]["result"]["uid"], self.uid)
        self.assertIsNone(rpc("/web/session/check", {}, cookie)[0]["result"])
        self.assertIsNone(rpc("/web/session/destroy", {}, cookie)[0]["result"])
        for path in ("/web/session/get_session_info", "/web/session/check", "/web/dataset/call_kw"):
            error = rpc(path, params, cookie)[0]["error"]
            self.assertEqual((error["code"], error["message"]), (100, "Odoo Session Expired"))
            self.assertEqual(error["data"]["name"], "odoo.http.SessionExpiredException")

    def test_a_wrong_password_and_a_wrong_database_are_errors(self):
        self.forgive()
        error = rpc("/web/session/authenticate", {"db": DB, "login": LOGIN, "password": "wrong"})[0]["error"]
        self.assertEqual(error["data"]["name"], "odoo.exceptions.AccessDenied")
        self.assertIn("error", rpc("/web/session/authenticate", {"db": "x", "login": LOGIN, "password": PASSWORD})[0])

    def test_a_page_of_another_site_cannot_use_the_session(self):
        _, value = self.sign_in()
        params = {"model": "res.partner", "method": "search_count", "args": [[]], "kwargs": {}}
        body = {"jsonrpc": "2.0", "params": params}
        json_headers = {"Cookie": f"session_id={value}", "Content-Type": "application/json"}
        for more in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
            status, _, _ = request("POST", "/web/dataset/call_kw", body, {**json_headers, **more})
            self.assertEqual(status, 403, more)
        for kind in ("text/plain", "application/x-www-form-urlencoded"):
            status, _, _ = request("POST", "/web/dataset/call_kw", body, {**json_headers, "Content-Type": kind})
            self.assertEqual(status, 400, kind)
        # The cookie of API clients opens no page.
        status, _, _ = request("GET", "/web/session", None, {"Cookie": f"session_id={value}"})
        self.assertEqual(status, 401)

    def test_what_clients_ask_before_they_sign_in(self):
        self.assertEqual(rpc("/web/webclient/version_info", {})[0]["result"]["server_serie"], "16.0")
        self.assertEqual(rpc("/web/database/list", {})[0]["result"], [DB])
        status, _, body = request("GET", "/web/version")
        self.assertEqual((status, json.loads(body)), (200, {"version_info": [16, 0, 0, "final", 0, ""], "version": "16.0"}))
        status, headers, body = request("GET", "/web/binary/company_logo")
        self.assertEqual((status, headers["Content-Type"], body[:4]), (200, "image/png", b"\x89PNG"))
        self.assertTrue(BASE.startswith("https://"))
