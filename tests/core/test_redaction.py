"""What is a secret in what a script prints, and what only looks like one; none survives a cut."""

from __future__ import annotations

import re

import pytest

from scripts_tracker.core import redaction
from scripts_tracker.core.redaction import MASK, bounded, compiled, mask, masked_tail
from tests.growth import LARGER, grows_in_proportion

ORDINARY = [
    "",
    "password reset mails sent: 3",
    "passwords: 12 changed",
    "tokens: 12",
    "max_tokens=4096",
    "tokenizer=bert-base",
    "token_type=bearer",
    "secretary: Jane",
    "secrets rotated",
    "author: Jane, authors=3",
    "authentication: ok",
    "PASS: test_totals",
    "pass: 12, fail: 3",
    '{"pass": 12, "fail": 3}',
    "compass: north, bypass=1, design=flat",
    "passed=3",
    "pwd: /srv/shop",
    "primary_key=12, cache_key: a, keys: 3, key=7",
    "monkey: 1",
    "Enter password:\nDone.",
    "password=\nuser=jane",
    "?password=&page=2",
    "password=None, token: null, secret=False",
    'password: ""',
    "fields: username, password, email",
    "['password', 'email']",
    "Token::parse",
    "it needs --password or --token",
    "mysql --password --host db",
    "the bearer of bad news: Bearer misrepresentations",
    "basic training",
    "http://localhost:8000/ jane@example.com",
    "https://example.com/a:b@c",
    "git@github.com:shop/shop.git",
    "see -----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    "eyJ.is.no.token",
    "AKIALIKE, npm_config, sk-learn",
]

# The secrets stand between angle quotes, which are not part of the text.
SECRET = [
    "password=«hunter2»",
    "PASSWORD: «hunter2»",
    "DB_PASSWORD = «hunter2» # of the shop",
    "dbPassword=«hunter2», user=jane",
    "new_password2=«hunter2»&user=jane",
    "Server=db;Password=«hun;ter,2»;Database=shop",
    "password=«a,b;c&d»",
    "passwd:«hunter2»",
    "pass=«hunter2»",
    '{"user": "jane", "password": "«hunter 2, \\" and 3»", "page": 2}',
    '{"pass": "«hunter 2»"}',
    r"{\"token\": \"«abc»",
    "{'secret': b'«a b»', 'page': 2}",
    "User(password='«it\\'s»', name='jane')",
    "password_hash: «pbkdf2_sha256$1000000$salt$hash=»",
    "token: «abc», page: 2",
    'os.environ["API_TOKEN"] = "«abc»"',
    "'token' => '«abc»'",
    "api_key=«abc» api-key: «abc» ApiKey=«abc» API key: «abc»",
    "SECRET_KEY='«django-insecure-$%^ &*»'",
    "client_secret=«abc»",
    "AWS_SECRET_ACCESS_KEY=«wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY»",
    "secret access key: «wJalrXUtnFEMI»",
    "AccountKey=«abc==»;EndpointSuffix=core.windows.net",
    "https://a.blob/x?sv=2024&sig=«a%2Bb»&se=1",
    "sessionid=«abc»; csrftoken=«def»",
    "AUTH=«abc»",
    "Authorization: «Bearer abc.def»",
    "Authorization: «Basic dXNlcjpwYXNz»",
    'authorization: «Digest username="jane", response="6629fae49393a05397450978507c4ef1"»\nnext',
    "{'Authorization': '«Token 9944b09199c62bcf9418ad846dd0e4bb»'}",
    "curl -H 'X-Api-Key: «abc»' https://example.com",
    "sent Bearer «mF_9.B5f-4.1JqM123» to it",
    "('Authorization', 'Bearer «mF_9.B5f-4.1JqM123»')",
    "postgres://shop:«hunter2»@db:5432/shop",
    "redis://:«p@ss:word»@cache/0",
    "amqp://u:«p»@one,amqp://u:«p»@two",
    "mysql -u shop --password «hunter2» --db-token '«a b»'",
    "ALTER ROLE shop WITH PASSWORD '«a b»'",
    "GRANT ALL ON *.* TO shop IDENTIFIED BY '«a b»'",
    "<password>«hunter2»</password>",
    "aws: «AKIAIOSFODNN7EXAMPLE», «ASIAIOSFODNN7EXAMPLE».",
    "«ghp_16C7e42F292c6912E7710c838347Ae178B4a» «xoxb-123456789012-abcdef»",
    "https://«sk_live_4eC39HqLyjWDarjtT1zdp7dc»:@api.example.com",
    "jwt «eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P»",
    "key:\n«-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMIIEow+/==\n-----END RSA PRIVATE KEY-----»\nend",
    r'"«-----BEGIN PRIVATE KEY-----\nMIIEow\n-----END PRIVATE KEY-----»\n"',
    "«-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmU\nAAAAEbm9uZQAAAAAAAAABAAA»\nkilled here",
    "«MIIEow\nAAAA==\n-----END PRIVATE KEY-----»\nit began before the tail",
    "a \x00 NUL, password=«\x00\udcff»",
]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_words_stay(text: str) -> None:
    assert mask(text, compiled(None)) == text


