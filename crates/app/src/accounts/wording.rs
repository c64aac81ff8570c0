//! What the role writes to people, in both languages.

use std::time::Duration;

use super::EmailAddress;
use crate::mails::NewMail;

/// How long news of an account is worth delivering.
const NEWS: Duration = Duration::from_hours(48);

/// A code to sign up with, or to prove an address.
pub(super) fn code<'a>(to: &'a EmailAddress, code: &str, lifetime: Duration) -> NewMail<'a> {
    let minutes = lifetime.as_secs().div_ceil(60);
    let body = format!(
        "Firstcome 인증 코드입니다. {minutes}분 안에 입력해 주세요.\n\
         This is your Firstcome code. Enter it within {minutes} minutes.\n\
         \n\
         {code}\n\
         \n\
         요청하신 적이 없다면 이 메일을 무시해 주세요. 코드를 누구에게도 알려 주지 마세요.\n\
         If you did not ask for it, ignore this e-mail. Tell the code to nobody.\n"
    );
    let subject = "[Firstcome] 인증 코드 · Your code";
    NewMail { purpose: "email-code", to: to.as_str(), subject, body, useful_for: lifetime }
}

/// A code to choose a new password with.
pub(super) fn reset<'a>(to: &'a EmailAddress, code: &str, lifetime: Duration) -> NewMail<'a> {
    let minutes = lifetime.as_secs().div_ceil(60);
    let body = format!(
        "새 비밀번호를 정하기 위한 코드입니다. {minutes}분 안에 입력해 주세요.\n\
         This code lets you choose a new password. Enter it within {minutes} minutes.\n\
         \n\
         {code}\n\
         \n\
         요청하신 적이 없다면 이 메일을 무시해 주세요. 비밀번호는 그대로입니다. 코드를 누구에게도 알려 주지 마세요.\n\
         If you did not ask for it, ignore this e-mail: your password stays. Tell the code to nobody.\n"
    );
    let subject = "[Firstcome] 비밀번호 재설정 · Choose a new password";
    NewMail { purpose: "password-reset", to: to.as_str(), subject, body, useful_for: lifetime }
}

/// The password has changed.
pub(super) fn password_changed(to: &str) -> NewMail<'_> {
    let body = "비밀번호가 바뀌었고, 모든 기기에서 로그아웃되었습니다.\n\
                본인이 아니라면 로그인 화면의 '비밀번호를 잊으셨나요?'에서 바로 다시 바꾸어 주세요.\n\
                \n\
                Your password was changed, and every device was logged out.\n\
                If it was not you, choose a new one right away: \"Forgot password?\" on the log-in page.\n";
    let subject = "[Firstcome] 비밀번호가 바뀌었습니다 · Your password was changed";
    NewMail { purpose: "password-changed", to, subject, body: body.to_owned(), useful_for: NEWS }
}

/// The account has another e-mail address; goes to the one before.
pub(super) fn email_changed(to: &str) -> NewMail<'_> {
    let body = "계정의 이메일 주소가 바뀌었습니다. 이제 이 주소로는 로그인할 수 없습니다.\n\
                본인이 아니라면 판매자에게 바로 알려 주세요.\n\
                \n\
                The e-mail address of your account was changed. This address can no longer log in.\n\
                If it was not you, tell the shop right away.\n";
    let subject = "[Firstcome] 이메일 주소가 바뀌었습니다 · Your e-mail address was changed";
    NewMail { purpose: "email-changed", to, subject, body: body.to_owned(), useful_for: NEWS }
}

/// The account is gone.
pub(super) fn deleted(to: &str) -> NewMail<'_> {
    let body = "계정과 개인정보가 삭제되었습니다. 주문과 결제 기록은 법이 정한 동안 이름 없이 보관됩니다.\n\
                \n\
                Your account and your personal data were deleted. What was ordered and paid is kept, without your name, \
                for as long as the law says.\n";
    let subject = "[Firstcome] 계정이 삭제되었습니다 · Your account was deleted";
    NewMail { purpose: "account-deleted", to, subject, body: body.to_owned(), useful_for: NEWS }
}

/// Something that the person wishes for can be had.
pub(super) fn wish<'a>(to: &'a str, product: &str, link: Option<&str>) -> NewMail<'a> {
    let link = link.map(|link| format!("{link}\n")).unwrap_or_default();
    let body = format!(
        "위시리스트에 담으신 상품을 지금 구매하실 수 있습니다. 수량은 정해져 있고, 먼저 주문하신 순서대로 판매됩니다.\n\
         Something on your wish list can be had now. Stock is limited, and order of arrival decides.\n\
         \n\
         {product}\n\
         {link}\n\
         더 이상 알림을 받지 않으시려면 이 상품을 위시리스트에서 빼 주세요.\n\
         To get no more mails about it, take it off your wish list.\n"
    );
    let subject = "[Firstcome] 위시리스트 상품 판매 중 · On your wish list: it can be had now";
    NewMail { purpose: "wish", to, subject, body, useful_for: NEWS }
}

