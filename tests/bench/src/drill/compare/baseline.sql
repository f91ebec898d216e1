-- The tables of the floor and of the Celery pool: `pull_data` as ours is, with its three indexes, and as little as possible
-- around it. Not partitioned, no foreign keys, no archive of what Twitch sent.

create table pull (
    id         bigint generated always as identity primary key,
    started_at timestamptz not null default now(),
    status     text not null default 'pending',
    -- How many pages it has, once the last one is known, and how many are merged: the Celery pool counts.
    chunks     integer,
    merged     integer not null default 0
);

-- Which pages are merged, so that a second delivery stores nothing twice.
create table pull_chunk (
    pull_id bigint not null,
    chunk   integer not null,
    primary key (pull_id, chunk)
);

create table pull_data (
    pull_id       bigint not null,
    pulled_at     timestamptz not null,
    stream_id     text collate "C" not null,
    chunk         integer not null,
    channel_id    text collate "C" not null,
    channel_login text not null,
    channel_name  text not null,
    game_id       text collate "C",
    game_name     text not null,
    viewer_count  integer not null check (viewer_count >= 0),
    language      text not null,
    started_at    timestamptz not null,
    type          text not null,
    title         text not null,
    tags          text[] not null,
    is_mature     boolean not null,
    data          jsonb,
    primary key (pull_id, stream_id, pulled_at)
);
create index pull_data_channel on pull_data (channel_id, pulled_at);
create index pull_data_game on pull_data (game_id, pulled_at);

create table twitch_game (game_id text collate "C" primary key, data jsonb not null);
create table twitch_channel (channel_id text collate "C" primary key, data jsonb not null);
create table missing_game (game_id text collate "C" primary key);
create table missing_channel (channel_id text collate "C" primary key);
