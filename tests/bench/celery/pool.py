"""A pull as a plain Celery pool carries it out: a task per page, then its games, its channels, and the merge.

`celery -A pool worker` works, and `python pool.py` asks for a pull for each id it reads on its standard input. Messages carry
the streams. A task is acknowledged when it is done, and storing a page twice does nothing; beyond that it has Celery's
defaults: no confirmed publishing, no replicated queue, no dead letters, no pace for Twitch's limit, and a stream that is on two
pages ends the pull.
"""

import os
import sys
from functools import cache

import psycopg
import requests
from celery import Celery
from celery.signals import worker_ready
from psycopg.types.json import Json

MIN_VIEWERS = int(os.environ["MIN_VIEWERS"])
COLUMNS = """pull_id, pulled_at, stream_id, chunk, channel_id, channel_login, channel_name, game_id, game_name, viewer_count,
             language, started_at, type, title, tags, is_mature, data"""

app = Celery("pool", broker=os.environ["AMQP_URL"])
app.conf.update(task_ignore_result=True, task_acks_late=True)


@worker_ready.connect
def ready(**_):
    print("the pool is ready: it waits for tasks", flush=True)


@cache
def database():
    """The connection of this process."""
    return psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)


@cache
def twitch():
    """The session of this process, with a token."""
    client = {"client_id": os.environ["TWITCH_CLIENT_ID"], "client_secret": os.environ["TWITCH_CLIENT_SECRET"]}
    session = requests.Session()
    answer = session.post(os.environ["TWITCH_TOKEN_URL"], data=client | {"grant_type": "client_credentials"}, timeout=10)
    answer.raise_for_status()
    session.headers["Client-Id"] = client["client_id"]
    session.headers["Authorization"] = "Bearer " + answer.json()["access_token"]
    return session


def get(path, **query):
    answer = twitch().get(os.environ["TWITCH_API_URL"] + path, params=query, timeout=10)
    answer.raise_for_status()
    return answer.json()


@app.task
def fetch_page(pull_id, chunk, cursor):
    page = get("streams", first=100, after=cursor)
    cursor = page["pagination"].get("cursor")
    if cursor and page["data"] and page["data"][-1]["viewer_count"] >= MIN_VIEWERS:
        fetch_page.delay(pull_id, chunk + 1, cursor)
    else:
        database().execute("update pull set chunks = %s where id = %s", (chunk, pull_id))
        close(pull_id)
    streams = [s for s in page["data"] if s["viewer_count"] >= MIN_VIEWERS and s["user_id"].isdigit()]
    fill_games.delay(pull_id, chunk, streams)


@app.task
def fill_games(pull_id, chunk, streams):
    fill("games", "game", {s["game_id"] for s in streams if s["game_id"]})
    fill_channels.delay(pull_id, chunk, streams)


@app.task
def fill_channels(pull_id, chunk, streams):
    fill("users", "channel", {s["user_id"] for s in streams})
    merge.delay(pull_id, chunk, streams)


def fill(path, kind, ids):
    """Asks for the ids that are not known yet, and stores what Twitch has for them."""
    known = f"""select {kind}_id from twitch_{kind} where {kind}_id = any(%(ids)s)
                union all select {kind}_id from missing_{kind} where {kind}_id = any(%(ids)s)"""
    unknown = list(ids - {id for (id,) in database().execute(known, {"ids": list(ids)})})
    if not unknown:
        return
    found = {item["id"]: item for item in get(path, id=unknown)["data"]}
    for item in found.values():
        item.pop("type", None)
    with database().transaction(), database().cursor() as cursor:
        cursor.execute(
            f"insert into twitch_{kind} select * from unnest(%s::text[], %s::jsonb[]) on conflict do nothing",
            (list(found), [Json(item) for item in found.values()]),
        )
        cursor.execute(
            f"insert into missing_{kind} select unnest(%s::text[]) on conflict do nothing",
            ([id for id in unknown if id not in found],),
        )


@app.task
def merge(pull_id, chunk, streams):
    games = read("game", {s["game_id"] for s in streams})
    channels = read("channel", {s["user_id"] for s in streams})
    with database().transaction(), database().cursor() as cursor:
        cursor.execute("insert into pull_chunk values (%s, %s) on conflict do nothing", (pull_id, chunk))
        if cursor.rowcount:
            ((pulled_at,),) = cursor.execute("select started_at from pull where id = %s", (pull_id,)).fetchall()
            with cursor.copy(f"copy pull_data ({COLUMNS}) from stdin") as copy:
                for s in streams:
                    copy.write_row(row(pull_id, pulled_at, chunk, s, games, channels))
            cursor.execute("update pull set merged = merged + 1 where id = %s", (pull_id,))
    close(pull_id)


def read(kind, ids):
    return dict(database().execute(f"select {kind}_id, data from twitch_{kind} where {kind}_id = any(%s)", (list(ids),)))


def row(pull_id, pulled_at, chunk, s, games, channels):
    s["tags"] = s["tags"] or []
    document = {name: value for name, value in s.items() if name != "tag_ids"}
    document |= {"game": games.get(s["game_id"]), "channel": channels.get(s["user_id"])}
    return (
        pull_id, pulled_at, s["id"], chunk, s["user_id"], s["user_login"], s["user_name"], s["game_id"] or None,
        s["game_name"], s["viewer_count"], s["language"], s["started_at"], s["type"], s["title"], s["tags"], s["is_mature"],
        Json(document),
    )  # fmt: skip


def close(pull_id):
    database().execute("update pull set status = 'success' where id = %s and merged = chunks", (pull_id,))


if __name__ == "__main__":
    # As a module of its own name, so that its tasks are called what the workers call them.
    from pool import fetch_page

    app.connection_for_write().ensure_connection()
    print("the pool's client is ready: write the id of a pull", flush=True)
    for line in sys.stdin:
        fetch_page.delay(int(line), 1, None)