@pytest.mark.parametrize("text", SECRET)
def test_a_secret_is_masked_and_its_name_stays(text: str) -> None:
    masked = mask(text.replace("«", "").replace("»", ""), compiled(None))
    assert masked == re.sub("«.*?»", MASK, text, flags=re.DOTALL)
    assert mask(masked, compiled(None)) == masked


PATTERNS = {
    "the whole match": (r"card \d+", "a * b"),
    "only the group named secret": (r"card (?P<secret>\d+)", "a card * b"),
    "groups whose names begin with it": (r"x(?P<secret>y)|card (?P<secret_of_card>\d+)", "a card * b"),
    "the whole match where the group has no part": (r"x(?P<secret>y)|card \d+", "a * b"),
    "a compiled pattern with flags of its own": (re.compile(r"CARD", re.IGNORECASE), "a * 42 b"),
    "matches of nothing": ("|x*", "a card 42 b"),
    "what the default masks is left alone": ("token", "a card 42 b"),
}


@pytest.mark.parametrize(("given", "masked"), PATTERNS.values(), ids=PATTERNS)
def test_a_pattern_of_the_users(given: str | re.Pattern[str], masked: str) -> None:
    assert not redaction.pattern_error(given)
    assert mask("a card 42 b", compiled(given)) == masked.replace("*", MASK)


WRONG = {
    "a bracket left open": ("(", "missing ), unterminated subpattern at position 0"),
    "a repetition too large": ("x{99999999999}", "the repetition number is too large"),
    "bytes": (re.compile(b"x"), "it matches bytes, not text"),
    "a number": (3, "it is no text"),
}


@pytest.mark.parametrize(("given", "words"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_with_a_pattern(given: object, words: str) -> None:
    assert redaction.pattern_error(given) == words


def test_the_pattern_is_compiled_once() -> None:
    assert compiled(None) is compiled(None)


HOSTILE = [
    *("password", "password ", "password=", 'password="', "password=,", "password=,a", "api ", "secret key"),
    *('password="\\', "--a-", "--password ", "://", "://a:", "://a:b", "Bearer ", "Bearer a", "eyJ", "eyJ-"),
    *("eyJaaaaaaaaaa.", "-----BEGIN PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----\n" + "A" * 16 + "\n"),
    *(
        "-----END ",
        "A",
        "a_",
        "AKIA-",
        "ghp_",
        "=",
        " ",
        "\n",
        "\\",
        '\\"',
        "'",
        "pass'",
        "[",
        "token\\",
        "token]",
    ),
    *("Authorization: ", "Digest ", "token=Bearer ", "identified by ", "\\n" + "a" * 16, "shared-access-"),
]


@pytest.mark.parametrize("rest", ["", "a", '\x01"@'], ids=["alone", "before a long word", "before much else"])
@pytest.mark.parametrize("piece", HOSTILE, ids=repr)
def test_hostile_text_takes_time_in_proportion_to_its_length(piece: str, rest: str) -> None:
    def hostile(length: int) -> str:
        return (piece * length)[:length] + (rest * length)[:length]

    short, long = hostile(4 * 1024), hostile(LARGER * 4 * 1024)
    assert grows_in_proportion(lambda: mask(short, compiled(None)), lambda: mask(long, compiled(None)))


CUTS = {
    "nothing": ("", ""),
    "what fits": ("a\nb\n", "a\nb\n"),
    "what no database takes": ("a\x00\udcff", "a\\x00\\udcff"),
    "the first line that is not whole": ("a" * 50 + "\n" + "b" * 75 + "\n", "b" * 75 + "\n"),
    "a line that just fits": ("a\n" + "b" * 79 + "\n", "b" * 79 + "\n"),
    "a line that ends far from the cut": ("a" * 200 + "\nb", "a" * 78 + "\nb"),
    "half a letter": ("é" * 60, "é" * 40),
    "a secret in the middle of the cut": (
        "password=" + "x" * 40 + "y" * 40 + " " + "b" * 59,
        f"{MASK} " + "b" * 59,
    ),
}


@pytest.mark.parametrize(("text", "expected"), CUTS.values(), ids=CUTS)
def test_the_end_of_the_output_is_kept(text: str, expected: str) -> None:
    assert masked_tail(text, 80, None) == expected


@pytest.mark.parametrize("offset", range(0, 120, 3))
def test_no_part_of_a_secret_survives_wherever_the_cut_falls(offset: int) -> None:
    text = f"{'a' * 100} password={'S' * 50} {'b' * offset}"
    left = masked_tail(text, 80, None)
    assert "S" not in left
    assert left.endswith("b" * min(offset, 80))
    assert len(left) <= 80


def test_what_is_masked_never_exceeds_the_limit() -> None:
    assert len(masked_tail("token=a\n" * 1000, 800, None)) <= 800


def test_a_text_is_bounded_by_its_bytes() -> None:
    assert bounded("é" * 10, 5) == "éé"
    assert len(bounded("x" * 100_000)) == 64 * 1024
