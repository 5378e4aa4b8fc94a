//! A contacts file as offices have them: accents, quotation marks, line breaks, blank rows, numbers in all writings,
//! references by name and by code, repeated ids.

use std::fmt::Write;

use serde_json::json;

use super::club::open;
use crate::{on_both, support::TestDb};

const FIRST: [&str; 8] = ["Zoë", "Ada", "Jürgen", "François", "Łukasz", "Søren", "Íñigo", "木村"];
const LAST: [&str; 6] = ["Müller", "O'Brien", "de la \"Tour\"", "Smith, Jr.", "Van den Berg", "Nguyễn"];
const FEES: [&str; 6] = ["1.200,50", "7,00", "€ 32.000,00", "(12,50)", "0,5", ""];
const DAYS: [&str; 4] = ["31.12.1981", "01.02.1990", "", "29.02.2000"];
const COUNTRIES: [&str; 5] = ["Belgium", "FR", "Germany", "", "JP"];

/// A small generator, the same in every run.
struct Dice(u64);

impl Dice {
    fn of<'a, const N: usize>(&mut self, all: [&'a str; N]) -> &'a str {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        all[(self.0 >> 33) as usize % N]
    }
}

fn quoted(text: &str) -> String {
    if text.contains([';', '"', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

/// Rows, records, and the sum of the fees in cents.
fn messy(rows: usize) -> (String, usize, i64) {
    let mut dice = Dice(7);
    let mut file = "\u{feff}External ID;Name;Yearly Fee;birthday;Country;Tags;Notes;Is a Company;kind\r\n".to_owned();
    let (mut records, mut cents) = (0, 0);
    let mut fees = Vec::new();
    for n in 0..rows {
        if n % 50 == 49 {
            file.push_str(";;;;;;;;\r\n\r\n");
        }
        // One in forty stands there again.
        let again = n % 40 == 39;
        let id = if again { n - 3 } else { n };
        records += usize::from(!again);
        let fee = dice.of(FEES);
        let value = amount(fee);
        fees.push(fee);
        if again {
            // It changes what was there, to nothing where it says nothing.
            let fees = &file;
            let key = format!("row_{id};");
            let line = fees.lines().find(|line| line.starts_with(&key)).unwrap_or_default();
            let earlier =
                FEES.iter().find(|f| line.contains(&format!(";{f};")) && !f.is_empty()).copied().unwrap_or("");
            cents += value - amount(earlier);
        } else {
            cents += value;
        }
        let name = format!("{} {}{}", dice.of(FIRST), dice.of(LAST), if n % 97 == 0 { " \n" } else { "" });
        let note = dice.of(["", "two; parts", "line\nbreak", "  blanks  "]);
        let (day, country, tags) = (dice.of(DAYS), dice.of(COUNTRIES), dice.of(["", "Board", "Board,Founder"]));
        let (company, kind) = (dice.of(["yes", "No", "1", "0", ""]), dice.of(["full", "GUEST", "Full Member", ""]));
        writeln!(file, "row_{id};{};{fee};{day};{country};{tags};{};{company};{kind}\r", quoted(&name), quoted(note))
            .unwrap();
    }
    (file, records, cents)
}

fn amount(fee: &str) -> i64 {
    match fee {
        "1.200,50" => 120_050,
        "7,00" => 700,
        "€ 32.000,00" => 3_200_000,
        "(12,50)" => -1_250,
        "0,5" => 50,
        _ => 0,
    }
}

async fn imports(db: &TestDb, rows: usize) {
    let mut club = open(db).await;
    let (file, records, cents) = messy(rows);
    let import = club.upload("contacts.csv", file.as_bytes()).await;
    let begin = std::time::Instant::now();
    let done = club.run(import, json!({}), false).await;
    assert!(done["ids"].is_array(), "{:#}", done["messages"]);
    println!("{rows} rows in {:?}", begin.elapsed());
    assert_eq!(club.count().await, records as u64);
    let fees = club.members(&["fee"]).await;
    let sum: f64 = fees.as_array().unwrap().iter().map(|m| m["fee"].as_f64().unwrap()).sum();
    assert_eq!((sum * 100.0).round() as i64, cents);
    // The same file again changes nothing.
    let again = club.upload("contacts.csv", file.as_bytes()).await;
    let begin = std::time::Instant::now();
    let done = club.run(again, json!({}), false).await;
    assert!(done["ids"].is_array(), "{:#}", done["messages"]);
    println!("{rows} rows again in {:?}", begin.elapsed());
    assert_eq!(club.count().await, records as u64);
    let other = club.members(&["fee"]).await;
    assert_eq!(fees, other);
}

on_both! {
    async fn a_messy_file_comes_in_whole(db: TestDb) {
        let rows = std::env::var("ERP_IMPORT_ROWS").ok().and_then(|rows| rows.parse().ok());
        imports(db, rows.unwrap_or(5_000)).await;
    }
}
