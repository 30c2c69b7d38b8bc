"""The words that projects are made of."""

from __future__ import annotations

from typing import Final

APPS: Final = ("billing", "catalog", "customers", "deliveries", "loyalty", "messaging", "orders", "reviews")
VERBS: Final = (
    "archive", "backfill", "clean", "close", "convert", "copy", "drop", "encrypt", "export", "fill", "fix",
    "geocode", "import", "link", "mask", "merge", "migrate", "move", "normalise", "purge", "rebuild",
    "recompute", "reindex", "rename", "renumber", "repair", "resend", "split", "sync", "unify",
)  # fmt: skip
NOUNS: Final = (
    "address", "basket", "category", "contract", "coupon", "customer", "discount", "invoice", "label",
    "message", "order", "parcel", "payment", "price", "product", "refund", "region", "review", "shipment",
    "subscription", "supplier", "ticket", "total", "voucher", "warehouse",
)  # fmt: skip
MODELS: Final = ("Booking", "Document", "Entry")
"""Every app has these, each with all the fields below."""
FIELDS: Final = ("amount", "balance", "position", "quantity", "rank", "score", "weight")
FLAGS: Final = ("active", "checked", "exported", "locked", "public", "synced")
CODES: Final = ("code", "name", "number", "reference", "sku", "slug")
STAMPS: Final = ("changed_at", "created_at", "sent_at")
ARGUMENTS: Final = (
    'parser.add_argument("--dry-run", action="store_true", help="only say what would change")',
    'parser.add_argument("--limit", type=int, default=0, help="stop after so many rows")',
    'parser.add_argument("--days", type=int, default=30, help="how far to look back")',
    'parser.add_argument("--path", help="the file to read; default: below BASE_DIR")',
    'parser.add_argument("--quick", "-q", action="store_true", dest="quick", help="leave out the report")',
    'parser.add_argument("ids", nargs="*", type=int, metavar="ID", help="primary keys; default: all of them")',
    'parser.add_argument("--language", choices=["de", "en", "fr"], default="en")',
)
PROSE: Final = (
    "The old system wrote these values without checking them.",
    "Run it once after the release; it may be run again, rows that are done are left alone.",
    "Rows older than the migration of 2021 have no time zone, so they are read as Europe/Berlin.",
    "It takes about twenty minutes on production, mostly waiting for the database.",
    "See the ticket for the list of customers who complained.",
    "Nothing is deleted: what cannot be repaired is written to a report.",
    "The numbers were agreed with accounting; do not change them without asking.",
)
IMPORTS: Final = (
    ("Counter(", "from collections import Counter"),
    ("defaultdict(", "from collections import defaultdict"),
    ("csv.", "import csv"),
    ("json.", "import json"),
    ("re.sub(", "import re"),
    ("time.sleep(", "import time"),
    ("unicodedata.", "import unicodedata"),
    ("logger", "import logging"),
    ("@dataclass", "from dataclasses import dataclass"),
    ("islice(", "from itertools import islice"),
    ("timedelta(", "from datetime import timedelta"),
    ("date(20", "from datetime import date"),
    ("Decimal(", "from decimal import Decimal"),
    ("InvalidOperation", "from decimal import InvalidOperation"),
    ("Path(", "from pathlib import Path"),
    ("URLError", "from urllib.error import URLError"),
    ("urlopen(", "from urllib.request import Request, urlopen"),
)
"""What in a text calls for which import of the standard library."""
DJANGO_IMPORTS: Final = (
    ("settings.", "from django.conf import settings"),
    ("send_mail(", "from django.core.mail import send_mail"),
    ("CommandError(", "from django.core.management.base import CommandError"),
    ("connection.", "from django.db import connection"),
    ("transaction.", "from django.db import transaction"),
    ("OperationalError", "from django.db import OperationalError"),
    ("Avg(", "from django.db.models import Avg"),
    ("Count(", "from django.db.models import Count"),
    ("F(", "from django.db.models import F"),
    ("Max(", "from django.db.models import Max"),
    ("Q(", "from django.db.models import Q"),
    ("Sum(", "from django.db.models import Sum"),
    ("Value(", "from django.db.models import Value"),
    ("Coalesce(", "from django.db.models.functions import Coalesce"),
    ("timezone.", "from django.utils import timezone"),
)
"""The same for Django."""
