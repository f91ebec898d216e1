-- One pull is a snapshot of everything live with an audience. This migration holds what the four workers write:
--
--   pull          one row a pull: where it stands, how it ended, its counts
--   missed_slot   scheduled times at which no pull was started, and why
--   pull_chunk    one row a page: its validated records, its rejects, and when each stage was done with it
--   pull_data     one row a stream: typed columns at once, the merged document when its chunk is finalized
--
-- pull_chunk and pull_data grow with every pull, so they are partitioned by the day the pull was started: the
-- thousandth pull costs what the first did, and old data leaves by dropping a partition.

create table pull (
    id              bigint generated always as identity primary key,
    status          text not null default 'pending'
                    check (status in ('pending', 'filling-games', 'filling-channels', 'success', 'failed')),
    -- The scheduled time; null when a person asked for the pull. Unique: one pull a slot, however many replicas run.
    slot            timestamptz unique,
    requested_by    text not null,
    -- Never changes: the rows of the pull are partitioned by it.
    started_at      timestamptz not null,
    extracted_at    timestamptz,
    completed_at    timestamptz,
    stop_reason     text check (stop_reason in ('end', 'min_viewers', 'page_cap', 'cursor_loop', 'error')),
    error           text,

    -- Where the next page begins. Written with the page before, so a crash resumes instead of starting again.
    cursor          text,
    -- Viewers of the last valid record so far: the list is sorted, so a jump upward means the cursor led back.
    last_viewers    integer,
    -- Pages in a row that brought nothing new.
    idle_pages      integer not null default 0,

    pages           integer not null default 0,
    fetched         integer not null default 0,
    stored          integer not null default 0,
    rejected        integer not null default 0,
    duplicates      integer not null default 0,
    nul_replaced    integer not null default 0,
    chunks          integer not null default 0,
    games_added     integer,
    games_missing   integer,
    channels_filled integer,
    channels_missing integer,
    helix_calls     integer not null default 0,

    -- Who is fetching its pages, and for how long nobody else should: two at once would only overtake each other.
    extractor       text,
    extractor_until timestamptz,

    -- Announcements made again because nothing had moved for a while; see `operator show`.
    rescues         integer not null default 0,
    rescued_at      timestamptz,

    unique (id, started_at),
    -- Nothing disappears without a row saying so.
    constraint every_record_is_accounted_for check (fetched = stored + rejected + duplicates),
    constraint one_chunk_a_page check (chunks = pages),
    constraint a_finished_pull_is_complete check (
        status <> 'success' or (extracted_at is not null and completed_at is not null and stop_reason is not null
            and games_added is not null and games_missing is not null
            and channels_filled is not null and channels_missing is not null
            and stored = channels_filled + channels_missing)),
    constraint a_failed_pull_says_why check (status <> 'failed' or (error is not null and completed_at is not null))
);

-- The few pulls still under way: asked for by the schedule (overlap) and by the watch (stalled).
create index pull_open on pull (started_at) where status not in ('success', 'failed');

-- A pull goes its way in one direction. A failed one may be brought back by a replay; a finished one stays finished.
create function pull_status_moves_forward() returns trigger language plpgsql as $$
begin
    if (old.status, new.status) not in (
        ('pending', 'filling-games'), ('filling-games', 'filling-channels'), ('filling-channels', 'success'),
        ('pending', 'failed'), ('filling-games', 'failed'), ('filling-channels', 'failed'),
        ('failed', 'pending'), ('failed', 'filling-games'), ('failed', 'filling-channels'))
    then
        raise exception 'pull % cannot go from % to %', old.id, old.status, new.status
            using errcode = 'check_violation', constraint = 'pull_status_moves_forward';
    end if;
    return new;
end $$;

create trigger pull_status_moves_forward before update of status on pull
    for each row when (old.status is distinct from new.status) execute function pull_status_moves_forward();

create function pull_started_at_stays() returns trigger language plpgsql as $$
begin
    raise exception 'pull %: started_at never changes, its rows are partitioned by it', old.id
        using errcode = 'check_violation', constraint = 'pull_started_at_stays';
end $$;

create trigger pull_started_at_stays before update of started_at on pull
    for each row when (old.started_at is distinct from new.started_at) execute function pull_started_at_stays();

