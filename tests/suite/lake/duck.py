"""Asks the lake as DuckDB sees it. Arguments: PostgreSQL's URL, the lake's folder; questions, one per line, on stdin.

Answers a JSON list of rows for each question, one per line. `catalogue` is the lake through its catalogue, `folder(TABLE)` the
closed days as plain folders.
"""

import json
import os
import sys

import duckdb


def connect(url):
    packages = os.path.dirname(os.path.dirname(duckdb.__file__))
    off = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    connection = duckdb.connect(config=off)
    for name in ("ducklake", "postgres_scanner"):
        connection.execute(f"LOAD '{packages}/duckdb_extension_{name}/extensions/v{duckdb.__version__}/{name}.duckdb_extension'")
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"ATTACH 'ducklake:postgres:{url}' AS lake (METADATA_SCHEMA 'lake', READ_ONLY)")
    return connection


def main():
    url, folder = sys.argv[1:]
    connection = connect(url)
    for question in sys.stdin.read().splitlines():
        question = question.replace("$FOLDER", folder)
        print(json.dumps(connection.execute(question).fetchall(), default=str))


main()
