"""XML-RPC as Python's own library speaks it: values, faults, both versions of the protocol."""

import base64
import xmlrpc.client

from world import DB, LOGIN, PASSWORD, TRACE, Case, proxy, request


class Common(Case):
    def test_the_version_is_told_to_everybody(self):
        told = proxy("common").version()
        self.assertEqual(told["server_version"], "16.0")
        self.assertEqual(told["server_version_info"], [16, 0, 0, "final", 0, ""])
        self.assertEqual(told["server_serie"], "16.0")
        self.assertEqual(told["protocol_version"], 1)
        self.assertEqual(proxy("common", "").version(), told)

    def test_a_login_answers_an_id_and_a_wrong_one_false(self):
        self.forgive()
        common = proxy("common")
        self.assertEqual(common.login(DB, LOGIN, PASSWORD), self.uid)
        self.assertIs(common.authenticate(DB, LOGIN, "wrong", {}), False)
        self.assertIs(common.login(DB, "nobody", "wrong"), False)
        fault = self.assert_fault(1, "does not exist", common.login, "nodb", LOGIN, PASSWORD)
        self.assertTrue(fault.faultString.startswith(TRACE))

    def test_databases_are_listed_and_not_touched(self):
        db = proxy("db")
        self.assertEqual(db.list(), [DB])
        self.assertIs(db.db_exist(DB), True)
        self.assertIs(db.db_exist("other"), False)
        self.assertEqual(db.server_version(), "16.0")
        self.assertIsInstance(db.list_lang(), list)
        for method in ("drop", "dump", "create_database", "duplicate_database", "restore", "rename"):
            self.assert_fault(3, "erp backup", getattr(db, method), "master", DB)