/// A log-in asks for a code from now on.
pub(super) fn second_factor_on(to: &str) -> NewMail<'_> {
    let body = "2단계 인증이 켜졌습니다. 이제 로그인할 때 인증 앱의 코드가 필요합니다. 다른 기기에서는 로그아웃되었습니다.\n\
                복구 코드를 휴대전화와 다른 곳에 보관해 주세요. 본인이 아니라면 판매자에게 바로 알려 주세요.\n\
                \n\
                Two-factor authentication is on: logging in takes a code of your authenticator app. Your other devices were \
                logged out.\n\
                Keep the recovery codes where your phone is not. If it was not you, tell the shop right away.\n";
    let subject = "[Firstcome] 2단계 인증이 켜졌습니다 · Two-factor authentication is on";
    NewMail { purpose: "second-factor-on", to, subject, body: body.to_owned(), useful_for: NEWS }
}

/// A password is enough again.
pub(super) fn second_factor_off(to: &str) -> NewMail<'_> {
    let body = "2단계 인증이 꺼졌습니다. 이제 비밀번호만으로 로그인할 수 있습니다.\n\
                본인이 아니라면 비밀번호를 바로 바꾸고 판매자에게 알려 주세요.\n\
                \n\
                Two-factor authentication is off: the password is enough to log in.\n\
                If it was not you, change your password right away and tell the shop.\n";
    let subject = "[Firstcome] 2단계 인증이 꺼졌습니다 · Two-factor authentication is off";
    NewMail { purpose: "second-factor-off", to, subject, body: body.to_owned(), useful_for: NEWS }
}

/// An operator has made a password enough again.
pub(super) fn second_factor_reset(to: &str) -> NewMail<'_> {
    let body = "운영자가 2단계 인증을 해제했고, 모든 기기에서 로그아웃되었습니다. 이제 비밀번호만으로 로그인할 수 있습니다.\n\
                요청하신 적이 없다면 비밀번호를 바로 바꾸고 판매자에게 알려 주세요.\n\
                \n\
                An operator has turned your two-factor authentication off, and every device was logged out. The password is \
                enough to log in.\n\
                If you did not ask for it, change your password right away and tell the shop.\n";
    let subject = "[Firstcome] 2단계 인증이 해제되었습니다 · Two-factor authentication was reset";
    NewMail { purpose: "second-factor-reset", to, subject, body: body.to_owned(), useful_for: NEWS }
}

/// Somebody who knows the password guesses at codes.
pub(super) fn second_factor_guessed(to: &str) -> NewMail<'_> {
    let body = "누군가 올바른 비밀번호로 로그인하면서 인증 코드를 여러 번 틀렸습니다.\n\
                본인이 아니라면 비밀번호가 알려진 것이니 바로 바꾸어 주세요.\n\
                \n\
                Somebody logs in with your password, but with wrong codes.\n\
                If it was not you, they know your password: change it right away.\n";
    let subject = "[Firstcome] 인증 코드가 여러 번 틀렸습니다 · Wrong codes for your account";
    NewMail { purpose: "second-factor-guessed", to, subject, body: body.to_owned(), useful_for: NEWS }
}

/// What became of the consent to advertising, by day and at night.
pub(super) fn advertising_consent<'a>(to: &'a str, (by_day, at_night): (bool, bool), day: &str) -> NewMail<'a> {
    let (korean, english) = match (by_day, at_night) {
        (true, true) => {
            ("광고 메일 수신에 동의하셨습니다(야간 포함).", "You agreed to advertising by e-mail, also at night.")
        }
        (true, false) => {
            ("광고 메일 수신에 동의하셨습니다(야간 제외).", "You agreed to advertising by e-mail, not at night.")
        }
        (false, _) => ("광고 메일 수신 동의를 철회하셨습니다.", "You took your consent to advertising by e-mail back."),
    };
    let body = format!(
        "{korean} ({day})\n\
         광고 메일의 링크나 계정에서 언제든지 바꾸실 수 있습니다.\n\
         \n\
         {english} ({day})\n\
         You can change that at any time, by the link in each of them or in your account.\n"
    );
    let subject = "[Firstcome] 광고 수신 동의 처리 결과 · Your consent to advertising";
    NewMail { purpose: "advertising-consent", to, subject, body, useful_for: NEWS }
}
