//! Records that apps bring in files.

use erp_engine::{
    Engine, Id, Install, Options, Search, Value,
    declare::{App, Field, Model, OnDelete},
    domain, values,
};

use super::shop::{self, ADMIN};
use crate::{on_both, support::TestDb};

fn world(version: &str) -> App {
    App::new("world", "World")
        .depends(&["shop"])
        .version(version)
        .model(
            Model::new("country", "Country")
                .field(Field::char("name").required())
                .field(Field::char("code").unique())
                .field(Field::integer("phone"))
                .field(Field::boolean("european"))
                .field(Field::many2many("neighbours", "country").through("country_neighbour", "a", "b")),
        )
        .model(
            Model::new("state", "State")
                .field(Field::char("name").required())
                .field(Field::many2one("country", "country").required().ondelete(OnDelete::Cascade))
                .field(Field::text("note"))
                .field(Field::datetime("since"))
                .field(Field::json("more")),
        )
}

const COUNTRIES: &str =
    "id,name,code,phone,european\nbe,Belgium,BE,32,1\nfr,France,FR,33,True\nus,\"United\nStates\",US,1,0\n";
const STATES: &str = "id,name,country:id\nwal,Wallonia,be\nny,New York,world.us\n";
const RECORDS: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<odoo>
    <data>
        <record id="flanders" model="state">
            <field name="name">Flanders</field>
            <field name="country" ref="nl_later"/>
            <field name="since">1962-11-08 00:00:00</field>
            <field name="more" eval="{'flag': 'lion', 'n': [1, 2]}"/>
        </record>
        <record id="nl_later" model="country">
            <field name="name">Netherlands</field>
            <field name="phone">31</field>
            <field name="european" eval="True"/>
            <field name="neighbours" eval="[(6, 0, [ref('be'), ref('world.fr')])]"/>
        </record>
        <record id="paris" model="state">
            <field name="name">Paris</field>
            <field name="country" search="[('code', '=', 'FR')]"/>
            <field name="note" type="xml"><b class="x">City</b> <i/></field>
        </record>
    </data>
    <data noupdate="1">
        <record id="kept" model="state">
            <field name="name">Kept</field>
            <field name="country" ref="be"/>
        </record>
        <function model="state" name="write" eval="[[ref('kept')], {'note': 'by function'}]"/>
    </data>
</odoo>"#;

async fn open(db: &TestDb, apps: &[App]) -> Engine {
    let options = Options { install: Install::New(vec!["shop".to_owned()]), required: vec!["shop".to_owned()] };
    Engine::open_with(db.connect().await, apps, options).await.unwrap()
}

async fn id(engine: &Engine, external_id: &str) -> Id {
    engine.begin(ADMIN).await.unwrap().by_external_id(external_id).await.unwrap().expect(external_id)
}

async fn refused(db: &TestDb, files: &[(&str, &str)]) -> String {
    let app = files.iter().fold(world("1"), |app, (name, content)| app.file(name, content));
    let engine = open(db, &[shop::app(), app]).await;
    let error = engine.install(&["world"], &mut |_: &str| ()).await.unwrap_err().to_string();
    assert!(engine.registry().model("country").is_err(), "nothing stays of it");
    engine.close().await;
    error
}