class Records(Case):
    def test_a_record_lives_and_dies(self):
        partner = self.execute("res.partner", "create", {"name": "Azure", "email": "a@azure.example", "phone": "1"})
        self.assertIsInstance(partner, int)
        pair = self.execute("res.partner", "create", [{"name": "B1"}, {"name": "B2"}])
        self.assertEqual(len(pair), 2)
        self.assertIsInstance(self.execute("res.partner", "create", [{"name": "B3"}]), list)
        self.assertEqual(
            self.execute("res.partner", "read", [partner], ["name", "email", "street", "parent_id", "child_ids"]),
            [{"id": partner, "name": "Azure", "email": "a@azure.example", "street": False, "parent_id": False,
              "child_ids": []}],
        )
        self.assertEqual(
            [row["id"] for row in self.execute("res.partner", "read", [pair[1], partner, pair[0]], ["name"])],
            [pair[1], partner, pair[0]],
        )
        self.assertEqual(self.execute("res.partner", "read", partner, ["name"]), [{"id": partner, "name": "Azure"}])
        self.assertEqual(self.execute("res.partner", "search", [["id", "in", pair]], order="id desc"), pair[::-1])
        self.assertEqual(self.execute("res.partner", "search_count", [("id", "in", [partner] + pair)]), 3)
        found = self.execute("res.partner", "search_read", [["id", "in", pair]], ["name"], limit=1, offset=1, order="id")
        self.assertEqual(found, [{"id": pair[1], "name": "B2"}])
        self.assertIs(self.execute("res.partner", "write", [partner], {"name": "Azure Interior"}), True)
        self.assertEqual(self.execute("res.partner", "name_search", "Azure Int"), [[partner, "Azure Interior"]])
        self.assertEqual(self.execute("res.partner", "name_get", [partner]), [[partner, "Azure Interior"]])
        self.assertIs(self.execute("res.partner", "unlink", pair), True)
        self.assertEqual(self.execute("res.partner", "exists", [partner] + pair), [partner])
        self.assertEqual(self.execute("res.partner", "read", pair, ["name"]), [])

    def test_a_reference_reads_as_id_and_name_or_bare(self):
        parent = self.execute("res.partner", "create", {"name": "Parent", "is_company": True})
        child = self.execute("res.partner", "create", {"name": "Child", "parent_id": parent})
        self.assertEqual(self.execute("res.partner", "read", [child], ["parent_id"])[0]["parent_id"], [parent, "Parent"])
        bare = self.execute("res.partner", "read", [child], ["parent_id"], load="_classic_write")
        self.assertEqual(bare, [{"id": child, "parent_id": parent}])
        self.assertEqual(self.execute("res.partner", "read", [parent], ["child_ids"])[0]["child_ids"], [child])
        self.assertEqual(self.execute("res.partner", "search", [["parent_id.name", "=", "Parent"], ["id", "=", child]]), [child])
        self.assertEqual(self.execute("res.partner", "search", [["child_ids.name", "=", "Child"], ["id", "=", parent]]), [parent])
        self.assertEqual(self.execute("res.partner", "search", [["id", "child_of", parent]], order="id"), [parent, child])

    def test_lists_of_records_take_commands_in_both_forms(self):
        tags = self.execute("res.partner.category", "create", [{"name": "T1"}, {"name": "T2"}, {"name": "T3"}])
        partner = self.execute(
            "res.partner", "create",
            {"name": "Tagged", "category_id": [(6, 0, tags[:2])], "child_ids": [(0, 0, {"name": "C1"}), (0, 0, {"name": "C2"})]},
        )

        def lists():
            row = self.execute("res.partner", "read", [partner], ["category_id", "child_ids"])[0]
            return sorted(row["category_id"]), row["child_ids"]

        self.assertEqual(lists()[0], tags[:2])
        first, second = sorted(lists()[1])
        self.execute("res.partner", "write", [partner], {"category_id": [(4, tags[2]), (3, tags[0])]})
        self.assertEqual(lists()[0], tags[1:])
        self.execute("res.partner", "write", [partner], {"child_ids": [(1, first, {"name": "C1b"}), (2, second, 0)]})
        self.assertEqual(lists()[1], [first])
        self.assertEqual(self.execute("res.partner", "read", [first], ["name"])[0]["name"], "C1b")
        self.execute("res.partner", "write", [partner], {"category_id": [(5,)]})
        self.assertEqual(lists()[0], [])
        self.execute("res.partner", "write", [partner], {"category_id": [[6, 0, tags]]})
        self.assertEqual(lists()[0], tags)

    def test_times_and_files_are_text(self):
        partner = self.execute("res.partner", "create", {"name": "Dated"})
        row = self.execute("res.partner", "read", [partner], ["create_date"])[0]
        self.assertRegex(row["create_date"], r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$")
        same = self.execute("res.partner", "search", [["id", "=", partner], ["create_date", ">=", "2020-01-01 00:00:00"]])
        self.assertEqual(same, [partner])
        attachment = self.execute("ir.attachment", "create", {"name": "a.txt", "datas": base64.b64encode(b"hello").decode()})
        row = self.execute("ir.attachment", "read", [attachment], ["datas"])[0]
        self.assertEqual(base64.b64decode(row["datas"]), b"hello")

    def test_fields_are_described(self):
        fields = self.execute("res.partner", "fields_get")
        for name in ("change_default", "company_dependent", "context", "default_export_compatible", "depends", "domain",
                     "exportable", "groupable", "manual", "name", "readonly", "relation", "required", "searchable",
                     "sortable", "store", "string", "type"):
            self.assertIn(name, fields["parent_id"], name)
        self.assertEqual(fields["parent_id"]["relation"], "res.partner")
        self.assertEqual(fields["child_ids"]["type"], "one2many")
        self.assertEqual(fields["child_ids"]["relation_field"], "parent_id")
        self.assertEqual(fields["category_id"]["type"], "many2many")
        self.assertIn(["contact", "Contact"], fields["type"]["selection"])
        self.assertEqual(self.execute("res.partner", "fields_get", ["name"], ["type"]), {"name": {"type": "char"}})

    def test_groups_are_counted(self):
        country = self.execute("res.country", "search", [["code", "=", "BE"]])[0]
        made = self.execute("res.partner", "create", [{"name": f"G{n}", "country_id": country if n else False, "zip": "G"}
                                                      for n in range(3)])
        rows = self.execute("res.partner", "read_group", [["id", "in", made]], ["country_id"], ["country_id"])
        by_key = {row["country_id"] and row["country_id"][0]: row for row in rows}
        self.assertEqual(by_key[country]["country_id_count"], 2)
        self.assertEqual(by_key[False]["country_id_count"], 1)
        self.assertEqual(by_key[country]["country_id"], [country, "Belgium"])
        for row in rows:
            self.assertEqual(self.execute("res.partner", "search_count", row["__domain"]), row["country_id_count"])
        rows = self.execute("res.partner", "read_group", [["id", "in", made]], ["country_id"], ["country_id"], lazy=False)
        self.assertEqual(sorted(row["__count"] for row in rows), [1, 2])
        rows = self.execute("res.partner", "read_group", [["id", "in", made]], [], ["create_date:month"])
        self.assertEqual(len(rows), 1)
        self.assertIn("create_date:month", rows[0])
        self.assertIn("create_date:month", rows[0]["__range"])

    def test_a_copy_is_a_new_record(self):
        partner = self.execute("res.partner", "create", {"name": "Original", "email": "o@example.com"})
        copy = self.execute("res.partner", "copy", partner, {"name": "Copied"})
        self.assertIsInstance(copy, int)
        row = self.execute("res.partner", "read", [copy], ["name", "email"])[0]
        self.assertEqual(row, {"id": copy, "name": "Copied", "email": "o@example.com"})

    def test_rights_and_origins_can_be_asked_for(self):
        self.assertIs(self.execute("res.partner", "check_access_rights", "write", False), True)
        self.assertIs(self.execute("ir.model.access", "check", "res.partner", "read"), True)
        self.assertEqual(self.execute("res.users", "context_get")["uid"], self.uid)
        company = self.execute("ir.model.data", "check_object_reference", "base", "main_company")
        self.assertEqual(company[0], "res.company")
        meta = self.execute("res.company", "get_metadata", [company[1]])[0]
        self.assertEqual(meta["xmlid"], "base.main_company")
        self.assertEqual(set(meta), {"id", "create_uid", "create_date", "write_uid", "write_date", "xmlid", "noupdate", "xmlids"})


class Faults(Case):
    def test_each_failure_has_its_number(self):
        self.forgive()
        execute = self.execute
        self.assert_fault(3, "Access Denied", self.object.execute_kw, DB, self.uid, "wrong", "res.partner", "read", [[1]])
        self.assert_fault(4, "Private methods (such as 'res.partner._search') cannot be called remotely.",
                          execute, "res.partner", "_search", [])
        self.assert_fault(1, "The method 'res.partner.nomethod' does not exist", execute, "res.partner", "nomethod")
        self.assert_fault(2, "Object no.model doesn't exist", execute, "no.model", "read", [1])
        gone = execute("res.partner", "create", {"name": "Gone"})
        execute("res.partner", "unlink", [gone])
        fault = self.assert_fault(2, "Record does not exist or has been deleted.", execute, "res.partner", "write", [gone], {"name": "x"})
        self.assertIn(f"(Record: res.partner({gone},)", fault.faultString)
        self.assert_fault(2, "Record does not exist", execute, "res.partner", "unlink", [gone])
        fault = self.assert_fault(1, "ValueError: Invalid field 'nope' on model 'res.partner'", execute, "res.partner", "read", [1], ["nope"])
        self.assertTrue(fault.faultString.startswith(TRACE))
        self.assert_fault(1, "Invalid field res.partner.nope in condition", execute, "res.partner", "search", [["nope", "=", 1]])
        self.assert_fault(1, "Invalid operator in condition ('name', '~~', 'x')", execute, "res.partner", "search", [["name", "~~", "x"]])
        self.assert_fault(1, "Invalid field 'nope' on model 'res.partner'", execute, "res.partner", "search", [], order="nope")
        fault = self.assert_fault(1, "KeyError: 'nofield'", execute, "res.partner", "write", [1], {"nofield": 1})
        self.assertTrue(fault.faultString.endswith("KeyError: 'nofield'"))
        self.assert_fault(1, "TypeError", execute, "res.partner", "search", [], nonsense=1)

    def test_the_older_protocol_has_words_for_numbers(self):
        self.forgive()
        objects = proxy("object", "")

        def execute(*args, password=PASSWORD):
            return objects.execute(DB, self.uid, password, *args)

        fault = self.assert_fault("AccessDenied", "Access Denied", execute, "res.partner", "read", [1], password="wrong")
        self.assertEqual(fault.faultString, "Access Denied")
        gone = execute("res.partner", "create", {"name": "Gone"})
        execute("res.partner", "unlink", [gone])
        with self.assertRaises(xmlrpc.client.Fault) as caught:
            execute("res.partner", "write", [gone], {"name": "x"})
        self.assertTrue(caught.exception.faultCode.startswith("warning -- MissingError\n\nRecord does not exist"))
        with self.assertRaises(xmlrpc.client.Fault) as caught:
            execute("res.partner", "_search", [])
        self.assertTrue(caught.exception.faultCode.startswith("warning -- AccessError\n\nPrivate methods"))

    def test_nothing_answered_is_a_fault_here(self):
        self.assert_fault(1, "cannot marshal None", self.execute, "res.partner", "check_access_rule", [], "read")

    def test_what_is_no_call_is_a_fault_or_refused(self):
        for body in (b"", b"<nonsense>", b"\xff\xfe", b"<methodCall><methodName>x</methodName><params><param/></params></methodCall>"):
            status, headers, answer = request("POST", "/xmlrpc/2/common", body, {"Content-Type": "text/xml"})
            self.assertEqual(status, 200)
            self.assertTrue(headers["Content-Type"].startswith("text/xml"))
            self.assertIn(b"<fault>", answer)
            self.assert_tells_nothing(answer.decode())
        self.assert_fault(1, "does not exist", proxy("common").nonsense)

    def test_old_ways_to_write_values_are_read(self):
        body = f"""<?xml version="1.0"?><methodCall><methodName>execute</methodName><params>
            <param><value>{DB}</value></param><param><value><i4>{self.uid}</i4></value></param>
            <param><value>{PASSWORD}</value></param><param><value>res.partner</value></param>
            <param><value>search_count</value></param>
            <param><value><array><data/></array></value></param><param><value><nil/></value></param>
            </params></methodCall>""".encode()
        status, _, answer = request("POST", "/xmlrpc/2/object", body)
        self.assertEqual(status, 200)
        self.assertRegex(answer.decode(), r"<int>\d+</int>")
