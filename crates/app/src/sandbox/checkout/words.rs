//! The page's words, in Korean and English.

use axum::http::{HeaderMap, header};

/// Everything that the page says.
pub(super) struct Words {
    pub(super) language: &'static str,
    pub(super) title: &'static str,
    pub(super) sandbox: &'static str,
    pub(super) amount: &'static str,
    pub(super) order: &'static str,
    pub(super) card: &'static str,
    /// What pays, before and after the amount.
    pay: [&'static str; 2],
    pub(super) decline: &'static str,
    pub(super) leave: &'static str,
    pub(super) note: &'static str,
    pub(super) invalid_title: &'static str,
    pub(super) invalid: &'static str,
}

static KOREAN: Words = Words {
    language: "ko",
    title: "결제하기",
    sandbox: "테스트 결제",
    amount: "결제 금액",
    order: "주문번호",
    card: "테스트 카드",
    pay: ["", " 결제하기"],
    decline: "카드 거절하기",
    leave: "결제 그만두기",
    note: "실제로 돈이 빠져나가지 않습니다. 아래 버튼으로 결제 결과를 골라 보세요.",
    invalid_title: "결제창을 열 수 없습니다",
    invalid: "결제 정보가 올바르지 않습니다. 주문 화면으로 돌아가 다시 시도해 주세요.",
};

static ENGLISH: Words = Words {
    language: "en",
    title: "Payment",
    sandbox: "Test payment",
    amount: "Amount",
    order: "Order",
    card: "Test card",
    pay: ["Pay ", ""],
    decline: "Decline the card",
    leave: "Leave without paying",
    note: "No real money moves. Choose below how this payment ends.",
    invalid_title: "The checkout cannot open",
    invalid: "The payment's details are not right. Go back to your order and try again.",
};

impl Words {
    /// What is on the button that pays this amount.
    pub(super) fn pay(&self, amount: &str) -> String {
        let [before, after] = self.pay;
        format!("{before}{amount}{after}")
    }
}

/// The words for a reader: the language asked for, else the first of Korean and English that the browser prefers.
pub(super) fn for_reader(asked: Option<&str>, headers: &HeaderMap) -> &'static Words {
    let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut wanted = asked.into_iter().chain(accepted.split(',')).map(|tag| tag.trim().get(..2).unwrap_or_default());
    match wanted.find(|language| matches!(*language, "ko" | "en")) {
        Some("ko") => &KOREAN,
        _ => &ENGLISH,
    }
}
