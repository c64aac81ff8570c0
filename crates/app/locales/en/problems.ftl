# One text per code of the API (problem-<code>); some have a second one for when the API says more.
problem-other = That did not work ({ $code }).
problem-malformed_body = We could not read what was sent. Please try again.
problem-malformed_request = Something in the address or the search cannot be read. Check it and try again.
problem-idempotency_key_missing = The form is incomplete. Load the page again and retry.
problem-invalid_code = The code is wrong or no longer valid. Check it, or ask for a new one.
problem-unauthenticated = Please log in first.
problem-invalid_credentials = E-mail or password is wrong.
problem-second_factor_required = This account has two-factor authentication: enter your password once more, with the code of your app.
problem-second_factor_wrong = The authentication code is wrong or was used already. Wait for the next one and try again.
problem-invalid_refresh_token = Your session has ended. Please log in again.
problem-payment_failed = The payment was declined. Your units are still set aside; try again or use another card.
problem-payment_failed-says = The payment was declined: { $says } Your units are still set aside; try again or use another card.
problem-forbidden = This account is not allowed to do that.
problem-not_eligible = This offer has a condition that your account does not meet.
problem-csrf_failed = The form has expired. Go back, load the page again and retry.
problem-not_found = There is nothing here, or it belongs to someone else.
problem-unknown_offer = There is no such offer.
problem-method_not_allowed = That is not possible here.
problem-request_timeout = The connection was too slow. Please try again.
problem-sold_out = Sold out. Every unit is gone.
problem-sold_out-held = Nothing is free right now, but { $held ->
    [one] one unit is
   *[other] { $held } units are
  } still being paid. What is not paid in time comes back by itself.
problem-sold_out-until = Nothing is free right now, but { $held ->
    [one] one unit is
   *[other] { $held } units are
  } still being paid. The next could come back at { $next }.
problem-over_limit = { $limit ->
    [one] Everyone may have one unit
   *[other] Everyone may have { $limit } units
  } of this offer; you have { $owned } already.
problem-too_many = One order may ask for at most { $limit }.
problem-not_open_yet = The sale has not opened yet.
problem-not_open_yet-at = The sale has not opened yet. It opens { $opens }.
problem-closed = The sale is over.
problem-frozen = The sale is paused at the moment. Please try again later.
problem-wrong_state = That is no longer possible in its present state.
problem-replay_failed = The event cannot be handled yet. Nothing has changed.
problem-hold_expired = The time to pay has run out, and no units are left to set aside again. If you were charged, the money comes back by itself.
problem-payment_in_progress = Another payment of this order is under way. Please wait for its result.
problem-already_paid = This order is paid already.
problem-virtual_account_issued = There is an account to pay this order into already. Pay there, or wait until it has expired.
problem-insufficient_balance = The balance is not enough for that.
problem-already_used = It has been used already.
problem-expired = It has expired.
problem-voided = It has been canceled.
problem-promise_broken = That would break what buyers were promised.
problem-would_go_negative = That is more than what is still available.
problem-images_full = There is no more room for pictures. Those that no product shows are removed after some days.
problem-wishlist_full = Your wish list is full. Take something off it first.
problem-account_exists = There is an account with this e-mail already. Log in instead.
problem-identity_in_use = You have verified another account already; one person verifies one.
problem-body_too_large = That is too much text.
problem-unsupported_media_type = We could not read what was sent. Please try again.
problem-consent_missing = Please agree to what the shop asks for.
problem-invalid_body = Please check what you entered.
problem-invalid_body-fields = Please check: { $fields }.
problem-idempotency_key_reused = This form was sent before with other contents. Look at your orders, or load the page again.
problem-amount_mismatch = The amount is not what the order costs. Nothing was charged.
problem-address_missing = This is shipped, and your account has no address. Tell us below where to send it.
problem-coupon_not_applicable = This coupon cannot be used for this order: it is not yours, has expired, is used or reserved, or the order does not meet what it asks for.
problem-gift_card_not_applicable = This gift card cannot be used for this order: it is not yours, has expired, nothing is left on it, or the order is in another currency or for gift cards.
problem-payment_mismatch = This payment does not belong to this order. Nothing was charged.
problem-rate_limited = That was too often. Wait { $seconds ->
    [one] a second
   *[other] { $seconds } seconds
  } and try again.
problem-headers_too_large = The browser sent too much. Delete the cookies of this page and try again.
problem-internal = Something went wrong on our side. What you ordered and paid is safe. Please try again.
problem-overloaded = So many people are here right now that we had to turn you away. Nothing was ordered; try again in a moment.
problem-unavailable = A part of the shop does not answer at the moment. What you ordered and paid is safe. Try again in a moment.
problem-storage_full = The shop cannot take anything more at the moment. Nothing was ordered.
