-- What the enrichers know about games and channels, what Twitch does not know, and who is asking for what.

create table twitch_game (
    game_id       text collate "C" primary key,
    name          text not null,
    box_art_url   text not null,
    -- Empty where Twitch does not know it.
    igdb_id       text not null,
    fetched_at    timestamptz not null,
    -- The pull through which we learned of it.
    first_pull_id bigint not null references pull (id)
);
create index twitch_game_first_pull on twitch_game (first_pull_id);

create table twitch_channel (
    channel_id        text collate "C" primary key,
    login             text not null,
    display_name      text not null,
    profile_image_url text not null,
    offline_image_url text not null,
    -- Deprecated by Twitch: no longer a valid number.
    view_count        bigint not null,
    broadcaster_type  text not null,
    description       text not null,
    created_at        timestamptz not null,
    fetched_at        timestamptz not null,
    first_pull_id     bigint not null references pull (id)
);

-- Ids that Twitch did not answer for. Never permanent: suspended accounts come back, so they are asked again later.
-- `reason`: `absent` (left out of the answer), `refused` (asked alone, and Twitch called the request bad),
-- `malformed` (the answer could not be read).
create table missing_game (
    game_id         text collate "C" primary key,
    reason          text not null check (reason in ('absent', 'refused', 'malformed')),
    first_missed_at timestamptz not null,
    last_asked_at   timestamptz not null,
    times           integer not null default 1,
    -- Where it was seen last.
    pull_id         bigint not null,
    chunk           integer not null
);

create table missing_channel (
    channel_id      text collate "C" primary key,
    reason          text not null check (reason in ('absent', 'refused', 'malformed')),
    first_missed_at timestamptz not null,
    last_asked_at   timestamptz not null,
    times           integer not null default 1,
    pull_id         bigint not null,
    chunk           integer not null
);

-- Who is asking for what right now, so that replicas do not ask for the same id twice. Worth nothing after a crash of
-- the database, hence unlogged; a claim whose worker died runs out by itself.
create unlogged table helix_claim (
    kind       text not null check (kind in ('game', 'channel')),
    id         text collate "C" not null,
    expires_at timestamptz not null,
    primary key (kind, id)
);

-- One app token for all processes of a client id, sealed with its client secret: this table alone opens nothing.
create table helix_token (
    client_id  text primary key,
    generation bigint not null,
    sealed     bytea not null
);
