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
    pub(super) deposit_title: &'static str,
    pub(super) account: &'static str,
    /// What deposits, before and after the amount.
    deposit: [&'static str; 2],
    pub(super) deposit_note: &'static str,
    pub(super) deposit_over: &'static str,
    pub(super) no_account: &'static str,
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
    deposit_title: "입금하기",
    account: "가상계좌",
    deposit: ["", " 입금하기"],
    deposit_note: "실제로 돈이 빠져나가지 않습니다. 아래 버튼을 누르면 이 계좌에 입금됩니다.",
    deposit_over: "이 계좌에는 더 이상 입금할 수 없습니다. 주문 화면에서 결과를 확인해 주세요.",
    no_account: "이 주문에는 가상계좌가 없습니다. 주문 화면으로 돌아가 다시 시도해 주세요.",
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
    deposit_title: "Bank transfer",
    account: "Virtual account",
    deposit: ["Deposit ", ""],
    deposit_note: "No real money moves. The button below pays into this account.",
    deposit_over: "Nothing more can be paid into this account. Your order shows what became of it.",
    no_account: "This order has no virtual account. Go back to your order and try again.",
    invalid_title: "The checkout cannot open",
    invalid: "The payment's details are not right. Go back to your order and try again.",
};

impl Words {
    /// What is on the button that pays this amount.
    pub(super) fn pay(&self, amount: &str) -> String {
        let [before, after] = self.pay;
        format!("{before}{amount}{after}")
    }

    /// What is on the button that deposits this amount.
    pub(super) fn deposit(&self, amount: &str) -> String {
        let [before, after] = self.deposit;
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
