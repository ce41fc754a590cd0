"""Train, medium, a question: money sent to related people on Venmo in the last calendar month."""

from typing import Any

from kate_engine.mini.clock import month_bounds
from kate_engine.mini.people import Person, related
from kate_engine.mini.scenario import SIGN_IN, Scenario, Truth, Variant, log_in, paged, statements


def _prepare(models: Any, supervisor: Person, values: dict[str, Any]) -> Truth:
    first, after = month_bounds(months_ago=1)
    receivers = {person.id for person in related(supervisor.key, values["relation"])}
    amounts = [
        payment.amount
        for payment in models.venmo.Transaction.find_all(sender_id=supervisor.id)
        if payment.receiver_id in receivers and first <= payment.created_at < after
    ]
    assert len(amounts) > 1, f"{supervisor.name} sent too little to their {values['people']}"
    return Truth(answer=round(sum(amounts), 2))


SCENARIO = Scenario(
    name="month_total",
    split="mini_train",
    difficulty=2,
    apps=("phone", "venmo"),
    instruction="How many dollars did I send to my {people} on Venmo in the last calendar month, in total?",
    variants=(
        Variant("oskar", {"people": "roommates", "relation": "roommate"}),
        Variant("priya", {"people": "friends", "relation": "friend"}),
        Variant("maya", {"people": "sister", "relation": "sister"}),
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
        paged("payments", "venmo.show_transactions", 'direction="sent"'),
        """
    payments = [payment for payment in payments if payment["created_at"].startswith(last_month)]
    amounts = [payment["amount"] for payment in payments if payment["receiver"]["email"] in emails]
    apis.supervisor.complete_task(answer=round(sum(amounts), 2))
""",
    ),
    evaluation='''
with test("""The answer is the sum of last month's payments to exactly the people asked about."""):
    test.answer(given_answer(models), ground_truth_answer)
with test("""Nothing in any app was changed."""):
    test.case(models.changed_model_names(), "==", set())
''',
    collateral=statements(
        """
    apis.venmo.like_transaction(transaction_id=payments[0]["transaction_id"], access_token=venmo_token)
"""
    ),
)
