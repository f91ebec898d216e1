-- Where a row comes from, and what happened: for `operator trace`, `events`, `history` and `alarms`.
--
--   event            one row per day and warning or error of a program: its count, and when it was first and last seen
--   provenance       what each stage did to a chunk, in the order in which it happened; partitioned by day as the chunks are
--   pull_history     one row per end of a pull, and per return from one: a rerun or replay overwrites nothing of what was
--   worker_history   starts, ends and pauses of workers
--   record_shape     types of the fields of Twitch's records that are not as documented
--
-- Each grows by time alone, and names the column that tells its age: event.day, provenance.pulled_at, pull_history.at,
-- worker_history.at.

-- Warnings and errors. What differs only in numbers, times and quoted words, and is about the same pull, shares a fingerprint: a
-- storm of one cause is one row.
create table event (
    -- The day on which it was first seen, in UTC: old days leave by `delete ... where day < ...`, which reads the primary key.
    day         date not null,
    fingerprint text not null,
    level       text not null check (level in ('WARN', 'ERROR')),
    -- The program.
    stage       text not null,
    -- The failure's code, such as `store.unreachable`, where there is one.
    code        text,
    pull_id     bigint,
    -- Of the latest: the chunk, the words, the trace and the build.
    chunk       integer,
    message     text not null,
    trace       text,
    build       text not null,
    host        text not null,
    count       bigint not null check (count > 0),
    first_at    timestamptz not null,
    last_at     timestamptz not null,
    primary key (day, fingerprint)
);

-- What was done to a chunk, in NiFi's words. Written by each stage in the statement that it makes anyway; nothing is ever
-- updated. A chunk has one row per stage, and one more for each attempt that failed and each time it was made again.
create table provenance (
    pull_id   bigint not null,
    pulled_at timestamptz not null,
    -- 0 where it is about no chunk.
    chunk     integer not null,
    at        timestamptz not null,
    stage     text not null,
    -- RECEIVE: a page came from Twitch. FETCH: games or channels were asked for. ROUTE: nothing was missing, or an attempt
    -- failed and waits on a retry rung. CONTENT_MODIFIED: merged, or rejected records let in.
    action    text not null check (action in ('RECEIVE', 'FETCH', 'ROUTE', 'CONTENT_MODIFIED', 'SEND', 'DROP', 'REPLAY')),
    -- Which attempt it was that failed; null where none did.
    attempt   integer,
    -- Calls to Helix that were booked with it.
    calls     integer not null default 0,
    detail    text,
    build     text not null
) partition by range (pulled_at);
create index provenance_chunk on provenance (pull_id, chunk);
-- What is done to pulls from before this migration, or to one made again after its day was dropped.
create table provenance_default partition of provenance default;

-- Records of a page whose stream the pull had already: [{"place", "id", "viewer_count"}, ...]. With the places of the
-- rejected records they tell the place of every other.
alter table pull_chunk add column duplicate_records json;
-- The same of records that were rejected, and let in later: they are at the end of `page`.
alter table pull_chunk add column revalidated_records json;

-- What the pull was started with: MIN_VIEWERS, page cap, interval, build.
alter table pull add column settings jsonb;
comment on column pull.settings is 'the settings of the extractor that fetched its first page';

-- Pulls by time: what was there at some moment, and the volume of the same hour on other days.
create index pull_started on pull (started_at);

create table pull_history (
    pull_id  bigint not null,
    at       timestamptz not null,
    -- success, failed: its end. again: it was brought back from an end, by a rerun, a replay, or revalidated records.
    event    text not null check (event in ('success', 'failed', 'again')),
    error    text,
    build    text,
    stored   integer not null,
    rejected integer not null,
    -- The order in which it happened: times are of several clocks.
    id       bigint generated always as identity
);
create index pull_history_pull on pull_history (pull_id, id);
create index pull_history_at on pull_history (at);

create function pull_history_note() returns trigger language plpgsql security definer set search_path from current as $$
begin
    if new.status in ('success', 'failed') then
        insert into pull_history values (new.id, new.completed_at, new.status, new.error,
            case when new.status = 'success' then new.build end, new.stored, new.rejected);
    elsif old.status in ('success', 'failed') then
        insert into pull_history values (new.id, clock_timestamp(), 'again', null, null, new.stored, new.rejected);
    end if;
    return null;
end $$;

create trigger pull_history_note after update of status on pull
    for each row when (old.status is distinct from new.status) execute function pull_history_note();

-- Pulls that have ended before this is kept: how they ended last.
insert into pull_history
select id, completed_at, status, error, build, stored, rejected from pull where status in ('success', 'failed');

create table worker_history (
    at      timestamptz not null,
    stage   text not null,
    replica text not null,
    build   text not null,
    host    text not null,
    -- vanished: it ended without a word, and was last seen then.
    event   text not null check (event in ('started', 'paused', 'resumed', 'stopped', 'vanished')),
    code    text,
    reason  text
);
create index worker_history_at on worker_history (at);

