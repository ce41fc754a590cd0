"""The people of the mini world: who they are, how they are related, and their accounts in every app."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kate_engine.mini.clock import days_ago

EMAIL_APPS = ("amazon", "file_system", "simple_note", "splitwise", "spotify", "todoist", "venmo")
"""Apps whose accounts are verified by email; gmail and phone accounts have no such flag."""
ACCOUNT_APPS = (*EMAIL_APPS, "gmail", "phone")
SUPERVISORS = ("maya", "oskar", "priya")


@dataclass(frozen=True)
class Person:
    """Somebody with an account in every app."""

    key: str
    first_name: str
    last_name: str
    sex: str
    birthday: str

    @property
    def id(self) -> int:
        """The person's user id, which is the same in every app."""
        return 1 + list(PEOPLE).index(self.key)

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.first_name} {self.last_name}"

    @property
    def email(self) -> str:
        """The address of the person's every account."""
        return f"{self.first_name}.{self.last_name}@gmail.com".lower()

    @property
    def phone_number(self) -> str:
        """Ten digits."""
        return f"555{2470013 + 137 * self.id}"

    def password(self, app: str) -> str:
        """The person's password in an app."""
        return f"{self.key}-{app[:3]}{self.id * 37 + len(app)}!"


_ROWS = (
    ("maya", "Maya", "Brandt", "female", "1991-03-14"),
    ("oskar", "Oskar", "Lindqvist", "male", "1988-11-02"),
    ("priya", "Priya", "Raman", "female", "1994-07-21"),
    ("tomas", "Tomas", "Brandt", "male", "1987-01-09"),
    ("ines", "Ines", "Brandt", "female", "1996-05-30"),
    ("nora", "Nora", "Feld", "female", "1990-09-17"),
    ("jude", "Jude", "Ackroyd", "male", "1992-12-05"),
    ("elsa", "Elsa", "Lindqvist", "female", "1985-04-26"),
    ("henrik", "Henrik", "Lindqvist", "male", "1993-08-08"),
    ("samir", "Samir", "Haddad", "male", "1989-02-11"),
    ("kofi", "Kofi", "Mensah", "male", "1990-06-19"),
    ("leela", "Leela", "Raman", "female", "1998-10-03"),
    ("anand", "Anand", "Raman", "male", "1990-01-27"),
    ("beatriz", "Beatriz", "Torres", "female", "1993-03-08"),
    ("yuki", "Yuki", "Tanabe", "female", "1995-11-15"),
)
PEOPLE = {row[0]: Person(*row) for row in _ROWS}

RELATIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "maya": {
        "brother": ("tomas",),
        "sister": ("ines",),
        "roommate": ("nora", "jude"),
        "friend": ("priya", "kofi", "elsa"),
        "coworker": ("oskar", "beatriz"),
    },
    "oskar": {
        "sister": ("elsa",),
        "brother": ("henrik",),
        "roommate": ("samir", "kofi"),
        "friend": ("nora", "anand", "yuki"),
        "coworker": ("maya", "leela"),
    },
    "priya": {
        "sister": ("leela",),
        "brother": ("anand",),
        "roommate": ("beatriz", "yuki"),
        "friend": ("maya", "henrik", "ines"),
        "coworker": ("samir", "jude"),
    },
}
"""For each supervisor: the relations kept in the phone's contact book, by kind."""


def related(owner: str, relation: str) -> list[Person]:
    """The people in somebody's contact book under one relation."""
    return [PEOPLE[key] for key in RELATIONS[owner][relation]]


def contact_keys(owner: str) -> list[str]:
    """Everybody in somebody's contact book, in a fixed order."""
    return [key for keys in RELATIONS[owner].values() for key in keys]


def add_people(models: Any) -> None:
    """Create the people, their accounts in all apps, their cards and their contact books."""
    registered = days_ago(900)
    for person in PEOPLE.values():
        _add_main_user(models, person)
        for app in ACCOUNT_APPS:
            _add_account(models[app].User, app, person, registered)
    for owner in SUPERVISORS:
        for relation, keys in RELATIONS[owner].items():
            for key in keys:
                _add_contact(models, PEOPLE[owner], PEOPLE[key], relation)


def _add_main_user(models: Any, person: Person) -> None:
    models.admin.MainUser.create_save(
        first_name=person.first_name,
        last_name=person.last_name,
        email=person.email,
        phone_number=person.phone_number,
        birthday=person.birthday,
        sex=person.sex,
    )
    models.admin.PaymentCard.create_save(main_user_id=person.id, balance=4000.0, **card(person))
    for app in ACCOUNT_APPS:
        models.admin.AccountPassword.create_save(
            main_user_id=person.id, account_name=app, password=person.password(app)
        )


def _add_account(user_model: Any, app: str, person: Person, registered: datetime) -> None:
    fields: dict[str, Any] = {
        "first_name": person.first_name,
        "last_name": person.last_name,
        "password": person.password(app),
        "created_at": registered,
        "last_logged_in": registered,
    }
    if app == "phone":
        fields["phone_number"] = person.phone_number
    else:
        fields["email"] = person.email
    if app in EMAIL_APPS:
        fields["verified"] = True
    if app == "venmo":
        fields["venmo_balance"] = 600.0 + 25 * person.id
    user_model.create_save(**fields)


def _add_contact(models: Any, owner: Person, other: Person, relation: str) -> None:
    models.phone.Contact.create_save(
        user_id=owner.id,
        first_name=other.first_name,
        last_name=other.last_name,
        email=other.email,
        phone_number=other.phone_number,
        relationships=[relation],
        birthday=other.birthday,
        created_at=days_ago(700),
    )


def card(person: Person) -> dict[str, Any]:
    """The fields of somebody's one payment card."""
    return {
        "owner_name": person.name,
        "card_name": "Visa",
        "card_number": 4000_0000_0000_0000 + 7919 * person.id,
        "expiry_year": 2027,
        "expiry_month": 1 + person.id % 12,
        "cvv_number": 200 + 13 * person.id,
    }
