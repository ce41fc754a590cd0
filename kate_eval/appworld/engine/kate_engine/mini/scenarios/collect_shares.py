"""Train, hard, a change: a note says who owes what; request it from those who have not paid yet."""

from typing import Any

from kate_engine.mini.clock import days_ago
from kate_engine.mini.people import PEOPLE, Person
from kate_engine.mini.scenario import SIGN_IN, Scenario, Truth, Variant, log_in, paged, statements


def _prepare(models: Any, supervisor: Person, values: dict[str, Any]) -> Truth:
    shares = _SHARES[supervisor.key]
    lines = [
        f"- {PEOPLE[key].first_name}: ${amount}{' (paid)' if paid else ''}" for key, amount, paid in shares
    ]
    moment = days_ago(6, hour=20)
    models.simple_note.Note.create_save(
        user_id=supervisor.id,
        title=values["title"],
        content="What everybody owes me:\n" + "\n".join(lines),
        tags=["money"],
        created_at=moment,
        updated_at=moment,
    )
    owed = [[str(PEOPLE[key].id), str(float(amount))] for key, amount, paid in shares if not paid]
    return Truth(private={"owed": sorted(owed), "debtors": sorted(row[:1] for row in owed)})


_SHARES = {
    "maya": (
        ("nora", "34.5", False),
        ("kofi", "12", True),
        ("beatriz", "27.25", False),
        ("tomas", "41", False),
    ),
    "oskar": (("anand", "18", False), ("elsa", "22.75", True), ("samir", "22.75", False)),
    "priya": (("jude", "9.5", True), ("yuki", "63", False), ("leela", "63", False), ("ines", "31.5", True)),
}

SCENARIO = Scenario(
    name="collect_shares",
    split="mini_train",
    difficulty=3,
    apps=("phone", "simple_note", "venmo"),
    instruction=(
        'My Simple Note "{title}" lists what people from my contacts owe me. Send each of them who has not '
        'paid yet a public Venmo payment request for their amount, with the description "{description}".'
    ),
    variants=(
        Variant("maya", {"title": "Canal trip costs", "description": "Canal trip"}),
        Variant("oskar", {"title": "Sauna weekend costs", "description": "Sauna weekend"}),
        Variant("priya", {"title": "Quiz night costs", "description": "Quiz night"}),
    ),
    prepare=_prepare,
    solution=statements(
        SIGN_IN,
        log_in("simple_note"),
        paged("notes", "simple_note.search_notes", "query=$title"),
        """
    note_id = [note["note_id"] for note in notes if note["title"] == $title][0]
    note = apis.simple_note.show_note(note_id=note_id, access_token=simple_note_token)
    lines = [line[2:] for line in note["content"].splitlines() if line.startswith("- ")]
    owed = dict(line.split(": $") for line in lines if not line.endswith("(paid)"))
""",
        log_in("phone"),
        paged("contacts", "phone.search_contacts"),
        """
    emails = {contact["first_name"]: contact["email"] for contact in contacts}
""",
        log_in("venmo"),
        """
    for first_name, amount in owed.items():
        apis.venmo.create_payment_request(
            user_email=emails[first_name],
            amount=float(amount),
            description=$description,
            access_token=venmo_token,
        )
    apis.supervisor.complete_task()
""",
    ),
    evaluation='''
with test("""No answer is given, as none was asked for."""):
    test.answer(given_answer(models), ground_truth_answer)
with test("""Only Venmo payment requests and the notifications about them are new."""):
    test.case(models.changed_model_names(), "==", {"venmo.PaymentRequest", "venmo.Notification"})
added, updated, removed = models.changed_records("venmo.PaymentRequest")
with test("""No earlier payment request was changed or withdrawn."""):
    test.case(len(updated) + len(removed), "==", 0)
with test("""Those who have not paid, and nobody else, are asked once for what they owe."""):
    test.case(rows(added, "receiver_id", "amount"), "==", [list(row) for row in private_data.owed])
with test("""Every request comes from the supervisor, is public and has the wanted description."""):
    wanted = [[main_user.email, public_data.description, False] for _ in private_data.owed]
    test.case([[row.sender.email, row.description, row.private] for row in added], "==", wanted)
notices, changed_notices, removed_notices = models.changed_records("venmo.Notification")
with test("""Each debtor has one notification more, and no other notification is different."""):
    test.case(len(changed_notices) + len(removed_notices), "==", 0)
    test.case(rows(notices, "user_id"), "==", [list(row) for row in private_data.debtors])
''',
    collateral=statements(
        """
    apis.venmo.create_payment_request(
        user_email=contacts[0]["email"], amount=1, description=$description, access_token=venmo_token
    )
"""
    ),
)