-- A slot is either a pull or a row here, never both: decided under one lock, see store/slot.rs.
create table missed_slot (
    slot        timestamptz primary key,
    reason      text not null,
    recorded_at timestamptz not null
);

create table pull_chunk (
    pull_id     bigint not null,
    pulled_at   timestamptz not null,
    chunk       integer not null check (chunk > 0),

    -- The validated records of the page that the pull did not have yet, in the page's order, under Helix's names.
    -- With the rejects this is the raw archive: what a rebuild, or a question about one number, goes back to.
    page        jsonb not null,
    -- The rejected records as they were announced: JSON text, because jsonb cannot hold what made some of them bad.
    rejects     text,
    -- Rejected records by rule.
    rejected_by_rule jsonb not null default '{}',
    -- What the enrichers have to know for this chunk, each id once.
    game_ids    text[] not null,
    channel_ids text[] not null,
    -- The cursor that asked for this page, and the one it gave for the next.
    cursor      text,
    next_cursor text,

    fetched     integer not null,
    stored      integer not null,
    rejected    integer not null,
    duplicates  integer not null,

    stored_at   timestamptz not null,
    games_at    timestamptz,
    channels_at timestamptz,
    merged_at   timestamptz,

    games_missing    text[],
    channels_filled  integer,
    channels_missing integer,

    -- The stage that gave up on this chunk last, and why; cleared when the chunk moves on.
    failed_stage text,
    failed_at    timestamptz,
    failure      text,

    primary key (pull_id, chunk, pulled_at),
    foreign key (pull_id, pulled_at) references pull (id, started_at),
    constraint every_record_is_accounted_for check (fetched = stored + rejected + duplicates),
    constraint stages_in_order check (
        (channels_at is null or games_at is not null) and (merged_at is null or channels_at is not null)),
    constraint a_merged_chunk_is_counted check (merged_at is null or stored = channels_filled + channels_missing)
) partition by range (pulled_at);

create table pull_data (
    pull_id       bigint not null,
    -- `pull.started_at`: the time of the snapshot, in every row, so that a question about a day reads that day only.
    pulled_at     timestamptz not null,
    stream_id     text collate "C" not null,
    chunk         integer not null,
    channel_id    text collate "C" not null,
    channel_login text not null,
    channel_name  text not null,
    -- Null for a stream without category, which Twitch writes as "".
    game_id       text collate "C",
    game_name     text not null,
    viewer_count  integer not null check (viewer_count >= 0),
    language      text not null,
    started_at    timestamptz not null,
    type          text not null,
    title         text not null,
    tags          text[] not null,
    is_mature     boolean not null,
    -- The PullData document. Null until the chunk is merged, so that the wide row is written once; until then the
    -- view pull_document shows the stream's own fields.
    data          jsonb,
    primary key (pull_id, stream_id, pulled_at)
) partition by range (pulled_at);

-- "What did this channel do?" and "who played this game?", over time.
create index pull_data_channel on pull_data (channel_id, pulled_at);
create index pull_data_game on pull_data (game_id, pulled_at);

-- Makes the partitions of the day of `at`, in UTC, and of the day after, where they are not there yet. Called with
-- every new pull. A table is made first and attached then, which blocks neither readers nor writers of the others.
create function ensure_partitions(at timestamptz) returns void language plpgsql security definer
    set search_path from current as $$
declare
    parent text;
    day timestamp;
    partition text;
begin
    foreach parent in array array['pull_chunk', 'pull_data'] loop
        for day in select date_trunc('day', at at time zone 'UTC') + n * interval '1 day' from generate_series(0, 1) n loop
            partition := parent || to_char(day, '_YYYYMMDD');
            if to_regclass(partition) is null then
                perform pg_advisory_xact_lock(hashtext('ensure_partitions'));
                if to_regclass(partition) is null then
                    execute format('create table %I (like %I including all)', partition, parent);
                    execute format('alter table %I attach partition %I for values from (%L) to (%L)', parent, partition,
                        day at time zone 'UTC', (day + interval '1 day') at time zone 'UTC');
                end if;
            end if;
        end loop;
    end loop;
end $$;
