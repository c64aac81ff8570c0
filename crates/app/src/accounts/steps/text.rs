//! What is written about a step, in both languages. Codes of vouchers are not: an e-mail lies about for years, so it leads to
//! the page that shows them to their owner alone.

use std::collections::HashMap;

use firstcome_core::ids::{OfferNumber, OrderId};
use firstcome_core::money::Money;
use firstcome_core::product::ProductKind;
use firstcome_core::step::{Step, StepLine};

use super::SoldName;

/// An e-mail without its receiver.
pub(super) struct Letter {
    pub(super) subject: String,
    pub(super) body: String,
}

/// What offers sell.
type Names = HashMap<OfferNumber, SoldName>;

impl Letter {
    /// What became of an order.
    pub(super) fn about(order: OrderId, step: &Step, names: &Names, shop: Option<&str>) -> Self {
        let (korean, english) = words(step);
        let mut body = format!("{}\n{}\n\n주문 Order: {order}\n", korean.1, english.1);
        match step {
            Step::Completed { lines, discount, by_card, total } => {
                body.push_str(&receipt(lines, *discount, *by_card, *total, names));
                let is_digital =
                    |line: &StepLine| names.get(&line.offer).is_some_and(|sold| sold.kind != ProductKind::Goods);
                if lines.iter().any(is_digital) {
                    body.push_str(&vouchers(shop));
                }
            }
            Step::Vouchers => body.push_str(&vouchers(shop)),
            Step::TakenBack { lines, .. } => {
                for line in lines {
                    body.push_str(&format!("- {} × {}\n", name(line.offer, names), line.quantity));
                }
            }
            Step::Refunded { amount, to_card } => body.push_str(&refunded(*amount, *to_card)),
            Step::Shipped { carrier, tracking } => {
                body.push_str(&format!("택배사 Carrier: {carrier}\n운송장 번호 Tracking number: {tracking}\n"));
            }
            Step::Delivered { days_to_return } => body.push_str(&sending_back(*days_to_return)),
            _ => {}
        }
        if let Some(shop) = shop {
            body.push_str(&format!("\n{}/orders/{order}\n", shop.trim_end_matches('/')));
        }
        Self { subject: format!("[Firstcome] {} · {}", korean.0, english.0), body }
    }
}

fn name(offer: OfferNumber, names: &Names) -> &str {
    names.get(&offer).map_or("", |sold| sold.name.as_str())
}

/// Lines, what was taken off, and the sum.
fn receipt(lines: &[StepLine], discount: i64, by_card: i64, total: Money, names: &Names) -> String {
    let mut text = String::new();
    for StepLine { offer, quantity, unit_price } in lines {
        text.push_str(&format!("- {} × {quantity} · {}\n", name(*offer, names), shown(*unit_price)));
    }
    let money = |amount| shown(Money::new(amount, total.currency));
    if discount > 0 {
        text.push_str(&format!("할인 Discount: -{}\n", money(discount)));
    }
    text.push_str(&format!("합계 Total: {}\n", shown(total)));
    if by_card > 0 {
        text.push_str(&format!("기프트카드 Paid by gift card: {}\n", money(by_card)));
    }
    text
}

fn vouchers(shop: Option<&str>) -> String {
    let link = shop.map(|shop| format!("{}/vouchers\n", shop.trim_end_matches('/'))).unwrap_or_default();
    format!(
        "\n구매하신 이용권은 로그인 후 '내 이용권'에서 보고 사용할 수 있습니다.\n\
         What you bought is under \"My vouchers\" when you are logged in.\n{link}"
    )
}

/// How much, and to what.
fn refunded(amount: Money, to_card: i64) -> String {
    let mut text = String::new();
    if amount.amount > 0 {
        text.push_str(&format!("결제하신 수단으로 To what you paid with: {}\n", shown(amount)));
    }
    if to_card > 0 {
        let money = Money::new(to_card, amount.currency);
        text.push_str(&format!("기프트카드로 To your gift card: {}\n", shown(money)));
    }
    text
}

/// Until when goods may be sent back.
fn sending_back(days: u16) -> String {
    let unit = if days == 1 { "day" } else { "days" };
    format!("배송 후 {days}일 안에 반품을 신청할 수 있습니다.\nWithin {days} {unit} you can ask to send them back.\n")
}

