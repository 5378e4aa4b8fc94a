"""API keys, JSON-2 and its documentation."""

import json

from world import DB, Case, make_key, proxy, request


class Json2(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.key = make_key(lambda *a, **k: Case.execute(cls, *a, **k), "conformance")

    def post(self, model, method, body, key=None, **headers):
        sent = {"Authorization": f"bearer {key or self.key}", "Content-Type": "application/json", **headers}
        status, answered, answer = request("POST", f"/json/2/{model}/{method}", body, sent)
        return status, json.loads(answer) if answered["Content-Type"].startswith("application/json") else answer

    def test_a_key_is_forty_hex_digits_and_as_good_as_the_password(self):
        self.assertRegex(self.key, r"^[0-9a-f]{40}$")
        self.assertEqual(proxy("common").authenticate(DB, "admin", self.key, {}), self.uid)
        count = self.object.execute_kw(DB, self.uid, self.key, "res.partner", "search_count", [[]])
        self.assertIsInstance(count, int)
        rows = self.execute("res.users.apikeys", "search_read", [["name", "=", "conformance"]])
        self.assertNotIn(self.key, json.dumps(rows))
        self.assertNotIn("key_hash", rows[0])

    def test_a_wrong_password_makes_no_key_and_an_ended_key_opens_nothing(self):
        asked = self.execute("res.users.apikeys.description", "create", {"name": "no"})
        action = self.execute("res.users.apikeys.description", "make_key", [asked])
        self.assert_fault(2, "Incorrect Password", self.execute, "res.users.identitycheck", "run_check",
                          [action["res_id"]], context={"password": "wrong"})
        key = make_key(self.execute, "short-lived")
        self.assertEqual(self.post("res.partner", "search_count", {"domain": []}, key=key)[0], 200)
        rows = self.execute("res.users.apikeys", "search", [["name", "=", "short-lived"]])
        self.execute("res.users.apikeys", "remove", rows)
        self.assertEqual(self.post("res.partner", "search_count", {"domain": []}, key=key)[0], 401)

    def test_calls_take_names_and_answer_bare_results(self):
        status, made = self.post("res.partner", "create", {"vals_list": {"name": "J1"}})
        self.assertEqual((status, len(made)), (200, 1))
        status, rows = self.post("res.partner", "read", {"ids": made, "fields": ["name"]})
        self.assertEqual((status, rows), (200, [{"id": made[0], "name": "J1"}]))
        self.assertEqual(self.post("res.partner", "write", {"ids": made, "vals": {"name": "J2"}}), (200, True))
        status, rows = self.post("res.partner", "search_read", {"domain": [["id", "in", made]], "fields": ["name"], "limit": 5})
        self.assertEqual(rows, [{"id": made[0], "name": "J2"}])
        self.assertEqual(self.post("res.partner", "unlink", {"ids": made}), (200, True))

    def test_failures_have_https_own_status(self):
        def failure(model, method, body, **headers):
            status, answer = self.post(model, method, body, **headers)
            self.assertEqual(set(answer), {"name", "message", "arguments", "context", "debug"})
            self.assert_tells_nothing(json.dumps(answer))
            return status, answer["name"].rsplit(".")[-1]

        self.assertEqual(failure("res.partner", "search", {"domain": []}, key="0" * 40), (401, "AccessDenied"))
        self.assertEqual(failure("res.partner", "_search", {}), (403, "AccessError"))
        self.assertEqual(failure("no.model", "read", {"ids": [1]}), (404, "UserError"))
        self.assertEqual(failure("res.partner", "nomethod", {}), (404, "AttributeError"))
        self.assertEqual(failure("res.partner", "write", {"ids": [2**40], "vals": {"name": "x"}}), (404, "MissingError"))
        self.assertEqual(failure("res.partner", "search", {}), (422, "TypeError"))
        self.assertEqual(failure("res.partner", "search", {"domain": [], "ids": [1]}), (422, "TypeError"))
        self.assertEqual(failure("res.partner", "search", {"domain": [["nope", "=", 1]]}), (500, "ValueError"))
        self.assertEqual(failure("res.partner", "search", {"domain": []}, **{"X-Odoo-Database": "other"})[0], 404)
        status, answer = self.post("res.partner", "search", {"domain": []}, **{"Content-Type": "text/plain"})
        self.assertEqual(status, 415)
        status, _, _ = request("POST", "/json/2/res.partner/search", {"domain": []}, {"Content-Type": "application/json"})
        self.assertEqual(status, 401)

    def test_the_documentation_names_parameters_in_their_order(self):
        bearer = {"Authorization": f"Bearer {self.key}"}
        status, _, body = request("GET", "/doc-bearer/res.partner.json", None, bearer)
        self.assertEqual(status, 200)
        document = json.loads(body)
        search = document["methods"]["search_read"]
        self.assertEqual(list(search["parameters"])[:5], ["domain", "fields", "offset", "limit", "order"])
        self.assertIn("model", search["api"])
        self.assertNotIn("model", document["methods"]["write"]["api"])
        self.assertEqual(document["fields"]["name"]["module"], "base")
        status, _, body = request("GET", "/doc-bearer/index.json", None, bearer)
        self.assertIn("res.partner", [model["model"] for model in json.loads(body)["models"]])
        self.assertEqual(request("GET", "/doc-bearer/index.json")[0], 401)

    def test_openapi_describes_what_the_user_may_call(self):
        status, _, body = request("GET", "/json/2/openapi.json", None, {"Authorization": f"Bearer {self.key}"})
        self.assertEqual(status, 200)
        document = json.loads(body)
        self.assertEqual(document["openapi"], "3.1.0")
        operation = document["paths"]["/json/2/res.partner/search"]["post"]
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        self.assertEqual(schema["required"], ["domain"])
        self.assertIn("name", document["components"]["schemas"]["res.partner"]["properties"])
        names = [o["post"]["operationId"] for o in document["paths"].values()]
        self.assertEqual(len(names), len(set(names)))
