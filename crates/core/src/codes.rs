//! The public error codes: one table from code to HTTP status and title. `docs/errors.md` explains each to whoever meets it.

/// Declares [`ErrorCode`] and its table in one place.
macro_rules! error_codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $status:literal, $title:literal;)*) => {
        /// A stable name for what went wrong, as the `code` of a problem document (RFC 9457).
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum ErrorCode { $($(#[$doc])* $name,)* }

        impl ErrorCode {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The stable name.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The HTTP status that goes with it.
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            /// The title of its problem document.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

error_codes! {
    /// The body is not JSON, or not text in UTF-8.
    MalformedBody = "malformed_body", 400, "The request body cannot be read";
    /// A query parameter or header cannot be read.
    MalformedRequest = "malformed_request", 400, "The request cannot be read";
    /// The header `Idempotency-Key` is missing, is sent twice, or is not 1 to 255 visible ASCII characters.
    IdempotencyKeyMissing = "idempotency_key_missing", 400, "An Idempotency-Key header is needed";
    /// The e-mailed code is wrong, used or too old.
    InvalidCode = "invalid_code", 400, "The code is wrong or has expired";
    /// No access token, or one that does not hold.
    Unauthenticated = "unauthenticated", 401, "Log in first";
    /// E-mail or password is wrong.
    InvalidCredentials = "invalid_credentials", 401, "E-mail or password is wrong";
    /// The account has a second factor, and no code was sent.
    SecondFactorRequired = "second_factor_required", 401, "A code of the authenticator app is needed";
    /// The code of the second factor is wrong, or was used.
    SecondFactorWrong = "second_factor_wrong", 401, "The code of the authenticator app is wrong";
    /// The refresh token is unknown, used or expired.
    InvalidRefreshToken = "invalid_refresh_token", 401, "Log in again";
    /// The provider refused the payment for good.
    PaymentFailed = "payment_failed", 402, "The payment was refused";
    /// The account's role does not allow it.
    Forbidden = "forbidden", 403, "Not allowed for this account";
    /// A condition of the offer is not met.
    NotEligible = "not_eligible", 403, "A condition of the offer is not met";
    /// A page's form came without its protection token.
    CsrfFailed = "csrf_failed", 403, "The form has expired; load the page again";
    /// There is no such thing, or it belongs to someone else.
    NotFound = "not_found", 404, "There is no such thing here";
    /// There is no such offer.
    UnknownOffer = "unknown_offer", 404, "There is no such offer";
    /// The path does not take this method.
    MethodNotAllowed = "method_not_allowed", 405, "This path does not take that method";
    /// The client took too long to send its request.
    RequestTimeout = "request_timeout", 408, "The request took too long to arrive";
    /// No units are left.
    SoldOut = "sold_out", 409, "Sold out";
    /// The person would have more units than one may.
    OverLimit = "over_limit", 409, "More than one person may have";
    /// The order asks for more units than one order may.
    TooMany = "too_many", 409, "More than one order may ask for";
    /// The offer has not begun.
    NotOpenYet = "not_open_yet", 409, "The offer has not opened yet";
    /// The offer is over.
    Closed = "closed", 409, "The offer has ended";
    /// The offer is stopped.
    Frozen = "frozen", 409, "The offer is stopped for now";
    /// The thing is in a state that does not allow it.
    WrongState = "wrong_state", 409, "Not possible in the state it is in";
    /// The event of a dead letter could not be handled this time either.
    ReplayFailed = "replay_failed", 409, "The event cannot be handled yet";
    /// The order has a virtual account to pay into already.
    VirtualAccountIssued = "virtual_account_issued", 409, "There is an account to pay into already";
    /// The hold of the order has ended.
    HoldExpired = "hold_expired", 409, "The time to pay has run out";
    /// Another payment of the order is under way.
    PaymentInProgress = "payment_in_progress", 409, "Another payment is under way";
    /// The order is paid.
    AlreadyPaid = "already_paid", 409, "The order is paid already";
    /// The card has less money than that.
    InsufficientBalance = "insufficient_balance", 409, "The balance is too low";
    /// The voucher was used.
    AlreadyUsed = "already_used", 409, "It has been used already";
    /// The voucher is no longer valid.
    Expired = "expired", 409, "It has expired";
    /// The voucher was canceled.
    Voided = "voided", 409, "It has been canceled";
    /// The edit would break what buyers were promised.
    PromiseBroken = "promise_broken", 409, "That would break what buyers were promised";
    /// The stock would fall below what is held and sold.
    WouldGoNegative = "would_go_negative", 409, "More units than are available";
    /// The wish list has as many products as it may.
    WishlistFull = "wishlist_full", 409, "The wish list is full";
    /// The shop's pictures take as much as they may.
    ImagesFull = "images_full", 409, "There is no more room for images";
    /// The e-mail has an account.
    AccountExists = "account_exists", 409, "There is an account with this e-mail already";
    /// The person has verified another account.
    IdentityInUse = "identity_in_use", 409, "This person has verified another account";
    /// The body is larger than 64 KiB.
    BodyTooLarge = "body_too_large", 413, "The request body is too large";
    /// The body is not sent as JSON.
    UnsupportedMediaType = "unsupported_media_type", 415, "Send the body in a form that is taken here";
    /// The body is JSON but does not have the right fields.
    InvalidBody = "invalid_body", 422, "Some fields are not right";
    /// The key was used for another request.
    IdempotencyKeyReused = "idempotency_key_reused", 422, "The Idempotency-Key was used for another request";
    /// The amount is not what the order costs.
    AmountMismatch = "amount_mismatch", 422, "The amount is not what the order costs";
    /// The shop asks for a consent that was not given.
    ConsentMissing = "consent_missing", 422, "A consent that the shop asks for is missing";
    /// Goods need an address.
    AddressMissing = "address_missing", 422, "An address to ship to is needed";
    /// The coupon takes nothing off this order.
    CouponNotApplicable = "coupon_not_applicable", 422, "The coupon cannot be used for this order";
    /// The gift card pays nothing of this order.
    GiftCardNotApplicable = "gift_card_not_applicable", 422, "The gift card cannot be used for this order";
    /// The provider knows no such payment, or it is for another order.
    PaymentMismatch = "payment_mismatch", 422, "The payment does not belong to this order";
    /// Too many requests.
    RateLimited = "rate_limited", 429, "Too many requests; try again later";
    /// The request's headers are too large.
    HeadersTooLarge = "headers_too_large", 431, "The request's headers are too large";
    /// Something that should not happen did; it is in the log under the request's id.
    Internal = "internal", 500, "Something went wrong on our side";
    /// More work is waiting than can be done in time.
    Overloaded = "overloaded", 503, "Too busy; try again in a moment";
    /// A part of the shop does not answer.
    Unavailable = "unavailable", 503, "A part of the shop does not answer; try again in a moment";
    /// The disk takes no more: nothing can be promised durably.
    StorageFull = "storage_full", 507, "The shop cannot store anything more at the moment";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique() {
        let mut seen = std::collections::HashSet::new();
        assert!(ErrorCode::ALL.iter().all(|code| seen.insert(code.as_str())));
        assert!(ErrorCode::ALL.iter().all(|code| (400..600).contains(&code.status())));
    }

    #[test]
    fn every_code_is_explained() {
        let page = include_str!("../../../docs/errors.md");
        for code in ErrorCode::ALL {
            let entry = format!("| `{}` | {} | {}.", code.as_str(), code.status(), code.title());
            assert!(page.contains(&entry), "docs/errors.md lacks: {entry}");
        }
    }
}
