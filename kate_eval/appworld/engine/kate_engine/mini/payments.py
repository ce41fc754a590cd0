"""Venmo and Splitwise: friends, past payments, cards, groups and shared expenses."""

import random
from typing import Any

from kate_engine.mini.clock import days_ago
from kate_engine.mini.people import PEOPLE, RELATIONS, SUPERVISORS, Person, card, contact_keys

_NOTES = ("groceries", "cinema", "taxi", "electricity", "concert", "lunch", "board game", "museum", "petrol")
_SHARED = ("Internet bill", "Cleaning supplies", "Dinner out", "New kettle", "Water bill", "Picnic food")


def add_payments(models: Any) -> None:
    """Fill both apps; each supervisor has about 75 Venmo payments over the last 75 days."""
    rng = random.Random("mini-payments")
    for person in PEOPLE.values():
        models.venmo.PaymentCard.create_save(user_id=person.id, **card(person))
    for key in SUPERVISORS:
        _add_friends(models.venmo, key)
        _add_transactions(models.venmo, key, rng)
        _add_household(models.splitwise, key, rng)


def _add_friends(venmo: Any, owner: str) -> None:
    for key in contact_keys(owner):
        pair = (PEOPLE[owner].id, PEOPLE[key].id)
        for user_id, friend_id in (pair, pair[::-1]):
            if not venmo.Friendship.exists(user_id=user_id, friend_id=friend_id):
                venmo.Friendship.create_save(user_id=user_id, friend_id=friend_id, created_at=days_ago(600))


def _add_transactions(venmo: Any, owner: str, rng: random.Random) -> None:
    """Payments with every contact; those with roommates are more frequent, so they fill over a page."""
    rows: list[tuple[int, Person, bool]] = []
    for relation, keys in RELATIONS[owner].items():
        count = {"roommate": 13, "sister": 10, "brother": 10}.get(relation, 5)
        for key in keys:
            rows += [(rng.randrange(1, 75), PEOPLE[key], rng.random() < 0.55) for _ in range(count)]
    for age, other, sent in sorted(rows, key=lambda row: (-row[0], row[1].id)):
        sender, receiver = (PEOPLE[owner], other) if sent else (other, PEOPLE[owner])
        moment = days_ago(age, hour=rng.randrange(8, 22), minute=rng.randrange(60))
        venmo.Transaction.create_save(
            sender_id=sender.id,
            receiver_id=receiver.id,
            amount=float(rng.randrange(4, 90)) + rng.choice((0.0, 0.25, 0.5)),
            description=rng.choice(_NOTES),
            created_at=moment,
            updated_at=moment,
        )


def _add_household(splitwise: Any, owner: str, rng: random.Random) -> None:
    """One group for a supervisor and their roommates, with a dozen expenses."""
    me = PEOPLE[owner]
    members = [me, *(PEOPLE[key] for key in RELATIONS[owner]["roommate"])]
    group = splitwise.Group.create_save(
        user_id=me.id,
        name=f"{me.last_name} flat",
        description="Everything we share at home",
        created_at=days_ago(400),
        invitation_code=f"flat{me.id:03d}",
    )
    for member in members:
        splitwise.GroupMember.create_save(group_id=group.id, user_id=member.id, joined_at=days_ago(399))
    for number in range(12):
        payer = members[number % 3]
        _add_expense(
            splitwise, group.id, payer, members, rng.choice(_SHARED), 3.0 * rng.randrange(4, 40), number
        )


def _add_expense(
    splitwise: Any,
    group_id: int,
    payer: Person,
    members: list[Person],
    description: str,
    amount: float,
    number: int,
) -> None:
    """One expense that everybody shares equally, as the app itself records it."""
    moment = days_ago(125 - 10 * number, hour=18)
    expense = splitwise.Expense.create_save(
        user_id=payer.id,
        group_id=group_id,
        payer_id=payer.id,
        description=description,
        amount=amount,
        created_at=moment,
    )
    for member in members:
        splitwise.ExpenseShare.create_save(
            expense_id=expense.id,
            debtor_id=member.id,
            share_amount=amount / len(members),
            created_at=moment,
        )
