//! What an HTTP answer of the provider means.
//!
//! Only an answer that the provider surely gave on purpose, and that asking again would not change, is final. Everything
//! else is unknown: money may have moved.

use firstcome_core::ports::{ProviderAnswer, ProviderPayment, ProviderReceipt, ReceiptAnswer};

use super::message::ErrorBody;

/// Codes that say nothing about the payment: the same request can end otherwise later.
const RETRYABLE: [&str; 5] = [
    "PROVIDER_ERROR",
    "FAILED_PAYMENT_INTERNAL_SYSTEM_PROCESSING",
    "FAILED_INTERNAL_SYSTEM_PROCESSING",
    "UNKNOWN_PAYMENT_ERROR",
    "IDEMPOTENT_REQUEST_PROCESSING",
];

/// Why an answer is not what was asked for.
pub(super) enum Failure {
    /// It is refused for good.
    Refused(ErrorBody),
    /// Nothing may be concluded; what was seen.
    Unknown(String),
}

/// What a call came to.
pub(super) type Answer<T> = Result<T, Failure>;

pub(super) fn unknown<T>(reason: impl Into<String>) -> Answer<T> {
    Err(Failure::Unknown(reason.into()))
}

/// Reads an answer, whose body `read` understands.
pub(super) fn classify<T>(status: u16, body: &[u8], read: impl Fn(&[u8]) -> Option<T>) -> Answer<T> {
    match status {
        200..=299 => read(body).map_or_else(|| unknown("the answer cannot be read"), Ok),
        // 408 and 429 come from what stands in front of the provider.
        400..=499 if status != 408 && status != 429 => Err(refused(status, body)),
        _ => unknown(format!("the provider answered {status}")),
    }
}

fn refused(status: u16, body: &[u8]) -> Failure {
    match serde_json::from_slice::<ErrorBody>(body) {
        Ok(ErrorBody { code, .. }) if RETRYABLE.contains(&code.as_str()) => {
            Failure::Unknown(format!("the provider answered {code}"))
        }
        Ok(error) => Failure::Refused(error),
        Err(_) => Failure::Unknown(format!("the provider answered {status} without a code")),
    }
}

/// The answer about a payment.
pub(super) fn about_payment(answer: Answer<ProviderPayment>) -> ProviderAnswer {
    match answer {
        Ok(payment) => ProviderAnswer::Payment(payment),
        Err(Failure::Refused(ErrorBody { code, message })) => ProviderAnswer::Refused { code, message },
        Err(Failure::Unknown(reason)) => ProviderAnswer::Unknown { reason },
    }
}

/// The answer about a cash receipt.
pub(super) fn about_receipt(answer: Answer<ProviderReceipt>) -> ReceiptAnswer {
    match answer {
        Ok(receipt) => ReceiptAnswer::Receipt(receipt),
        Err(Failure::Refused(ErrorBody { code, message })) => ReceiptAnswer::Refused { code, message },
        Err(Failure::Unknown(reason)) => ReceiptAnswer::Unknown { reason },
    }
}

/// Whether the provider says that it has concluded this payment before; then only a lookup tells how.
pub(super) fn is_already_processed(answer: &ProviderAnswer) -> bool {
    matches!(answer, ProviderAnswer::Refused { code, .. } if code == "ALREADY_PROCESSED_PAYMENT")
}

#[cfg(test)]
mod tests {
    use super::super::message::PaymentBody;
    use super::*;
    use firstcome_core::ports::ProviderStatus;

    fn classify(status: u16, body: &[u8]) -> ProviderAnswer {
        about_payment(super::classify(status, body, PaymentBody::parse))
    }

    const DONE: &str = r#"{"paymentKey":"k","orderId":"o","status":"DONE","totalAmount":1000,"balanceAmount":900,
        "currency":"KRW","cancels":[{"transactionKey":"t","cancelAmount":100,"cancelReason":"x","cancelStatus":"DONE"},
        {"transactionKey":"u","cancelAmount":5,"cancelStatus":"IN_PROGRESS"}],"unknown":{"a":1}}"#;

    #[test]
    fn a_payment_is_read() {
        let ProviderAnswer::Payment(payment) = classify(200, DONE.as_bytes()) else { panic!("not a payment") };
        assert_eq!(payment.status, ProviderStatus::Done);
        assert_eq!((payment.total.amount, payment.balance.amount), (1000, 900));
        assert_eq!(payment.cancels.len(), 1, "a cancel that is not done has not sent money back");
    }

    #[test]
    fn what_cannot_be_read_is_unknown() {
        for (status, body) in [
            (200, "{}"),
            (200, "<html>"),
            (200, ""),
            (302, DONE),
            (400, "<html>"),
            (408, r#"{"code":"X"}"#),
            (429, r#"{"code":"X"}"#),
            (500, r#"{"code":"REJECT_CARD_PAYMENT"}"#),
            (503, ""),
        ] {
            assert!(matches!(classify(status, body.as_bytes()), ProviderAnswer::Unknown { .. }), "{status} {body}");
        }
    }

    #[test]
    fn codes() {
        for code in RETRYABLE {
            let body = format!(r#"{{"code":"{code}","message":"m"}}"#);
            assert!(matches!(classify(400, body.as_bytes()), ProviderAnswer::Unknown { .. }), "{code}");
        }
        for (status, code) in [(403, "REJECT_CARD_PAYMENT"), (404, "NOT_FOUND_PAYMENT"), (401, "UNAUTHORIZED_KEY")] {
            let body = format!(r#"{{"code":"{code}","message":"m"}}"#);
            assert!(matches!(classify(status, body.as_bytes()), ProviderAnswer::Refused { .. }), "{code}");
        }
    }
}
