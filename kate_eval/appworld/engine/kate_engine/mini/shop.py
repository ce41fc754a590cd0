"""Amazon: a few sellers and products, and each supervisor's cart and wish list."""

import random
from typing import Any

from kate_engine.mini.people import PEOPLE, SUPERVISORS

_SELLERS = ("Larkhaven Goods", "Nordbo Supply", "Plain & Square")
_PRODUCTS = (
    ("kettle", "Tern Kettle", 34.0),
    ("kettle", "Gull Kettle", 52.5),
    ("lamp", "Low Tide Lamp", 28.0),
    ("lamp", "Beacon Lamp", 75.0),
    ("backpack", "Ridge Backpack", 89.0),
    ("backpack", "Commuter Backpack", 61.0),
    ("notebook", "Grid Notebook", 6.5),
    ("notebook", "Dotted Notebook", 7.0),
    ("headphones", "Hush Headphones", 119.0),
    ("headphones", "Field Headphones", 44.0),
    ("blanket", "Heath Blanket", 39.0),
    ("blanket", "Moor Blanket", 58.0),
    ("teapot", "Round Teapot", 24.0),
    ("clock", "Slow Clock", 31.0),
    ("basket", "Willow Basket", 18.5),
    ("mug", "Harbour Mug", 12.0),
    ("mug", "Quarry Mug", 13.5),
    ("chair", "Folding Chair", 47.0),
)


def add_shop(models: Any) -> None:
    """Fill the shop with 18 products, then every supervisor's wish list (8) and cart (2)."""
    amazon = models.amazon
    for name in _SELLERS:
        amazon.Seller.create_save(name=name, rating=4.0)
    for name in ("UPS", "USPS", "FedEx"):
        amazon.Deliverer.create_save(name=name)
    for number, (kind, name, price) in enumerate(_PRODUCTS):
        amazon.Product.create_save(
            product_type=kind,
            name=name,
            description=f"A plain, sturdy {kind}.",
            seller_id=1 + number % 3,
            price=price,
            delivery_days=2 + number % 6,
            inventory_quantity=40,
            weight=1.5,
            length=10.0,
            width=8.0,
            height=6.0,
            rating=3.0 + number % 5 / 2,
            seller_rating=4.0,
        )
    rng = random.Random("mini-shop")
    for key in SUPERVISORS:
        products = rng.sample(range(1, len(_PRODUCTS) + 1), 10)
        for product_id in products[:8]:
            amazon.WishListEntry.create_save(user_id=PEOPLE[key].id, product_id=product_id, quantity=1)
        for product_id in products[8:]:
            amazon.CartEntry.create_save(user_id=PEOPLE[key].id, product_id=product_id, quantity=1)
