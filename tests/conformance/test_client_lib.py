"""odoo-client-lib 2.0.1, unchanged, in each of its protocols over TLS."""

import odoolib

from world import DB, HOST, LOGIN, PASSWORD, PORT, Case, make_key


class Records:
    def test_records_are_made_found_changed_and_deleted(self):
        partners = self.connection.get_model("res.partner")
        made = partners.create({"name": f"Lib {self.protocol}"})
        made = made if isinstance(made, list) else [made]
        self.assertEqual(partners.search([("name", "=", f"Lib {self.protocol}")]), made)
        self.assertEqual(partners.read(made, ["name"]) if self.protocol == "json2s" else partners.read(made, ["name"])[0],
                         {"id": made[0], "name": f"Lib {self.protocol}"})
        found = partners.search_read([("id", "in", made)], ["name"])
        self.assertEqual(found, [{"id": made[0], "name": f"Lib {self.protocol}"}])
        self.assertIs(partners.write(made, {"name": "changed"}), True)
        self.assertEqual(partners.search_count([("id", "in", made), ("name", "=", "changed")]), 1)
        self.assertIs(partners.unlink(made), True)
        self.assertEqual(partners.search([("id", "in", made)]), [])

    def test_fields_are_described(self):
        fields = self.connection.get_model("res.partner").fields_get()
        self.assertEqual(fields["parent_id"]["relation"], "res.partner")


class ByPassword(Records):
    def setUp(self):
        self.connection = odoolib.get_connection(
            hostname=HOST, protocol=self.protocol, port=PORT, database=DB, login=LOGIN, password=PASSWORD)

    def test_the_login_is_checked(self):
        self.forgive()
        self.connection.check_login()
        self.assertEqual(self.connection.get_user_context()["uid"], self.connection.user_id)
        wrong = odoolib.get_connection(
            hostname=HOST, protocol=self.protocol, port=PORT, database=DB, login=LOGIN, password="wrong")
        with self.assertRaises(Exception):
            wrong.check_login(force=True)


class XmlRpc(ByPassword, Case):
    protocol = "xmlrpcs"


class JsonRpc(ByPassword, Case):
    protocol = "jsonrpcs"


class Json2(Records, Case):
    protocol = "json2s"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.key = make_key(lambda *a, **k: Case.execute(cls, *a, **k), "client-lib")

    def setUp(self):
        self.connection = odoolib.get_connection(
            hostname=HOST, protocol=self.protocol, port=PORT, database=DB, login=LOGIN, password=self.key)
