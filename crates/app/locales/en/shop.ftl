skip-to-content = Skip to content
nav-label = Main
nav-offers = Offers
nav-orders = Orders
nav-vouchers = Vouchers
nav-account = Account
nav-login = Log in
nav-signup = Sign up
nav-seller = Seller
nav-redeem = Redeem
footer-promise = Limited stock, in order of arrival. Never oversold, nothing lost.
footer-api = API
try-again = Try again
to-the-offers = See the offers
show-more = Show more
optional = (optional)
free = Free
live = live

home-title = Offers
home-headline = First come, first served. For real.
home-lead = Stock is limited, and order of arrival decides. What you get hold of is yours while you pay.
home-empty = Nothing on sale here right now
home-empty-hint = New offers appear on this page as soon as they are announced.
filter-label = Kind of product
filter-all = All
filter-clear = Show everything
category-label = Category
category-inner-label = Within the category
category-all = All categories
search = Search
search-label = Search the offers
search-hint = What are you looking for?
search-empty = Nothing was found
search-empty-hint = Try fewer words, or a part of one.
shelf-open = On sale now
shelf-upcoming = Opening soon
shelf-ended = Ended

kind-goods = Goods
kind-ticket = Ticket
kind-gift_card = Gift card
kind-coupon = Coupon
offer-state-open = On sale
offer-state-upcoming = Opening soon
offer-state-sold_out = Sold out
offer-state-ended = Ended
offer-state-frozen = Paused
offer-state-draft = Draft

face-value = Face value
stock-label = Stock
stock-left = { $count ->
    [one] { $shown } left
   *[other] { $shown } left
  }
stock-left-template = {"{n}"} left
stock-none = None left
stock-of = of { $shown }
stock-sold = { $shown } sold
stock-legend-sold = Sold
stock-legend-held = Being paid
stock-legend-available = Available
opens-in = Opens in
opens-at = { $value } – the button unlocks by itself.
countdown-units = days|hours|min|sec
countdown-days-short = {"{n}"}d
countdown-open = Open now
sold-out-held-note = Some units are still being paid. If a payment is not finished in time, its units come back here by themselves.
offer-ended-note = This sale is over.
offer-frozen-note = The seller has paused this sale. What is already ordered stays ordered.
quantity = Quantity
quantity-less = Fewer
quantity-more = More
buy = Buy now
get-free = Get it for free
buy-upcoming = Not open yet
buy-sold-out = Sold out
buy-frozen = Paused
buy-ended = Ended
login-to-buy = Log in to buy
login-to-buy-hint = No account yet?
noscript-offer = Your browser runs no scripts: reload the page to see the current stock, and at the opening to buy.
conditions = Who can order
condition-limit_per_person = Everyone may have { $count ->
    [one] { $shown } unit
   *[other] { $shown } units
  }, over all of their orders
condition-email_verified = Your e-mail address is verified
condition-account_older_than_days = You signed up at least { $count ->
    [one] { $shown } day
   *[other] { $shown } days
  } before you order
signed-up-by-for-now = to order now: by { $value }
signed-up-by-for-opening = to order at the opening: by { $value }
condition-owns_product = You have bought { $value } and not given all of it back
condition-owns_another = You have bought a certain other product and not given all of it back
condition-identity_verified = Your identity is verified; one person has one such account
units = { $count ->
    [one] { $shown } unit
   *[other] { $shown } units
  }
time-to-pay = Time to pay
sale-opens = Opens
sale-closes = Closes
valid-for = Valid for
visit-date = Visit date
refunds = Refunds
refund-policy-full_until_used = In full, as long as it is unused
refund-policy-by_visit_date = By days before the visit
refund-policy-withdrawal = In full until it is shipped, then when it is sent back
refund-policy-none = No refunds
returns = Sending back
returns-within = { $count ->
    [one] Within { $shown } day of delivery
   *[other] Within { $shown } days of delivery
  }
duration-days = { $count ->
    [one] { $shown } day
   *[other] { $shown } days
  }
duration-hours = { $count ->
    [one] { $shown } hour
   *[other] { $shown } hours
  }
duration-minutes = { $count ->
    [one] { $shown } minute
   *[other] { $shown } minutes
  }
duration-seconds = { $count ->
    [one] { $shown } second
   *[other] { $shown } seconds
  }
about-product = About
fair-note = Units go out strictly in order of arrival. Your order shows its number in the sale's journal: lower numbers came first.

ship-own = Ships to your account's address: { $value }
ship-elsewhere = Ship it somewhere else
ship-hint-required = This is shipped to you: say where to. It is stored encrypted.
ship-hint-optional = Left empty, it goes to the address of your account.
ship-error-name = Who receives it? One line of at most 100 characters.
ship-error-phone = A phone number for the carrier, of 5 to 30 characters.
ship-error-address = Street, town and postal code, in 5 to 500 characters.

failure-not-found = Not here
failure-forbidden = Not for this account
failure-busy = Very busy right now
failure-refused = That did not work
failure-internal = Something went wrong
