"""Test, hard, a change: add up a note's costs and record them on Splitwise, shared with the roommates."""

from typing import Any

from kate_engine.mini.clock import days_ago
from kate_engine.mini.people import Person, related
from kate_engine.mini.scenario import SIGN_IN, Scenario, Truth, Variant, log_in, paged, statements

_COSTS = {
    "oskar": (("olives", 6.25), ("pasta", 11.75), ("candles", 9.0), ("cake", 21.0)),
    "priya": (("paint", 42.5), ("brushes", 13.0), ("tape", 4.5)),
    "maya": (("tickets", 57.0), ("snacks", 13.75), ("parking", 8.25), ("posters", 11.0)),
}
"""Every sum can be divided by three without a rest, so that nobody has to round."""


def _prepare(models: Any, supervisor: Person, values: dict[str, Any]) -> Truth:
    costs = _COSTS[supervisor.key]
    moment = days_ago(3, hour=22)
    models.simple_note.Note.create_save(
        user_id=supervisor.id,
        title=values["title"],
        content="I paid for all of it:\n" + "\n".join(f"- {item}: ${cost}" for item, cost in costs),
        tags=["money"],
        created_at=moment,
        updated_at=moment,
    )
    others = related(supervisor.key, "roommate")
    total = sum(cost for _, cost in costs)
    shares = [[str(person.id), str(total / 3)] for person in (supervisor, *others)]
    told = [[str(person.id)] for person in others]
    return Truth(private={"total": total, "shares": sorted(shares), "told": sorted(told)})


SCENARIO = Scenario(
    name="record_bill",
    split="mini_test",
    difficulty=3,
    apps=("phone", "simple_note", "splitwise"),
    instruction=(
        'Add up the costs in my Simple Note "{title}" and record the sum on Splitwise as one expense that I '
        "paid and that my roommates and I share equally, outside of any group. "
        'Describe it as "{description}".'
    ),
    variants=(
        Variant("oskar", {"title": "Midsummer dinner receipts", "description": "Midsummer dinner"}),
        Variant("priya", {"title": "Hallway painting receipts", "description": "Hallway painting"}),
        Variant("maya", {"title": "Comet concert receipts", "description": "Comet concert"}),
    ),
    prepare=_prepare,
    solution=statements(
        SIGN_IN,
        log_in("simple_note"),
        paged("notes", "simple_note.search_notes", "query=$title"),
        """
    note_id = [note["note_id"] for note in notes if note["title"] == $title][0]
    note = apis.simple_note.show_note(note_id=note_id, access_token=simple_note_token)
    lines = [line for line in note["content"].splitlines() if line.startswith("- ")]
    total = sum(float(line.split("$")[1]) for line in lines)
""",
        log_in("phone"),
        paged("contacts", "phone.search_contacts", 'relationship="roommate"'),
        """
    emails = [contact["email"] for contact in contacts]
""",
        log_in("splitwise"),
        """
    apis.splitwise.record_expense(
        description=$description,
        paid_amount=total,
        payer_email=profile["email"],
        debtor_emails=[profile["email"], *emails],
        access_token=splitwise_token,
    )
    apis.supervisor.complete_task()
""",
    ),
    evaluation='''
with test("""No answer is given, as none was asked for."""):
    test.answer(given_answer(models), ground_truth_answer)
with test("""Only an expense, its shares and the notifications about it are new."""):
    changed = {"splitwise.Expense", "splitwise.ExpenseShare", "splitwise.Notification"}
    test.case(models.changed_model_names(), "==", changed)
added, updated, removed = models.changed_records("splitwise.Expense")
with test("""There is one more expense, and no earlier one is different."""):
    test.case([len(added), len(updated), len(removed)], "==", [1, 0, 0])
with test("""The supervisor paid it; its sum, its description and its place outside of groups are right."""):
    found = [[row.payer.email, row.amount, row.description, row.group_id] for row in added]
    test.case(found, "==", [[main_user.email, private_data.total, public_data.description, None]])
added, updated, removed = models.changed_records("splitwise.ExpenseShare")
with test("""The supervisor and each roommate owe an equal share of it."""):
    test.case(rows(added, "debtor_id", "share_amount"), "==", [list(row) for row in private_data.shares])
    test.case(len(updated) + len(removed), "==", 0)
added, updated, removed = models.changed_records("splitwise.Notification")
with test("""The roommates, and nobody else, are notified."""):
    test.case(rows(added, "user_id"), "==", [list(row) for row in private_data.told])
    test.case(len(updated) + len(removed), "==", 0)
''',
    collateral=statements(
        """
    group_id = apis.splitwise.show_groups(access_token=splitwise_token)[0]["group_id"]
    expenses = apis.splitwise.show_group_expenses(group_id=group_id, access_token=splitwise_token)
    mine = [row for row in expenses if row["creator"]["email"] == profile["email"]]
    apis.splitwise.delete_expense(expense_id=mine[0]["expense_id"], access_token=splitwise_token)
"""
    ),
)
