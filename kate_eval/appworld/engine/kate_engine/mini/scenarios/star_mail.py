"""Dev, medium, a change: star the received emails of related people."""

from typing import Any

from kate_engine.mini.people import Person, related
from kate_engine.mini.scenario import SIGN_IN, Scenario, Truth, Variant, log_in, paged, statements


def _prepare(models: Any, supervisor: Person, values: dict[str, Any]) -> Truth:
    senders = {person.email for person in related(supervisor.key, values["relation"])}
    threads = models.gmail.UserEmailThread.find_all(user_id=supervisor.id, incoming=True)
    wanted = [thread.id for thread in threads if senders & set(thread.sender_email_addresses)]
    return Truth(private={"thread_ids": sorted(wanted)})


SCENARIO = Scenario(
    name="star_mail",
    split="mini_dev",
    difficulty=2,
    apps=("gmail", "phone"),
    instruction="Star all the email threads in my Gmail inbox that come from any of my {people}.",
    variants=(
        Variant("maya", {"people": "roommates", "relation": "roommate"}),
        Variant("priya", {"people": "coworkers", "relation": "coworker"}),
        Variant("oskar", {"people": "friends", "relation": "friend"}),
    ),
    prepare=_prepare,
    solution=statements(
        SIGN_IN,
        log_in("phone"),
        paged("contacts", "phone.search_contacts", "relationship=$relation"),
        """
    emails = {contact["email"] for contact in contacts}
""",
        log_in("gmail"),
        paged("threads", "gmail.show_inbox_threads"),
        """
    for thread in threads:
        thread_id = thread["email_thread_id"]
        if emails & {participant["email"] for participant in thread["participants"]}:
            apis.gmail.mark_thread_starred(email_thread_id=thread_id, access_token=gmail_token)
    apis.supervisor.complete_task()
""",
    ),
    evaluation='''
with test("""No answer is given, as none was asked for."""):
    test.answer(given_answer(models), ground_truth_answer)
with test("""Only email threads were changed."""):
    test.case(models.changed_model_names(), "==", {"gmail.UserEmailThread"})
added, updated, removed = models.changed_records("gmail.UserEmailThread")
with test("""No thread was added or removed."""):
    test.case(len(added) + len(removed), "==", 0)
with test("""Exactly the inbox threads from the people named were changed."""):
    test.case(sorted(thread.id for thread in updated), "==", list(private_data.thread_ids))
with test("""Each of them is starred, and nothing else about it is different."""):
    fields = [models.changed_field_names("gmail.UserEmailThread", thread.id) for thread in updated]
    test.case([names - {"updated_at"} for names in fields], "==", [{"starred"} for _ in updated])
''',
    collateral=statements(
        """
    others = [row for row in threads if not emails & {part["email"] for part in row["participants"]}]
    apis.gmail.mark_thread_starred(email_thread_id=others[0]["email_thread_id"], access_token=gmail_token)
"""
    ),
)
