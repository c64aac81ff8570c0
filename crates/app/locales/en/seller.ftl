admin-offers = Sales
admin-orders = Orders
admin-audit = Audit
admin-new = New sale
admin-offers-empty = No sales yet
admin-offers-empty-hint = Create the first one: a product, a price, a number of units and an opening time.
admin-done-open = The sale is open.
admin-done-close = The sale is closed. Orders that were made before stay valid.
admin-done-freeze = The sale is paused.
admin-done-unfreeze = The sale goes on.
admin-done-adjust = The stock was changed.
admin-done-created = The sale is created.

live-sold = Sold
live-stock = Stock
live-available = Available
live-held = Held
live-paying = Paying
live-released = Released
live-per-second = Granted per second
live-spark-label = Units granted per second over the last minute
live-journal = Journal entries
live-refused = Refused
live-steer = Steer
refused-sold_out = Sold out
refused-over_limit = Over the limit per person
refused-too_many = Too many in one order
refused-not_open_yet = Too early
refused-closed = Too late
refused-frozen = While paused
do-open = Open now
do-close = Close now
do-freeze = Pause
do-unfreeze = Go on
confirm-open = Open this sale now, for everyone?
confirm-close = Close this sale for good? Units that are being paid stay with their buyers.
confirm-freeze = Pause this sale? Nobody can buy until you let it go on.
confirm-unfreeze = Let this sale go on?
adjust-title = Change the stock
adjust-delta = By
adjust-reason = Reason, for the books
adjust-do = Change
see-as-buyer = See it as a buyer
see-orders = Orders of this sale

search-state = State
search-offer = Offer
search-user = Buyer
search-stuck = Stuck in payment
search-do = Search
admin-orders-empty = No orders match

audit-lead = Every sale is recounted from its journal alone: stock = available + held + sold. A sale that does not add up is paused at once.
audit-empty = Nothing to audit yet
audit-empty-hint = Results appear as soon as something was sold.
audit-all-agree = Every sale adds up.
audit-disagree = { $count ->
    [one] { $shown } sale does not add up and is paused.
   *[other] { $shown } sales do not add up and are paused.
  }
audit-offer = Sale
audit-result = Result
audit-agrees = Adds up
audit-differs = Differs
audit-unpaid = { $count ->
    [one] One order was not paid
   *[other] { $shown } orders were not paid
  }
audit-at = Checked

new-product = Product
new-offer = Sale
new-product-exists = The product “{ $value }” is created. Only the sale is missing.
new-image-hint = https:// only.
new-price-hint = 0 is free.
new-opens-hint = Empty: at once.
new-closes-hint = Empty: never.
new-no-limit = None
new-draft = Draft: show and sell nothing until I open it
new-create = Create the sale
field-kind = Kind
field-product-name = Name
field-description = Description
field-image_url = Picture (URL)
field-face_value = Face value (₩)
field-valid_for_days = Valid for (days)
field-visit_date = Visit date
field-discount = Discount
field-discount-percent = Discount (%)
field-discount-amount = Discount, or most (₩)
field-minimum_amount = Minimum amount
field-price = Price (₩)
field-stock = Units
field-opens_at = Opens at
field-closes_at = Closes at
field-limit_per_person = Limit per person
field-max_per_order = Most per order
field-hold_for_seconds = Minutes to pay
field-refund_policy = Refunds
field-delta = Change
field-reason = Reason
field-amount = Amount
field-product_id = Product
admin-cluster = Processes
cluster-lead = Every role runs in processes of its own. This is how the gateway that answers you sees them.
cluster-role = Role
cluster-process = Process
cluster-state = State
cluster-in-flight = Requests under way
cluster-latency = Answers in (µs)
cluster-free = Free places
cluster-since = Since
cluster-well = Well
cluster-draining = Finishing
cluster-trying = Being tried
cluster-failing = Failing
cluster-nobody = No process
