"""Statements of SQL: what they change in which table, and which of them end a transaction."""

from __future__ import annotations

import pytest

from scripts_tracker.core import sql_masking
from scripts_tracker.core.redaction import MASK
from scripts_tracker.core.sql import Statement, statements

INSERT = "INSERT INTO t VALUES"
MANY = f"{INSERT} {', '.join(['(%s, %s)'] * 9)}"
PG, MYSQL, SQLITE = "postgresql", "mysql", "sqlite"

# The words that end a transaction, or that are committed at once.
ENDS: dict[str, tuple[str, str, str]] = {
    "COMMIT": (PG, "COMMIT", "COMMIT"),
    "in small letters, after a comment": (SQLITE, "-- now\ncommit", "COMMIT"),
    "END": (PG, "END TRANSACTION", "END"),
    "BEGIN": (SQLITE, "BEGIN IMMEDIATE", "BEGIN"),
    "START TRANSACTION": (MYSQL, "START TRANSACTION READ ONLY", "START TRANSACTION"),
    "ROLLBACK": (PG, "ROLLBACK", "ROLLBACK"),
    "PREPARE TRANSACTION": (PG, "PREPARE TRANSACTION 'x'", "PREPARE TRANSACTION"),
    "the second of two": (PG, "SELECT 1; COMMIT", "COMMIT"),
    "after a text that ends in a backslash": (PG, "SELECT 'a\\'; COMMIT; --'", "COMMIT"),
    "after a comment in a comment": (PG, "/* a /* b */ c */ COMMIT", "COMMIT"),
    "in a comment that MySQL executes": (MYSQL, "/*!50000 COMMIT */", "COMMIT"),
    "in one that MariaDB executes": (MYSQL, "SELECT 1 /*M!100100 ; COMMIT */", "COMMIT"),
    "a table on MariaDB": (MYSQL, "CREATE TABLE t (a int)", "CREATE TABLE"),
    "an index on MariaDB": (MYSQL, "ALTER TABLE t ADD INDEX (a)", "ALTER TABLE"),
    "TRUNCATE on MariaDB": (MYSQL, "TRUNCATE t", "TRUNCATE T"),
    "LOCK TABLES": (MYSQL, "LOCK TABLES t WRITE", "LOCK TABLES"),
    "a procedure on MariaDB": (MYSQL, "CALL p()", "CALL P"),
    "a block of MariaDB": (MYSQL, "BEGIN NOT ATOMIC COMMIT; END", "BEGIN"),
    "autocommit of MariaDB": (MYSQL, "SET SESSION autocommit = 1", "SET autocommit"),
    "a prepared statement of MariaDB": (MYSQL, "EXECUTE IMMEDIATE 'COMMIT'", "EXECUTE IMMEDIATE"),
    "ANALYZE TABLE": (MYSQL, "ANALYZE TABLE t", "ANALYZE TABLE"),
}
LEAVES_OPEN: dict[str, tuple[str, str]] = {
    "a savepoint": (PG, "SAVEPOINT a"),
    "a rollback to one": (PG, "ROLLBACK TO SAVEPOINT a"),
    "a table on PostgreSQL": (PG, "CREATE TABLE t (a int)"),
    "a table on SQLite": (SQLITE, "CREATE TABLE t (a int)"),
    "a temporary table on MariaDB": (MYSQL, "CREATE TEMPORARY TABLE t (a int)"),
    "COMMIT in a text": (PG, "SELECT 'x; COMMIT; y'"),
    "COMMIT in a text with a backslash": (MYSQL, "SELECT 'it\\'s; COMMIT; '"),
    "COMMIT in a name": (PG, 'SELECT 1 AS "a; COMMIT"'),
    "COMMIT in a text in dollars": (PG, "SELECT $a$; COMMIT; $a$"),
    "COMMIT in a comment": (MYSQL, "SELECT 1 /* ; COMMIT */ # ; COMMIT\n-- ; COMMIT"),
    "two minuses on MariaDB": (MYSQL, "SELECT 1--1"),
    "ANALYZE of a statement": (MYSQL, "ANALYZE FORMAT=JSON UPDATE t SET a = 1"),
    "isolation": (MYSQL, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"),
    "nothing": (SQLITE, " ; -- nothing"),
}


@pytest.mark.parametrize(("vendor", "sql", "words"), ENDS.values(), ids=ENDS)
def test_what_ends_a_transaction_is_found(vendor: str, sql: str, words: str) -> None:
    assert [one.ends for one in statements(sql, vendor) if one.ends][:1] == [words]


@pytest.mark.parametrize(("vendor", "sql"), LEAVES_OPEN.values(), ids=LEAVES_OPEN)
def test_what_leaves_it_open_is_let_through(vendor: str, sql: str) -> None:
    assert not [one.ends for one in statements(sql, vendor) if one.ends]


# What changes: "table column", with a question mark where the driver does not count it.
CHANGES: dict[str, tuple[str, str, list[str]]] = {
    "an insert": (SQLITE, 'INSERT INTO "t" ("a") VALUES (%s)', ["t inserted"]),
    "many rows": (PG, MANY, ["t inserted"]),
    "of a schema": (PG, 'INSERT INTO "s"."t" VALUES (1)', ["s.t inserted"]),
    "a name with a quote": (PG, 'UPDATE "a""b" SET x = 1', ['a"b updated']),
    "what is ignored": (MYSQL, "INSERT IGNORE INTO `t` VALUES (1)", ["t inserted"]),
    "nothing on a conflict": (PG, "INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING", ["t inserted"]),
    "an upsert": (
        PG,
        "INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET b = 1",
        ["t inserted?", "t updated?"],
    ),
    "an upsert of MariaDB": (
        MYSQL,
        "INSERT INTO t VALUES (1) ON DUPLICATE KEY UPDATE b = 1",
        ["t inserted?", "t updated?"],
    ),
    "a replacement": (MYSQL, "REPLACE INTO t VALUES (1)", ["t inserted?", "t deleted?"]),
    "a replacement on SQLite": (
        SQLITE,
        "INSERT OR REPLACE INTO t VALUES (1)",
        ["t inserted", "t deleted?"],
    ),
    "an update": (PG, "UPDATE ONLY t AS a SET x = 1 FROM u WHERE a.y = u.y", ["t updated"]),
    "an update with SET in a name": (PG, 'UPDATE "SET" SET x = 1', ["SET updated"]),
    "an update of several tables": (
        MYSQL,
        "UPDATE t JOIN u ON t.a = u.a SET t.b = 1",
        ["t updated?", "u updated?"],
    ),
    "a delete": (PG, "DELETE FROM t USING u WHERE t.a = u.a", ["t deleted"]),
    "a delete of MariaDB": (MYSQL, "DELETE FROM t WHERE a IN (SELECT a FROM u)", ["t deleted"]),
    "a delete with a join": (
        MYSQL,
        "DELETE `t` FROM `t` INNER JOIN `u` ON `t`.`a` = `u`.`a`",
        ["t deleted"],
    ),
    "a delete by an alias": (MYSQL, "DELETE a FROM t AS a, u WHERE a.x = u.x", ["t deleted"]),
    "a delete of several tables": (
        MYSQL,
        "DELETE a, b FROM t a JOIN u b ON a.x = b.x",
        ["t deleted?", "u deleted?"],
    ),
    "TRUNCATE": (PG, "TRUNCATE TABLE t, u CASCADE", ["t deleted?", "u deleted?"]),
    "MERGE": (PG, "MERGE INTO t USING u ON a = b", ["t inserted?", "t updated?", "t deleted?"]),
    "WITH": (SQLITE, "WITH RECURSIVE x(n) AS (SELECT 1) UPDATE t SET a = 1", ["t updated"]),
    "a change inside of WITH": (
        PG,
        "WITH x AS (DELETE FROM u RETURNING *) INSERT INTO t SELECT * FROM x",
        ["t inserted", "u deleted?"],
    ),
    "COPY": (PG, "COPY t (a, b) FROM STDIN", ["t inserted"]),
    "COPY to a file": (PG, "COPY t TO STDOUT", []),
    "LOAD DATA": (MYSQL, "LOAD DATA INFILE 'x' INTO TABLE t", ["t inserted"]),
    "EXPLAIN ANALYZE": (PG, "EXPLAIN ANALYZE UPDATE t SET a = 1", ["t updated?"]),
    "EXPLAIN": (PG, "EXPLAIN UPDATE t SET a = 1", []),
    "SET STATEMENT": (MYSQL, "SET STATEMENT max_statement_time=1 FOR UPDATE t SET a = 1", ["t updated"]),
}


@pytest.mark.parametrize(("vendor", "sql", "expected"), CHANGES.values(), ids=CHANGES)
def test_changes_are_those_of_the_right_table(vendor: str, sql: str, expected: list[str]) -> None:
    found = [change for one in statements(sql, vendor) for change in one.changes]
    assert [f"{one.table} {one.column}{'' if one.is_counted else '?'}" for one in found] == expected


READS: dict[str, tuple[str, str]] = {
    "a table": ('SELECT "t"."a" FROM "t"', "t"),
    "a subquery": ('SELECT COUNT(*) FROM (SELECT a FROM "t") x', "t"),
    "a function with FROM": ("SELECT EXTRACT(day FROM d) FROM t", "t"),
    "a union": ("(SELECT 1 FROM t) UNION (SELECT 1 FROM u)", "t"),
    "no table": ("SELECT 1", ""),
}


@pytest.mark.parametrize(("sql", "table"), READS.values(), ids=READS)
def test_a_statement_that_reads_is_about_its_first_table(sql: str, table: str) -> None:
    (found,) = statements(sql, PG)
    assert (found.verb, found.table, found.changes) == ("select", table, ())


def test_what_follows_many_values_is_found() -> None:
    values = ", ".join(["(%s::jsonb, 'a')"] * 2_000)
    assert statements(f"{INSERT} {values}; SELECT 1", PG)[1] == Statement("select", words="SELECT")


MASKED: dict[str, tuple[str, str, str]] = {
    "what a column is set to": (
        MYSQL,
        "UPDATE `u` SET `api_token` = 'abc', a = 'x'",
        "api_token` = '*', a = 'x'",
    ),
    "what it is compared with": (PG, "SELECT 1 FROM u WHERE u.\"secret\" = 'abc'", "\"secret\" = '*'"),
    "a column of an insert": (
        SQLITE,
        "INSERT INTO u (a, password, b) VALUES ('x', 'abc', 3), ('y', f('abc', (2)), 4)",
        "VALUES ('x','*', 3), ('y','*', 4)",
    ),
    "no value": (
        PG,
        "SELECT token FROM u WHERE u.token = v.token",
        "SELECT token FROM u WHERE u.token = v.token",
    ),
    "rows of a query": (PG, "INSERT INTO u (token) SELECT a FROM v", "INSERT INTO u (token) SELECT a FROM v"),
}


@pytest.mark.parametrize(("vendor", "sql", "expected"), MASKED.values(), ids=MASKED)
def test_values_of_columns_that_hold_secrets_are_masked(vendor: str, sql: str, expected: str) -> None:
    found = sql_masking.masked(sql, vendor)
    assert expected in found.replace(MASK, "*")
    assert "abc" not in found
