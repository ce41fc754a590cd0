"""Gmail and the phone: emails, text messages and alarms between the people of the mini world."""

import random
from typing import Any

from kate_engine.mini.clock import days_ago
from kate_engine.mini.people import PEOPLE, SUPERVISORS, Person, contact_keys

_SUBJECTS = (
    "Photos from Saturday",
    "A question",
    "Next week",
    "The spare key",
    "Tickets",
    "Thank you",
    "Recipe",
)
_TEXTS = (
    "On my way.",
    "Did you see the news?",
    "Can we talk tonight?",
    "Happy to help!",
    "Running late, sorry.",
)


def add_messages(models: Any) -> None:
    """For every supervisor 18 received and 9 sent emails, 18 texts and two alarms."""
    rng = random.Random("mini-messages")
    for key in SUPERVISORS:
        owner = PEOPLE[key]
        for round_ in range(3):
            for other in (PEOPLE[other_key] for other_key in contact_keys(key)):
                age = rng.randrange(2, 110)
                if round_ == 2:
                    _add_email(models.gmail, owner, other, rng.choice(_SUBJECTS), age)
                else:
                    _add_email(models.gmail, other, owner, rng.choice(_SUBJECTS), age)
                    _add_text(models.phone, other, owner, rng.choice(_TEXTS), age)
        for time, label in (("07:10", "Get up"), ("21:45", "Wind down")):
            models.phone.Alarm.create_save(
                user_id=owner.id,
                time=time,
                label=label,
                repeat_days=["monday"],
                enabled=True,
                snooze_minutes=10,
                vibration=True,
                created_at=days_ago(60),
            )


def _add_email(gmail: Any, sender: Person, receiver: Person, subject: str, age: int) -> None:
    """One email of its own thread, seen by both, as the app itself would have stored it."""
    moment = days_ago(age, hour=14)
    email = gmail.Email.create_save(
        sender_id=sender.id,
        recipient_ids=[receiver.id],
        subject=subject,
        body=f"Hi {receiver.first_name},\n{subject.lower()}, as promised.\n{sender.first_name}",
        created_at=moment,
    )
    times = {"created_at": moment, "updated_at": moment}
    thread = gmail.GlobalEmailThread.create_save(email_ids=[email.id], **times)
    for person in (sender, receiver):
        gmail.UserEmailThread.create_save(
            global_email_thread_id=thread.id,
            user_id=person.id,
            email_ids=[email.id],
            incoming=person is receiver,
            outgoing=person is sender,
            read=person is sender,
            **times,
        )


def _add_text(phone: Any, sender: Person, receiver: Person, message: str, age: int) -> None:
    moment = days_ago(age, hour=19)
    text = phone.GlobalTextMessage.create_save(
        sender_id=sender.id, receiver_id=receiver.id, message=message, created_at=moment
    )
    for person in (sender, receiver):
        phone.UserTextMessage.create_save(
            global_text_message_id=text.id, user_id=person.id, created_at=moment
        )
