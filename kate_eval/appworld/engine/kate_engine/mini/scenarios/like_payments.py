"""Test, medium, a change: like what related people paid on Venmo in the last calendar month."""

from typing import Any

from kate_engine.mini.clock import month_bounds
from kate_engine.mini.people import Person, related
from kate_engine.mini.scenario import SIGN_IN, Scenario, Truth, Variant, log_in, paged, statements


def _prepare(models: Any, supervisor: Person, values: dict[str, Any]) -> Truth:
    first, after = month_bounds(months_ago=1)
    senders = {person.id for person in related(supervisor.key, values["relation"])}
    payments = sorted(
        payment.id
        for payment in models.venmo.Transaction.find_all(receiver_id=supervisor.id)
        if payment.sender_id in senders and first <= payment.created_at < after
    )
    assert len(payments) > 1, f"too few {values['people']} paid {supervisor.name}"
    likes = sorted([str(supervisor.id), str(payment_id)] for payment_id in payments)
    return Truth(private={"likes": likes, "transaction_ids": payments})


SCENARIO = Scenario(
    name="like_payments",
    split="mini_test",
    difficulty=2,
    apps=("phone", "venmo"),
    instruction="Like all payments that I got on Venmo from any of my {people} in the last calendar month.",
    variants=(
        Variant("priya", {"people": "roommates", "relation": "roommate"}),
        Variant("maya", {"people": "friends", "relation": "friend"}),
        Variant("oskar", {"people": "roommates", "relation": "roommate"}),
    ),
    prepare=_prepare,
    solution=statements(
        SIGN_IN,
        log_in("phone"),
        paged("contacts", "phone.search_contacts", "relationship=$relation"),
        """
    emails = {contact["email"] for contact in contacts}
    today = datetime.datetime.strptime(apis.phone.get_current_date_and_time()["date"], "%A, %B %d, %Y")
    last_month = (today.replace(day=1) - datetime.timedelta(days=1)).strftime("%Y-%m")
""",
        log_in("venmo"),
        paged("payments", "venmo.show_transactions", 'direction="received"'),
        """
    payments = [payment for payment in payments if payment["created_at"].startswith(last_month)]
    for payment in payments:
        if payment["sender"]["email"] in emails:
            apis.venmo.like_transaction(transaction_id=payment["transaction_id"], access_token=venmo_token)
    apis.supervisor.complete_task()
""",
    ),
    evaluation='''
with test("""No answer is given, as none was asked for."""):
    test.answer(given_answer(models), ground_truth_answer)
with test("""Only likes of payments were changed, and the like counts that follow from them."""):
    test.case(models.changed_model_names(), "==", {"venmo.TransactionLike", "venmo.Transaction"})
added, updated, removed = models.changed_records("venmo.TransactionLike")
with test("""No earlier like was changed or taken back."""):
    test.case(len(updated) + len(removed), "==", 0)
with test("""The supervisor likes exactly last month's payments from the people named."""):
    test.case(rows(added, "user_id", "transaction_id"), "==", [list(row) for row in private_data.likes])
added, updated, removed = models.changed_records("venmo.Transaction")
with test("""No payment was made or removed, and no other payment is different."""):
    test.case(len(added) + len(removed), "==", 0)
    test.case(sorted(payment.id for payment in updated), "==", list(private_data.transaction_ids))
''',
    collateral=statements(
        """
    others = [payment for payment in payments if payment["sender"]["email"] not in emails]
    apis.venmo.like_transaction(transaction_id=others[0]["transaction_id"], access_token=venmo_token)
"""
    ),
)
