//! Finding products and offers by words, in Korean and English.
//!
//! What a row is found by stands in one column, folded: the same letters in whatever form (NFKC), no capitals, and no blank
//! beside a Korean letter, because people put blanks there or leave them out. A word of a question is folded the same way and
//! looked for as a part of it, so that the beginning or the middle of a word finds it too. All words must be there.

use std::sync::Arc;
use std::time::Duration;

use firstcome_core::codes::ErrorCode;
use firstcome_core::ids::CategoryId;
use firstcome_core::ports::{PortError, Records};
use firstcome_core::product::{OfferInfo, Product};
use firstcome_core::records::{Comparison, Query, Record, RecordsExt as _, Stored, Table, Unit};
use tokio::sync::OwnedSemaphorePermit;
use unicode_normalization::UnicodeNormalization as _;

use super::Catalog;
use super::calls::hung;
use super::store::{OfferRow, ProductRow, offer_row, product_row};
use crate::http::{Outcome, Problem};

/// Letters that a question may have.
const MOST_LETTERS: usize = 100;
/// Words that a question may have.
const MOST_WORDS: usize = 6;
/// Categories that are looked for at once: each of them is in every row. A word that more of them are called by finds none
/// of them, and who wants what is in more waits for a turn.
const FEW_CATEGORIES: usize = 20;
/// Letters of a description that are looked through: what a product is called stands at its beginning.
const DESCRIPTION: usize = 2_000;
/// Letters of a name that decide its place in a list.
const SORTED_BY: usize = 200;
/// What a token begins with; no word has it.
const BEFORE_TOKEN: char = '\t';
/// How long somebody waits for those who search before.
const PATIENCE: Duration = Duration::from_secs(3);
/// Rows that are brought up to date in one commit.
const PAGE: u32 = 500;

/// A turn to search.
pub(super) type Turn = Arc<OwnedSemaphorePermit>;

/// A text as it is compared.
pub(super) fn folded(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    let mut blank = false;
    // Small letters of capitals: some letters have a form that only one of the two ways leads to.
    let letters = text.nfkc().flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfkc();
    for letter in letters.filter(|letter| !is_invisible(*letter)) {
        if letter.is_whitespace() || letter.is_control() {
            blank = true;
            continue;
        }
        let joins = is_korean(letter) || folded.chars().next_back().is_none_or(is_korean);
        if blank && !joins {
            folded.push(' ');
        }
        blank = false;
        folded.push(letter);
    }
    folded
}

/// Syllables, and the letters that they are made of.
pub(super) fn is_korean(letter: char) -> bool {
    matches!(letter, '\u{ac00}'..='\u{d7a3}' | '\u{1100}'..='\u{11ff}' | '\u{3130}'..='\u{318f}')
}

/// Marks where a word may be broken, and the like: nobody sees them, and nobody types them.
fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}')
}

/// What a product is found by.
pub(super) fn of_product(product: &Product) -> String {
    let description: String = product.description.chars().take(DESCRIPTION).collect();
    // No folded text has the end of a line in it, so that no word reaches from one into the next.
    let texts = [&product.name, product.sku.as_deref().unwrap_or_default(), &description].map(folded).join("\n");
    product.categories.iter().copied().map(token).fold(texts, |text, token| text + &token)
}

/// What stands in the column for a category: capitals, which no folded word has, so that none is found in it.
pub(super) fn token(category: CategoryId) -> String {
    let letters = category.0.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|half| char::from(b'A' + half));
    std::iter::once(BEFORE_TOKEN).chain(letters).collect()
}

/// What an offer is found by.
pub(super) fn of_offer(info: &OfferInfo) -> String {
    let own = folded(info.sku.as_deref().unwrap_or_default());
    format!("{}\n{own}", of_product(&info.product))
}

/// What decides the place of a name in a list.
pub(super) fn sorted_by(name: &str) -> String {
    folded(name).chars().take(SORTED_BY).collect()
}

/// The words of a question, folded.
fn words(question: &str) -> Outcome<Vec<String>> {
    let words: Vec<String> = question.split_whitespace().map(folded).filter(|word| !word.is_empty()).collect();
    if question.chars().count() > MOST_LETTERS || words.len() > MOST_WORDS {
        let detail = format!("q has {MOST_LETTERS} letters and {MOST_WORDS} words at most");
        return Err(Problem::new(ErrorCode::MalformedRequest).detail(detail));
    }
    Ok(words)
}

impl Catalog {
    /// Waits for a turn to search, if a query has words or many categories; too many who search are refused.
    pub(super) async fn turn(&self, query: &Query) -> Outcome<Option<Turn>> {
        if !is_search(query) {
            return Ok(None);
        }
        let waited = tokio::time::timeout(PATIENCE, Arc::clone(&self.searches).acquire_owned()).await;
        let Ok(Ok(turn)) = waited else {
            let detail = "Others search at the moment; ask again, or for a category without words";
            return Err(Problem::new(ErrorCode::Overloaded).detail(detail));
        };
        Ok(Some(Arc::new(turn)))
    }

    /// The rows that a query finds, in a turn to search if it needs one.
    pub(super) async fn found<R: Record>(&self, query: Query, turn: Option<&Turn>) -> Outcome<Vec<Stored<R>>> {
        let records = Arc::clone(&self.ports.records);
        let read = async move { records.list::<R>(query).await };
        Ok(match turn {
            None => read.await?,
            Some(turn) => in_turn(Arc::clone(turn), read).await?,
        })
    }

