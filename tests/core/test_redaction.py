"""What is a secret in what a script prints, and what only looks like one; none survives a cut."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from scripts_tracker.core import redaction
from scripts_tracker.core.redaction import MASK, bounded, compiled, mask, masked_head, masked_tail
from tests.conftest import every_pair
from tests.growth import LARGER, grows_in_proportion, grows_less_than_half

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
    "the password is required; the new password was sent to 3 users; token is valid until 2024-01-01",
    "the password is base64-encoded, its token was sha256 before; the secret is 2fa-only, the api key is utf8mb4",
    "the token is 2024-01-01T10:00:00Z, the password is 8 characters long, the passcode was 123456",
    "mkdir -p releases2024; docker compose -p shop42 up",
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
    "token_count=3, password_changed_at=2024-01-01, secret_santa: Jane",
    "author: b, authority=x, keyboard: de, tokenized: 3",
    "listens on -p 8080; docker run -p 8080:80 -u 1000:1000 shop; ssh -p2222 web; patch -p1; ls -a /; grep -w word",
    "['manage.py', 'runserver', '-p', '8080']",
    "['--password', '--host', 'db'], ['--token-count', '3']",
    "mysql -h db -P 3306 -u shop shop | ssh -p2222 backup",
    "mysql started; ssh -p2222 web",
    "docker run --user app:app shop",
    "curl -u jane https://example.com/a:b",
    "cookie: accepted by 3 users",
    "the token was renewed at 2024-01-01T10:00:00.123456",
    "token 550e8400-e29b-41d4-a716-446655440000 of the request",
    "secrets in shop/management/commands/rotate_secrets_of_2024_01_customers.py",
    "commit 9480715d1f0c2e7ab9480715d1f0c2e7ab948071",
    "12345678:AB, 2024-01-01:AAAA",
    "def get_password(self, user):\n    return self.passwords[user]",
    "{'password_validators': ['length', 'common'], 'token_count': 3}",
    "glpat and ghp_ and xoxb- are how tokens begin; global-settings-of-the-shop, pull-request-of-the-week",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "UserWarning: naive datetime (2024-01-01 00:00:00) received by Token.created",
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
    "The password is «hunter2» and the api key was '«a1b2c3d4»', your new token is now: «x9y8z7w6»",
    "password reset to «Summer2024!», secret set to «s3cr3t-s3cr3t»",
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
    "['--password', '«hunter2»']",
    "('mysql', '--db-password', b'«hun ter2»', '-h', 'db')",
    '["--token","«abc»"]',
    "['--password',\n '«hunter2»',\n '--verbose']",
    '[\\"--secret\\", \\"«abc»\\"]',
    "['mysql', '-u', 'root', '-p«hunter2»', 'shop']",
    "['/usr/bin/mysqldump', '-p«hun ter2»', 'shop']",
    "mysql -u root -p«hunter2» shop",
    "mariadb-dump -p'«hunter 2»' shop | ssh -p2222 backup",
    "mysql -u root \\\n  -p«hunter2» shop",
    "sshpass -p «hunter2» ssh -p 2222 web",
    "docker login -u jane -p «hunter2» registry.example.com",
    "['docker', 'login', '-u', 'jane', '-p', '«hunter2»']",
    "redis-cli -a «hunter2» ping; ldapsearch -x -w «hunter2»",
    "curl -u jane:«hunter2» https://example.com",
    "curl -ujane:«hunter2» -o x https://example.com",
    "curl -sS --user 'jane:«hunter 2»' --proxy-user \"proxy:«p»\" https://example.com",
    "['curl', '-u', 'mysql:«hunter2»', 'https://example.com']",
    "curl -H 'Authorization: «Bearer abc.def»' -u jane:«hunter2» https://example.com",
    "Cookie: «a=1; sid=abcdef»\nHost: x",
    "Set-Cookie: «sid=abcdef; Path=/»",
    "{'Cookie': '«a=1; sid=abcdef»', 'page': 2}",
    "curl -H 'Cookie: «sid=abcdef»' https://example.com",
    '{"password":\n    "«hunter2»",\n "page": 2}',
    "{'token'\n: '«abc»'}",
    'PASSWORD = (\n    "«hunter2»"\n)',
    "password: |\n  «hunter2»\n",
    '{"name": "DB_PASSWORD", "value": "«hunter2»"}',
    '[{"name": "API_TOKEN",\n  "value": "«abc»"}]',
    "password: '«it''s»'",
    "aws configure set aws_secret_access_key «wJalrXUtnFEMIxK7MDENGxbPxRfiCYEXAMPLEKEY»",
    "openssl rsa -passin pass:«hunter2» -in key.pem; keytool -storepass «hunter2»",
    r'"url": "postgres:\/\/shop:«hunter2»@db\/shop"',
    "https://hooks.slack.com/services/«T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX»",
    "https://discord.com/api/webhooks/123456/«abcdefghijklmnopqrst»",
    "Private-Lines: 2«\nAAAAIQDexampleexample\nAAAAIQDexampleexample==»\nPrivate-MAC: 1",
    "İstanbul İzmir password=«hunter2» İ",
    "PASSWORD=«HUNTER2» Password=«Hunter2»",
]
# In two parts, as those who search repositories for tokens would find them.
TOKENS = [
    ("ghp", "_16C7e42F292c6912E7710c838347Ae178B4a"),
    ("github_pat", "_11ABCDEFG0abcdefghijkl_mnopqrstuvwxyz"),
    ("glpat", "-abcdefghij1234567890"),
    ("glptt", "-abcdefghij1234567890abcd"),
    ("xoxp", "-123456789012-abcdef"),
    ("xapp", "-1-A0123-456-abcdef0123456789"),
    ("ASIA", "IOSFODNN7EXAMPLE"),
    ("AIza", "SyA1234567890abcdefghijklmnopqrstuv"),
    ("ya29", ".a0AfH6SMBabcdefghijk"),
    ("GOCSPX", "-abcdefghijklmnopqrst"),
    ("sk_live", "_4eC39HqLyjWDarjtT1zdp7dc"),
    ("rk_live", "_4eC39HqLyjWDarjtT1zdp7dc"),
    ("whsec", "_abcdefghijklmnopqrstuv"),
    ("sk-proj", "-abcdefghijklmnopqrstuv"),
    ("sk-ant", "-api03-abcdefghijklmnop"),
    ("sk", "-abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGH"),
    ("npm", "_abcdefghijklmnopqrstuvwxyz0123456789"),
    ("pypi", "-AgEIcHlwaS5vcmcCJDU3"),
    ("SG", ".abcdefghijklmnopqrstuv.abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"),
    ("SK", "0123456789abcdef0123456789abcdef"),
    ("key", "-0123456789abcdef0123456789abcdef"),
    ("0123456789abcdef", "0123456789abcdef-us12"),
    ("dop_v1", "_0123456789abcdef"),
    ("hf", "_abcdefghijklmnopqrst"),
    ("shpat", "_0123456789abcdef0123456789abcdef"),
    ("hvs", ".CAESIabcdefghijklmnopq"),
    ("dapi", "0123456789abcdef0123456789abcdef"),
    ("1234567890", ":AAabcdefghijklmnopqrstuvwxyz0123456"),
    ("dckr_pat", "_abcdefghijklmnopqrstuvwx"),
    ("AGE-SECRET", "-KEY-1" + "Q" * 58),
]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_words_stay(text: str) -> None:
    assert mask(text, compiled(None)) == text


@pytest.mark.parametrize("text", SECRET)
def test_a_secret_is_masked_and_its_name_stays(text: str) -> None:
    masked = mask(text.replace("«", "").replace("»", ""), compiled(None))
    assert masked == re.sub("«.*?»", MASK, text, flags=re.DOTALL)
    assert mask(masked, compiled(None)) == masked


@pytest.mark.parametrize("parts", TOKENS, ids=lambda parts: str(parts[0]))
@pytest.mark.parametrize("around", ["{}", "sent {}.", "x={}\n", "('{}', 3)", "https://{}@example.com"])
def test_the_tokens_of_vendors_go_wherever_they_stand(parts: tuple[str, str], around: str) -> None:
    masked = mask(around.format("".join(parts)), compiled(None))
    assert masked == around.format(MASK)


def test_texts_that_are_not_searched_hold_no_secret() -> None:
    """Whatever a pattern matches has one of the words, or the long word, that make it worth compiling."""
    texts = [text.replace("«", "").replace("»", "") for text in SECRET] + ["".join(parts) for parts in TOKENS]
    parts = [part for text in texts for part in (text, *text.split("\n"), *text.split(" "), text.upper())]
    for text in parts:
        lower = text.lower()
        is_searched = any(word in lower for word in redaction._WORDS)
        assert is_searched or not re.search(redaction._USUAL, lower, re.VERBOSE), text
        has_long_word = re.search(redaction._LONG_WORD, text)
        assert has_long_word or not re.search(redaction._TOKENS, text, re.VERBOSE), text


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
    "a number": (3, "not a string"),
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
    *(
        "mysql ",
        "mysql -p",
        "mysql -",
        "mysql",
        "curl ",
        "curl -u ",
        "curl -u a",
        "curl -u 'a",
        "'curl', '-u', ",
        "docker ",
    ),
    *("sshpass -p ", "ldapsearch -w '", "zip,\n", "'--password', ", "'--password'" + " " * 98),
    *(
        "Cookie: ",
        "Cookie: a=",
        'Cookie: a="',
        "Cookie: a='",
        "secret' , 'value' : ",
        "token a1",
        "token " + "a1" * 50,
    ),
    *(
        "password = (",
        "password:\n",
        "'password'\n:\n",
        "password: |\n ",
        "SG.aaaaaaaaaaaaaaaa",
        "dp.st.",
        "1//0",
        "xoxb-a",
    ),
    *(
        "1234567890:AA",
        "hooks.slack.com/services/",
        "Private-Lines: 1\n",
        "it''s",
        "password='" + 2 * "'",
        "-pass",
        "password is ",
        "password is a1",
        "a-",
    ),
]


RESTS = {"alone": "", "before a long word": "a", "before much else": '\x01"@'}


@pytest.mark.parametrize(("piece", "rest"), every_pair({repr(piece): piece for piece in HOSTILE}, RESTS))
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


@pytest.mark.parametrize("blank", ["", " "], ids=["without blanks", "of many lines"])
@pytest.mark.parametrize("size", [40_000, 1_000_000])
def test_no_part_of_a_secret_far_longer_than_the_limit_survives(size: int, blank: str) -> None:
    key = f"-----BEGIN PRIVATE KEY-----\n{'S' * 64}\n" if blank else "password="
    left = masked_tail(f"{key}{'S' * size}\n done", 1000, None)
    assert "SS" not in left
    assert left.endswith("\n done")


@pytest.mark.parametrize("offset", range(0, 120, 3))
def test_no_part_of_a_secret_survives_at_the_end_of_a_head(offset: int) -> None:
    left = masked_head(f"{'a' * offset} redis://user:{'S' * 50}@cache {'b' * 100}", 100, None)
    assert "S" not in left
    assert left.startswith("a" * min(offset, 100))
    assert len(left) <= 100


@pytest.mark.parametrize("cut", [masked_tail, masked_head])
def test_the_rest_of_a_long_text_costs_nothing(cut: Callable[..., str]) -> None:
    short, long = "password=abc \n" * 10_000, "password=abc \n" * 10_000 * LARGER
    assert grows_less_than_half(lambda: cut(short, 1000, None), lambda: cut(long, 1000, None))


def test_what_is_masked_never_exceeds_the_limit() -> None:
    assert len(masked_tail("token=a\n" * 1000, 800, None)) <= 800


def test_a_text_is_bounded_by_its_bytes() -> None:
    assert bounded("é" * 10, 5) == "éé"
    assert len(bounded("x" * 100_000)) == 64 * 1024