/// An amount with its thousands apart and its currency.
fn shown(money: Money) -> String {
    let digits = money.currency.minor_digits() as usize;
    let amount = format!("{:0width$}", money.amount.unsigned_abs(), width = digits + 1);
    let (whole, fraction) = amount.split_at(amount.len() - digits);
    let mut grouped = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let point = if digits > 0 { "." } else { "" };
    format!("{} {grouped}{point}{fraction}", money.currency)
}

/// Subject and first sentence, in Korean and in English.
fn words(step: &Step) -> ((&'static str, &'static str), (&'static str, &'static str)) {
    match step {
        Step::Completed { .. } => (
            ("주문이 완료되었습니다", "주문해 주셔서 감사합니다. 주문 내역입니다."),
            ("Your order is completed", "Thank you for your order. This is what you bought."),
        ),
        Step::Vouchers => (
            ("이용권이 준비되었습니다", "구매하신 이용권이 준비되어 있습니다."),
            ("Your vouchers are ready", "What you bought is ready to be used."),
        ),
        Step::Unpaid => (
            ("주문이 취소되었습니다 (미결제)", "결제가 완료되지 않아 주문이 취소되었습니다. 청구된 금액은 없습니다."),
            ("Your order was not paid", "Your order was not paid in time and has ended. Nothing was charged."),
        ),
        Step::Withdrawn => (
            ("주문이 취소되었습니다", "결제 전에 주문이 취소되었습니다. 청구된 금액은 없습니다."),
            ("Your order was canceled", "Your order was canceled before it was paid. Nothing was charged."),
        ),
        Step::TakenBack { whole: true, .. } => (
            ("주문이 취소되었습니다", "주문 전체가 취소되었습니다. 환불이 있으면 완료될 때 다시 알려 드립니다."),
            ("Your order was canceled", "All of your order was taken back. We write again when money is back."),
        ),
        Step::TakenBack { .. } => (
            ("주문 일부가 취소되었습니다", "주문의 일부가 취소되었습니다. 환불이 있으면 완료될 때 다시 알려 드립니다."),
            (
                "A part of your order was canceled",
                "A part of your order was taken back. We write again when money is back.",
            ),
        ),
        Step::Refunded { .. } => (
            ("환불이 완료되었습니다", "환불이 완료되었습니다. 카드사에 따라 며칠 뒤에 보일 수 있습니다."),
            ("Your money is back", "Your money was sent back. Your bank may take some days to show it."),
        ),
        Step::RefundRefused => (
            ("환불이 되지 않았습니다", "이미 사용된 이용권이 있어 취소와 환불이 되지 않았습니다."),
            ("No refund", "What you bought had been used, so it was not canceled and no money goes back."),
        ),
        Step::Shipped { .. } => (
            ("상품이 발송되었습니다", "주문하신 상품이 발송되었습니다."),
            ("Your goods are on their way", "Your goods have been shipped."),
        ),
        Step::Delivered { .. } => (
            ("상품이 배송되었습니다", "상품이 배송되었습니다."),
            ("Your goods were delivered", "Your goods were delivered."),
        ),
        Step::ReturnRequested => (
            ("반품 신청을 받았습니다", "반품 신청을 받았습니다. 확인한 뒤 알려 드립니다."),
            ("You asked to return goods", "We have your request to send goods back, and will answer it."),
        ),
        Step::ReturnApproved => (
            ("반품이 승인되었습니다", "반품이 승인되었습니다. 상품을 보내 주세요. 도착하면 환불해 드립니다."),
            ("Your return is approved", "Please send the goods back. Your money goes back when they are here."),
        ),
        Step::ReturnRefused => (
            ("반품이 거절되었습니다", "반품을 받아들일 수 없습니다. 이유는 주문 화면에 있습니다."),
            ("Your return was refused", "We do not take the goods back. Your order's page says why."),
        ),
        Step::ReturnReceived => (
            ("반품 상품을 받았습니다", "보내 주신 상품을 받았습니다. 환불이 완료되면 다시 알려 드립니다."),
            (
                "Your goods are back with us",
                "We have the goods that you sent back. We write again when your money is back.",
            ),
        ),
    }
}
