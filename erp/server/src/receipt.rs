//! A receipt as blocks for the printer.

use jiff::civil::Date;
use link_protocol::{
    document::{Align, Block, Document},
    ids::CommandId,
};
use rust_decimal::{Decimal, RoundingStrategy};
use sha2::{Digest, Sha256};

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    pub(crate) name: String,
    /// Pieces, or kilograms.
    pub(crate) amount: Decimal,
    pub(crate) weighed: bool,
    /// For one piece, or for one kilogram.
    pub(crate) price: Decimal,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Receipt {
    pub(crate) shop: String,
    pub(crate) currency: String,
    pub(crate) number: String,
    pub(crate) date: Date,
    pub(crate) lines: Vec<Line>,
    pub(crate) cash: bool,
    /// By the customer; more than the total gives change.
    pub(crate) given: Option<Decimal>,
    pub(crate) copy: bool,
}

/// Ten digits made of the command's id: Code 128 prints them short.
pub(crate) fn number(id: &CommandId) -> String {
    let hash = Sha256::digest(id.as_str().as_bytes());
    let number = hash[..8].iter().fold(0u64, |n, b| n << 8 | u64::from(*b));
    format!("{:010}", number % 10_000_000_000)
}

fn money(amount: Decimal) -> Decimal {
    let mut rounded = amount.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero);
    rounded.rescale(2);
    rounded
}

impl Line {
    fn sum(&self) -> Decimal {
        money(self.amount * self.price)
    }

    /// `2 x 1.50`, `0.734 kg x 3.20/kg`.
    fn detail(&self) -> String {
        if self.weighed {
            format!("{} kg x {}/kg", self.amount, money(self.price))
        } else {
            format!("{} x {}", self.amount.normalize(), money(self.price))
        }
    }
}

impl Receipt {
    pub(crate) fn total(&self) -> Decimal {
        money(self.lines.iter().map(Line::sum).sum())
    }

    pub(crate) fn document(&self) -> Document {
        let text =
            |text: &str, large: bool| Block::Text { text: text.to_owned(), align: Align::Center, bold: large, large };
        let columns = |left: String, right: String, bold: bool| Block::Columns { left, right, bold };
        let mut blocks = vec![
            text(&self.shop, true),
            text(if self.copy { "COPY" } else { "" }, true),
            columns(self.date.to_string(), format!("No. {}", self.number), false),
            Block::Rule,
        ];
        for line in &self.lines {
            let one = !line.weighed && line.amount == Decimal::ONE;
            if one {
                blocks.push(columns(line.name.clone(), line.sum().to_string(), false));
            } else {
                blocks.push(Block::Text { text: line.name.clone(), align: Align::Left, bold: false, large: false });
                blocks.push(columns(format!("  {}", line.detail()), line.sum().to_string(), false));
            }
        }
        blocks.push(Block::Rule);
        blocks.push(columns("TOTAL".to_owned(), format!("{} {}", self.total(), self.currency), true));
        let paid = if self.cash { "Cash" } else { "Card" };
        let given = money(self.given.filter(|g| self.cash && *g > self.total()).unwrap_or(self.total()));
        blocks.push(columns(paid.to_owned(), format!("{given} {}", self.currency), false));
        if given > self.total() {
            blocks.push(columns("Change".to_owned(), format!("{} {}", given - self.total(), self.currency), false));
        }
        blocks.push(Block::Feed { lines: 1 });
        blocks.push(Block::Barcode { data: self.number.clone() });
        blocks.push(text("Thank you for your visit", false));
        blocks.retain(|b| !matches!(b, Block::Text { text, .. } if text.is_empty()));
        Document {
            title: format!("Receipt {}", self.number),
            blocks,
            cut: true,
            open_drawer: self.cash && !self.copy,
            hold: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, amount: &str, price: &str, weighed: bool) -> Line {
        Line { name: name.into(), amount: amount.parse().unwrap(), price: price.parse().unwrap(), weighed }
    }

    fn receipt(lines: Vec<Line>) -> Receipt {
        Receipt {
            shop: "Corner shop".into(),
            currency: "EUR".into(),
            number: "0000000042".into(),
            date: jiff::civil::date(2026, 11, 21),
            lines,
            cash: true,
            given: Some("10".parse().unwrap()),
            copy: false,
        }
    }

    #[test]
    fn a_receipt_says_what_was_sold_for_how_much() {
        let lines = vec![
            line("Espresso", "2", "1.5", false),
            line("Tomatoes", "0.734", "3.20", true),
            line("Bread", "1", "4.20", false),
        ];
        let receipt = receipt(lines);
        let said: Vec<String> = receipt
            .document()
            .blocks
            .iter()
            .filter_map(|b| match b {
                Block::Text { text, .. } => Some(text.clone()),
                Block::Columns { left, right, .. } => Some(format!("{left}|{right}")),
                Block::Barcode { data } => Some(format!("[{data}]")),
                _ => None,
            })
            .collect();
        assert_eq!(
            said,
            [
                "Corner shop",
                "2026-11-21|No. 0000000042",
                "Espresso",
                "  2 x 1.50|3.00",
                "Tomatoes",
                "  0.734 kg x 3.20/kg|2.35",
                "Bread|4.20",
                "TOTAL|9.55 EUR",
                "Cash|10.00 EUR",
                "Change|0.45 EUR",
                "[0000000042]",
                "Thank you for your visit",
            ]
        );
        assert!(receipt.document().open_drawer && receipt.document().cut);
    }

    #[test]
    fn half_a_cent_is_rounded_up_line_by_line_as_on_paper() {
        let receipt = receipt(vec![line("A", "0.005", "1", true), line("B", "0.005", "1", true)]);
        assert_eq!(receipt.total().to_string(), "0.02");
    }

    #[test]
    fn a_repeated_command_has_the_same_receipt_number() {
        let (a, b): (CommandId, CommandId) = ("command-1".parse().unwrap(), "command-2".parse().unwrap());
        assert_eq!(number(&a), number(&a));
        assert_ne!(number(&a), number(&b));
        assert_eq!(number(&a).len(), 10);
    }
}
