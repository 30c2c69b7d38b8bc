"""Import it for its effect: MySQLdb is mysqlclient where that is installed, for it needs a compiler, and PyMySQL elsewhere."""

from __future__ import annotations

import functools
import importlib.util

if importlib.util.find_spec("MySQLdb") is None:
    import pymysql

    pymysql.install_as_MySQLdb()
    # To offer TLS, each connection reads all certificates of the system: longer than all else that it does.
    pymysql.connect = functools.partial(pymysql.connect, ssl_disabled=True)  # type: ignore[assignment]  # called alike
