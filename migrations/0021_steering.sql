-- What people order: stages paused, one message of a paused stage, pulls cancelled; and who ordered what, when.
--
-- A worker listens on the channel `steering`: whoever changes these tables notifies it in the same transaction.
create table stage_pause (
    stage     text primary key,
    paused_by text not null check (paused_by <> ''),
    -- Why, if that was told.
    reason    text,
    paused_at timestamptz not null,
    -- When it ends by itself; null where only a person ends it. A row whose time is over means nothing.
    until     timestamptz check (until > paused_at)
);

-- Requests for one message of a paused stage: one replica takes each on, for a minute at most after it was made.
create table run_once (
    id           bigint generated always as identity primary key,
    stage        text not null,
    requested_by text not null,
    requested_at timestamptz not null,
    -- The replica that took it on.
    taken_by     text,
    taken_at     timestamptz,
    outcome      text check (outcome in ('settled', 'nothing-waits', 'given-back')),
    -- The message that was handled; null where there was none.
    message_id   text,
    ended_at     timestamptz,
    check ((taken_by is null) = (taken_at is null)),
    check ((outcome is null) = (ended_at is null))
);
create index run_once_open on run_once (stage, id) where taken_at is null;

-- Every order, for the record. Nothing is ever changed here.
create table steering (
    id      bigint generated always as identity primary key,
    at      timestamptz not null,
    by      text not null,
    action  text not null check (action in ('pause', 'resume', 'run-once', 'cancel')),
    -- The stage, or the pull, that it is about.
    stage   text,
    pull_id bigint,
    reason  text,
    -- Of a pause: when it ends by itself.
    until   timestamptz,
    check ((stage is null) <> (pull_id is null))
);

-- A cancelled pull has failed, and nothing brings it back but `operator rerun`; its messages are dropped where they arrive.
alter table pull add column cancelled_at timestamptz;
alter table pull add constraint cancelled_pulls_have_failed check (cancelled_at is null or status = 'failed');
create index pull_cancelled on pull (cancelled_at) where cancelled_at is not null;
alter table pull drop constraint pull_stop_reason_check;
alter table pull add constraint pull_stop_reason_check
    check (stop_reason in ('end', 'min_viewers', 'page_cap', 'cursor_loop', 'error', 'cancelled'));

-- What a worker may still spend of a budget that all replicas share, where it has one: Twitch's points. And when its row was
-- written by this server's clock, which shows how far the worker's is off.
alter table worker_state add column points_left integer;
alter table worker_state add column points_limit integer;
alter table worker_state add column written_at timestamptz not null default clock_timestamp();

-- The rights for all this come on top of those before, whichever migration granted them last.
alter function grant_roles() rename to grant_roles_before_0021;
create function grant_roles() returns void language plpgsql set search_path from current as $$
begin
    perform grant_roles_before_0021();
    perform grant_lake_roles();
    -- Where one of the roles is not there, a warning was given just now.
    if exists (select from unnest(array['extractor', 'game_enricher', 'channel_enricher', 'finalizer', 'operator', 'reader']) program
               where to_regrole('twitch_' || program) is null) then
        return;
    end if;
    perform grant_retention();
    -- Workers obey, and one of them takes on each request for one message. The extractor reads its pause when a slot is
    -- due, the finalizer's watch those of all stages.
    grant select on stage_pause, run_once
        to twitch_extractor, twitch_game_enricher, twitch_channel_enricher, twitch_finalizer;
    grant update (taken_by, taken_at, outcome, message_id, ended_at) on run_once
        to twitch_extractor, twitch_game_enricher, twitch_channel_enricher, twitch_finalizer;
    -- A person orders, and reads what was ordered.
    grant select, insert, update, delete on stage_pause to twitch_operator;
    grant select, insert on run_once, steering to twitch_operator;
    grant update (cancelled_at, stop_reason) on pull to twitch_operator;
    grant select on stage_pause, run_once, steering to twitch_reader;
    -- The exporter obeys as well, and tells what it warns of and what failed, as every worker.
    if to_regrole('twitch_lake') is not null then
        grant select on stage_pause, run_once to twitch_lake;
        grant update (taken_by, taken_at, outcome, message_id, ended_at) on run_once to twitch_lake;
        grant select, insert, update on event to twitch_lake;
        grant insert on provenance to twitch_lake;
    end if;
end $$;

-- They act with their caller's rights alone, and whoever may call the function above has to get this far.
grant execute on function grant_roles_before_0021(), grant_lake_roles(), grant_retention() to public;
revoke execute on function grant_roles() from public;

do $$
begin
    execute format('alter function grant_roles() set search_path = %I, pg_temp', current_schema());
end $$;

select grant_roles();

-- A build of before would not obey a pause: no promise to it.