    /// Only what has every word of a question in it, or is in one of few categories that have it in their names; everything
    /// when there are no words.
    pub(super) async fn with_words(&self, query: Query, question: Option<&str>) -> Outcome<Query> {
        let words = words(question.unwrap_or_default())?;
        if words.is_empty() {
            return Ok(query);
        }
        let tree = self.tree().await?;
        Ok(words.into_iter().fold(query, |query, word| {
            let called = tree.called(&word);
            let mut parts = vec![word];
            if called.len() <= FEW_CATEGORIES {
                parts.extend(called.into_iter().map(token));
            }
            query.filter("search", Comparison::HasOneOf(parts))
        }))
    }
}

/// Reads to the end, and keeps the turn for so long: who hangs up ends no read.
async fn in_turn<T: Send + 'static>(
    turn: Turn,
    read: impl Future<Output = Result<T, PortError>> + Send + 'static,
) -> Result<T, PortError> {
    let read = tokio::spawn(async move {
        let _held = turn;
        read.await
    });
    read.await.unwrap_or_else(|error| Err(PortError::Unavailable(format!("a search: {error}"))))
}

/// Whether a query looks for words, which no token is, or for many categories.
fn is_search(query: &Query) -> bool {
    query.filters.iter().any(|filter| match &filter.comparison {
        Comparison::HasOneOf(parts) => {
            parts.len() > FEW_CATEGORIES || parts.iter().any(|part| !part.starts_with(BEFORE_TOKEN))
        }
        _ => false,
    })
}

/// Writes down what rows are found by that are from before it was, and when they are on sale.
pub(super) async fn fill(records: &dyn Records) -> Result<(), PortError> {
    loop {
        let rows = records.list::<ProductRow>(unfilled(ProductRow::TABLE)).await?;
        let unit = rows.iter().fold(Unit::new(), |unit, Stored { record: row, version }| {
            unit.update(&Stored { record: product_row(&row.product.0, row.created_at), version: *version })
        });
        if !commit(records, unit).await? {
            break;
        }
    }
    loop {
        let rows = records.list::<OfferRow>(unfilled(OfferRow::TABLE)).await?;
        let unit = rows.iter().fold(Unit::new(), |unit, Stored { record: row, version }| {
            let record = offer_row(&row.offer.0, row.initial_stock, row.created_at);
            let mut unit = unit.update(&Stored { record, version: *version });
            unit.append(hung(&row.offer.0));
            unit
        });
        if !commit(records, unit).await? {
            break;
        }
    }
    Ok(())
}

fn unfilled(table: &'static Table) -> Query {
    Query::all(table, PAGE).filter("search", Comparison::IsNull)
}

/// Whether there was something to be done. What somebody else has changed meanwhile is filled, or looked at again.
async fn commit(records: &dyn Records, unit: Unit) -> Result<bool, PortError> {
    if unit.is_empty() {
        return Ok(false);
    }
    records.commit(unit).await.map(|_| true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_words_are_the_same_however_they_are_written() {
        for (one, other) in [
            ("선물 카드", "선물카드"),
            // Letters one by one, as some file systems write them.
            ("\u{1109}\u{1165}\u{11ab}\u{1106}\u{116e}\u{11af}", "선물"),
            ("ＬＧ 냉장고", "lg냉장고"),
            ("CAFÉ", "cafe\u{301}"),
            ("Straße", "STRASSE"),
            ("ΣΟΦΟΣ", "σοφος"),
            ("선물\u{3000}카드", "선물\n카드"),
            ("카\u{200b}드", "카드"),
            ("ﬁx", "FIX"),
            ("㈜가게", "(주)가게"),
        ] {
            assert_eq!(folded(one), folded(other), "{one} {other}");
        }
        assert_eq!(folded(" Gift  card\t50,000 "), "gift card 50,000", "other words stay apart");
        assert_ne!(folded("gift card"), folded("giftcard"));
    }

    #[tokio::test]
    async fn a_turn_lasts_as_long_as_its_read_also_when_nobody_waits() {
        let searches = Arc::new(tokio::sync::Semaphore::new(1));
        let turn = Arc::clone(&searches).acquire_owned().await.expect("open");
        let (begun, begins) = tokio::sync::oneshot::channel();
        let (end, ended) = tokio::sync::oneshot::channel();
        let request = tokio::spawn(in_turn(Arc::new(turn), async move {
            begun.send(()).expect("the test waits");
            ended.await.map_err(|_| PortError::Overloaded)
        }));
        begins.await.expect("it reads");
        request.abort();
        assert!(request.await.expect_err("nobody waits").is_cancelled());
        assert_eq!(searches.available_permits(), 0);
        end.send(()).expect("it still reads");
        let _next = searches.acquire().await.expect("open");
    }

    #[test]
    fn questions_are_bounded() {
        for empty in ["", " \u{3000}\n", "\u{200b}"] {
            assert!(words(empty).expect("taken").is_empty());
        }
        assert_eq!(words("a b c d e f").expect("taken").len(), MOST_WORDS);
        for long in ["a ".repeat(MOST_WORDS + 1), "가".repeat(MOST_LETTERS + 1)] {
            assert_eq!(words(&long).expect_err("refused").code(), ErrorCode::MalformedRequest);
        }
    }
}
