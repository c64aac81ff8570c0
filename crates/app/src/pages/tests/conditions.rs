//! What an offer asks of its buyers is told before they try.

use super::Browser;

/// The list of conditions on the page of an offer, each without its tags.
async fn told(language: &'static str, offer: &str) -> Option<Vec<String>> {
    let page = Browser::new(language).get(&format!("/offers/{offer}")).await.body;
    let (_, section) = page.split_once("<section class=\"conditions\">")?;
    let (list, _) = section.split_once("</ul>").expect("a list");
    let items = list.split("<li>").skip(1).map(|item| item.trim_end_matches("</li>").to_owned());
    Some(items.collect())
}

#[tokio::test]
async fn each_condition_is_told_in_both_languages() {
    let name = "가".repeat(200);
    let english = [
        "Everyone may have 1 unit, over all of their orders",
        "Your e-mail address is verified",
        "You signed up at least 7 days before you order (to order now: by ",
        &format!("You have bought {name} and not given all of it back"),
        "You have bought a certain other product and not given all of it back",
        "Your identity is verified; one person has one such account",
    ];
    let korean = [
        "모든 주문을 합해 1인당 1개까지 구매할 수 있습니다",
        "이메일 주소가 인증되어 있어야 합니다",
        "주문할 때 가입한 지 7일 이상 지나 있어야 합니다 (지금 주문하려면 ",
        &format!("다음 상품을 구매해 일부라도 보유하고 있어야 합니다: {name}"),
        "정해진 다른 상품을 구매해 일부라도 보유하고 있어야 합니다",
        "본인 인증을 마쳐야 합니다. 인증된 계정은 한 사람에 하나입니다",
    ];
    for (language, expected) in [("en", english), ("ko", korean)] {
        let told = told(language, "ofr_members").await.expect("conditions");
        assert_eq!(told.len(), expected.len(), "{told:?}");
        for (told, expected) in told.iter().zip(expected) {
            assert!(told.starts_with(expected), "{told}");
        }
    }
}

#[tokio::test]
async fn by_when_one_must_have_signed_up_goes_by_the_opening() {
    let told = told("en", "ofr_members_later").await.expect("conditions");
    assert!(told[2].contains("(to order at the opening: by "), "{}", told[2]);
}

#[tokio::test]
async fn an_offer_that_asks_nothing_says_nothing() {
    // One says that it has none, one does not speak of any.
    for offer in ["ofr_long", "ofr_sold_out"] {
        assert_eq!(told("en", offer).await, None, "{offer}");
    }
    assert_eq!(told("en", "ofr_open").await.expect("a limit"), ["Everyone may have 2 units, over all of their orders"]);
}

#[tokio::test]
async fn the_longest_name_leaves_the_page_whole() {
    let mut browser = Browser::new("en");
    let page = browser.get("/offers/ofr_long").await.body;
    assert!(page.contains(&format!("<h1>{}</h1>", "W".repeat(200))) && page.trim_end().ends_with("</html>"), "{page}");
    let style = browser.get(page.split('"').find(|text| text.ends_with("/app.css")).expect("a style")).await.body;
    let body = style.split("body {").nth(1).and_then(|rest| rest.split('}').next()).expect("how texts look");
    assert!(body.contains("overflow-wrap: anywhere"), "words that are wider than the page are broken");
}

#[tokio::test]
async fn goods_say_how_long_they_may_be_sent_back() {
    for (language, words) in [("en", "Within 14 days of delivery"), ("ko", "배송 완료 후 14일 이내")] {
        let mut browser = Browser::new(language);
        assert!(browser.get("/offers/ofr_goods").await.body.contains(words));
        assert!(!browser.get("/offers/ofr_open").await.body.contains("of delivery"));
    }
}
