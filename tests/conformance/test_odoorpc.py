"""OdooRPC 0.10.1, unchanged."""

import datetime

import odoorpc

from world import DB, HOST, LOGIN, PASSWORD, PORT, Case


class OdooRpc(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.odoo = odoorpc.ODOO(HOST, protocol="jsonrpc+ssl", port=PORT)
        cls.odoo.login(DB, LOGIN, PASSWORD)

    def test_it_signs_in_and_knows_itself(self):
        self.forgive()
        self.assertEqual(self.odoo.version, "16.0")
        self.assertEqual(self.odoo.db.list(), [DB])
        self.assertEqual(self.odoo.env.user.login, LOGIN)
        self.assertEqual(self.odoo.env.user.id, self.odoo.env.uid)
        self.assertIn("lang", self.odoo.env.context)
        with self.assertRaises(odoorpc.error.RPCError):
            odoorpc.ODOO(HOST, protocol="jsonrpc+ssl", port=PORT).login(DB, LOGIN, "wrong")

    def test_records_are_made_browsed_changed_and_deleted(self):
        partners = self.odoo.env["res.partner"]
        made = partners.create({"name": "Odoo RPC", "is_company": True})
        self.assertIsInstance(made, int)
        record = partners.browse(made)
        self.assertEqual((record.name, record.is_company, record.email), ("Odoo RPC", True, False))
        self.assertIsInstance(record.create_date, datetime.datetime)
        record.email = "rpc@example.com"
        record.write({"phone": "12"})
        self.assertEqual(partners.search_read([("id", "=", made)], ["email", "phone"])[0]["phone"], "12")
        self.assertEqual(partners.name_search("Odoo RPC")[0], [made, "Odoo RPC"])
        self.assertIs(partners.unlink([made]), True)
        self.assertEqual(partners.search([("id", "=", made)]), [])

    def test_lists_of_records_are_changed_in_place(self):
        tags = [self.odoo.env["res.partner.category"].create({"name": f"rpc {n}"}) for n in range(2)]
        parent = self.odoo.env["res.partner"].create({"name": "Parent"})
        child = self.odoo.env["res.partner"].create({"name": "Child", "parent_id": parent})
        record = self.odoo.env["res.partner"].browse(parent)
        record.category_id = tags
        self.assertEqual(sorted(record.category_id.ids), tags)
        record.category_id -= tags[0]
        record = self.odoo.env["res.partner"].browse(parent)
        self.assertEqual(record.category_id.ids, [tags[1]])
        self.assertEqual(record.child_ids.ids, [child])
        self.assertEqual(self.odoo.env["res.partner"].browse(child).parent_id.name, "Parent")

    def test_external_ids_and_languages(self):
        self.assertEqual(self.odoo.env.ref("base.main_company")._name, "res.company")
        self.assertEqual(self.odoo.env["res.company"].browse(1).with_context(lang="en_US").id, 1)
        with self.assertRaises(odoorpc.error.RPCError):
            self.odoo.env.ref("base.nothing")

    def test_errors_carry_message_and_info(self):
        with self.assertRaises(odoorpc.error.RPCError) as caught:
            self.odoo.execute("res.partner", "nomethod")
        self.assertIn("nomethod", str(caught.exception))
        self.assertTrue(caught.exception.info["data"]["debug"].startswith("Traceback"))

    def test_reports_are_listed(self):
        self.assertIsInstance(self.odoo.report.list(), dict)