on_both! {
    async fn csv_and_xml_files_become_records_with_their_references(db: TestDb) {
        let app = world("1").file("country.csv", COUNTRIES).file("state.csv", STATES).file("records.xml", RECORDS);
        let engine = open(db, &[shop::app(), app]).await;
        engine.install(&["world"], &mut |_: &str| ()).await.unwrap();
        let mut env = engine.superuser("test").await.unwrap();
        let us = env.read("country", &[id(&engine, "world.us").await], &["name", "phone", "european"]).await.unwrap();
        assert_eq!((us[0].get_str("name"), us[0].value("phone"), us[0].value("european")), ("United\nStates", &Value::Int(1), &Value::Bool(false)));
        let rows = env.search_read("state", &domain!(), &["name", "country.name", "note"], Search::order("id")).await.unwrap();
        let told: Vec<(&str, &str, &str)> = rows.iter().map(|r| (r.get_str("name"), r.get_str("country.name"), r.get_str("note"))).collect();
        assert_eq!(told, [
            ("Wallonia", "Belgium", ""), ("New York", "United\nStates", ""), ("Paris", "France", "<b class=\"x\">City</b>\n<i/>"),
            ("Kept", "Belgium", "by function"), ("Flanders", "Netherlands", ""),
        ]);
        let nl = env.read("country", &[id(&engine, "world.nl_later").await], &["neighbours"]).await.unwrap();
        assert_eq!(*nl[0].value("neighbours"), Value::Ids(vec![id(&engine, "world.be").await, id(&engine, "world.fr").await]));
        let flanders = env.read("state", &[id(&engine, "world.flanders").await], &["more", "since"]).await.unwrap();
        assert_eq!(*flanders[0].value("more"), Value::Json(serde_json::json!({"flag": "lion", "n": [1, 2]})));
    }

    async fn an_upgrade_writes_records_anew_but_for_those_that_people_keep(db: TestDb) {
        let app = |version: &str, country: &str| world(version).file("country.csv", country).file("records.xml", RECORDS);
        let engine = open(db, &[shop::app(), app("1", COUNTRIES)]).await;
        engine.install(&["world"], &mut |_: &str| ()).await.unwrap();
        let (flanders, kept, be, paris) = (id(&engine, "world.flanders").await, id(&engine, "world.kept").await, id(&engine, "world.be").await, id(&engine, "world.paris").await);
        let mut env = engine.superuser("test").await.unwrap();
        for state in [flanders, kept] {
            env.write("state", &[state], values! { "name" => "Mine" }).await.unwrap();
        }
        env.write("country", &[be], values! { "phone" => 0 }).await.unwrap();
        env.unlink("state", &[paris]).await.unwrap();
        env.commit().await.unwrap();
        engine.close().await;

        // The same version: the program only adds what was never made.
        let more = format!("{COUNTRIES}lu,Luxembourg,LU,352,1\n");
        let engine = open(db, &[shop::app(), app("1", &more)]).await;
        let mut env = engine.superuser("test").await.unwrap();
        assert_eq!(env.read("state", &[flanders], &["name"]).await.unwrap()[0].get_str("name"), "Mine");
        assert_eq!(env.count("country", &domain!(["code", "=", "LU"])).await.unwrap(), 1);
        drop(env);
        engine.close().await;

        let engine = open(db, &[shop::app(), app("2", &more)]).await;
        let mut env = engine.superuser("test").await.unwrap();
        let names: Vec<String> = env.read("state", &[flanders, kept], &["name"]).await.unwrap().iter().map(|r| r.get_str("name").to_owned()).collect();
        assert_eq!(names, ["Flanders", "Mine"]);
        assert_eq!(*env.read("country", &[be], &["phone"]).await.unwrap()[0].value("phone"), Value::Int(32));
        assert_eq!(env.count("state", &domain!(["name", "=", "Paris"])).await.unwrap(), 0, "what people deleted stays so");
    }

    async fn what_is_wrong_in_a_file_is_told_with_its_place(db: TestDb) {
        let twice = refused(db, &[("country.csv", "id,name\nbe,Belgium\nbe,Again\n")]).await;
        assert!(twice.contains("country.csv, line 3: the external id world.be is taken already by country.csv, line 2"), "{twice}");
        let twice = refused(db, &[("country.csv", COUNTRIES), ("more.xml", "<odoo>\n<record id='be' model='country'/></odoo>")]).await;
        assert!(twice.contains("more.xml, line 2: the external id world.be is taken already by country.csv, line 2") || twice.contains("more.xml, line 2"), "{twice}");
        let missing = refused(db, &[("a.xml", "<odoo>\n<record id='x' model='state'><field name='name'>X</field><field name='country' ref='nowhere'/></record></odoo>")]).await;
        assert!(missing.contains("a.xml, line 2: no record world.nowhere is there"), "{missing}");
        let unknown = refused(db, &[("a.xml", "<odoo><record id='x' model='state'><field name='nope'>X</field></record></odoo>")]).await;
        assert!(unknown.contains("state has no field nope"), "{unknown}");
        let code = refused(db, &[("a.xml", "<odoo><record id='x' model='state'><field name='note' eval=\"__import__('os')\"/></record></odoo>")]).await;
        assert!(code.contains("eval"), "{code}");
        let unfit = refused(db, &[("state.csv", "id,name,country:id\nwal,Wallonia,be\n")]).await;
        assert!(unfit.contains("state.csv: record 1") && unfit.contains("be"), "{unfit}");
        let call = refused(db, &[("a.xml", "<odoo><function model='state' name='_secret'/></odoo>")]).await;
        assert!(call.contains("_secret"), "{call}");
    }

    async fn thousands_of_rows_come_with_an_app(db: TestDb) {
        let rows: String = (0..5_000).map(|n| format!("s{n},State {n},{}\n", ["be", "fr", "us"][n % 3])).collect();
        let app = world("1").file("country.csv", COUNTRIES).file("state.csv", &format!("id,name,country/id\n{rows}"));
        let engine = open(db, &[shop::app(), app]).await;
        engine.install(&["world"], &mut |_: &str| ()).await.unwrap();
        let mut env = engine.superuser("test").await.unwrap();
        assert_eq!(env.count("state", &domain!()).await.unwrap(), 5_000);
    }
}