-- A pause lasts until messages are consumed again; the trials in between are not told.
create function worker_history_note() returns trigger language plpgsql security definer set search_path from current as $$
begin
    if tg_op = 'INSERT' then
        insert into worker_history values (new.since, new.stage, new.replica, new.build, new.host, 'started');
        if new.state = 'paused' then
            insert into worker_history values
                (new.since, new.stage, new.replica, new.build, new.host, 'paused', new.code, new.reason);
        end if;
    elsif tg_op = 'DELETE' then
        insert into worker_history values (old.seen_at, old.stage, old.replica, old.build, old.host,
            case when old.seen_at < now() - interval '1 minute' then 'vanished' else 'stopped' end);
    elsif new.state = 'paused' and (old.state in ('consuming', 'draining') or old.code is distinct from new.code) then
        insert into worker_history values
            (new.since, new.stage, new.replica, new.build, new.host, 'paused', new.code, new.reason);
    elsif new.state = 'consuming' and old.state in ('paused', 'half-open') then
        insert into worker_history values (new.since, new.stage, new.replica, new.build, new.host, 'resumed', old.code);
    end if;
    return null;
end $$;

create trigger worker_history_born after insert or delete on worker_state
    for each row execute function worker_history_note();
create trigger worker_history_moved after update on worker_state
    for each row when (old.state is distinct from new.state or old.code is distinct from new.code)
    execute function worker_history_note();

-- The history of dead letters, by time.
create index dead_letter_event_at on dead_letter_event (at);

-- Alarms can be acknowledged, and may be about a pull: volume, a whole pull with far fewer streams than usual at its hour.
alter table alarm drop constraint alarm_kind_check;
alter table alarm add constraint alarm_kind_check check (kind in ('first', 'age', 'growth', 'volume'));
alter table alarm add column pull_id bigint;
alter table alarm add column acknowledged_at timestamptz;
alter table alarm add column acknowledged_by text;
alter table alarm add column note text;
comment on column alarm.queue is 'what it is about: a dead-letter queue, or `pulls`';
-- A pull is told of once, however many look at it.
create unique index alarm_volume on alarm (pull_id) where kind = 'volume';

-- Types of fields that are not as Twitch documents them, as far as they were seen in at least 1 % of a pull's records.
create table record_shape (
    field         text not null,
    -- The type of its values; `missing` where it is left out.
    kind          text not null,
    -- The first and the latest pull with it, and how many there were.
    first_pull_id bigint not null,
    last_pull_id  bigint not null,
    pulls         integer not null default 1,
    -- Of the latest pull: how many of so many records.
    records       integer not null,
    of_records    integer not null,
    sample        text not null,
    -- When it was told: with the second pull in a row.
    told_at       timestamptz,
    primary key (field, kind)
);

-- As before, and provenance has a partition of each day as well. A table that grows by appending alone needs no room for updates.
alter function ensure_partitions(timestamptz) rename to ensure_pull_partitions;
create function ensure_partitions(at timestamptz) returns void language plpgsql security definer
    set search_path from current as $$
declare
    day timestamp := date_trunc('day', at at time zone 'UTC');
    partition text := 'provenance' || to_char(day, '_YYYYMMDD');
begin
    perform ensure_pull_partitions(at);
    if to_regclass(format('%I.%I', current_schema(), partition)) is not null then
        return;
    end if;
    -- Whoever holds this makes the same partition: worth waiting for.
    perform set_config('lock_timeout', '30s', true);
    perform pg_advisory_xact_lock(hashtext('ensure_partitions'));
    perform set_config('lock_timeout', '1s', true);
    begin
        execute format('create table %I.%I (like provenance including all)', current_schema(), partition);
    exception when duplicate_table then
        return;
    end;
    execute format('alter table provenance attach partition %I for values from (%L) to (%L)', partition,
        day at time zone 'UTC', (day + interval '1 day') at time zone 'UTC');
end $$;

-- Pulls under way find one.
select ensure_partitions(started_at) from pull where status not in ('success', 'failed');

-- The rights of before, and those for what is new.
alter function grant_roles() rename to grant_roles_to_the_flow;
create function grant_roles() returns void language plpgsql set search_path from current as $$
begin
    perform grant_roles_to_the_flow();
    if to_regrole('twitch_reader') is null then
        -- The warning is out.
        return;
    end if;
    grant execute on function ensure_partitions(timestamptz) to twitch_extractor, twitch_finalizer, twitch_operator;

    -- Every worker tells what it warns of, and what it did.
    grant select, insert, update on event
        to twitch_extractor, twitch_game_enricher, twitch_channel_enricher, twitch_finalizer;
    grant insert on provenance
        to twitch_extractor, twitch_game_enricher, twitch_channel_enricher, twitch_finalizer, twitch_operator;
    grant update (settings) on pull to twitch_extractor;
    grant update (duplicate_records, revalidated_records) on pull_chunk to twitch_operator;
    grant select, insert, update on record_shape to twitch_extractor;

    -- What is there, for whoever asks.
    grant select on event, provenance, pull_history, worker_history, record_shape to twitch_reader, twitch_operator;
    grant update (acknowledged_at, acknowledged_by, note) on alarm to twitch_operator;
end $$;

do $$
begin
    -- What runs with its owner's rights must find nothing that its caller has put in the way.
    execute format('alter function ensure_partitions(timestamptz) set search_path = %I, pg_temp', current_schema());
    execute format('alter function pull_history_note() set search_path = %I, pg_temp', current_schema());
    execute format('alter function worker_history_note() set search_path = %I, pg_temp', current_schema());
    execute format('alter function grant_roles() set search_path = %I, pg_temp', current_schema());
end $$;
revoke execute on function ensure_partitions(timestamptz), grant_roles() from public;
-- It does what its caller may do, who is whoever may call the other.
grant execute on function grant_roles_to_the_flow() to public;

select grant_roles();

-- Builds of the schema before find all they know, and leave no provenance.
insert into schema_promise values (20, 16);
