-- Operations as rows: what a person has ordered, from the console or the command line, is carried out by the server side, or by
-- the command itself; it survives both, can be stopped from anywhere, and everybody sees the same.
--
-- Whoever changes these tables notifies the channel `operation` in the same transaction: extractors listen for what is to be
-- carried out, carriers for being stopped, and those who follow an operation for its news.
create table operation (
    id             bigint generated always as identity primary key,
    kind           text not null check (kind in
                   ('replay', 'discard', 'restore', 'hold', 'release', 'rerun', 'pause', 'resume', 'cancel')),
    -- What it is about, and how: the filter of the dead letters, the stage, the pull, the canary.
    arguments      jsonb not null,
    -- The operator's command that does the same, without the program's name.
    command        text not null,
    requested_by   text not null check (requested_by <> ''),
    requested_from text not null check (requested_from in ('console', 'command line')),
    requested_at   timestamptz not null,
    -- How many dead letters matched when the person confirmed; null where it is about none.
    counted        bigint,
    -- requested: nobody has begun. running: somebody carries it out, or did and died. stopping: it ends at its next step.
    -- done: all of it. stopped: by a person, or by itself as its canary wanted. failed: the outcome says why.
    state          text not null default 'requested'
                   check (state in ('requested', 'running', 'stopping', 'done', 'stopped', 'failed')),
    stop_by        text,
    stop_at        timestamptz,
    -- The process that carries it out, which says so again and again: one that is silent past `carried_until` is replaced.
    carried_by     text,
    carried_until  timestamptz,
    -- A fencing token: raised whenever somebody takes it on.
    carrier        integer not null default 0,
    started_at     timestamptz,
    ended_at       timestamptz,
    -- What came of it, in words.
    outcome        text,
    check ((stop_by is null) = (stop_at is null)),
    check ((ended_at is null) = (state in ('requested', 'running', 'stopping'))),
    check ((ended_at is null) = (outcome is null))
);
create index operation_open on operation (id) where ended_at is null;
create index operation_requested on operation (requested_at);

-- What was done for it, in order. Nothing is ever changed here.
create table operation_step (
    id           bigint generated always as identity primary key,
    operation_id bigint not null references operation (id) on delete cascade,
    at           timestamptz not null,
    step         text not null
);
create index operation_step_operation on operation_step (operation_id, id);

-- An operation that sends dead letters back has one replay, whoever carries it out: who takes it on goes on with that.
alter table replay add column operation_id bigint references operation (id) on delete set null;
create unique index replay_operation on replay (operation_id);

-- Whoever may ask for a stop may do nothing else to an operation: what follows from it is decided here.
create function operation_stop() returns trigger language plpgsql as $$
begin
    if old.ended_at is not null or old.stop_at is not null then
        new.stop_by := old.stop_by;
        new.stop_at := old.stop_at;
    elsif old.state = 'requested' then
        new.state := 'stopped';
        new.ended_at := new.stop_at;
        new.outcome := 'stopped by ' || new.stop_by || ' before it began';
    else
        new.state := 'stopping';
    end if;
    return new;
end $$;
create trigger operation_stop before update of stop_by, stop_at on operation
    for each row execute function operation_stop();

-- What a person did to a dead letter beside that, among what happened to it.
create index dead_letter_event_person on dead_letter_event (at) where event in ('edited', 'imported');

-- Who ordered what, when, and from where. Each order is recorded once, where it belongs; this reads them together.
create view audit as
select requested_at as at, requested_by as by, requested_from as place, kind as action, command as detail, id as operation_id
from operation
union all
select stop_at, stop_by, null, 'stop', 'operations stop ' || id, id from operation where stop_at is not null
union all
-- Orders of before are in their own tables only; a request for one message is no operation.
select at, by, null, action, coalesce(stage, 'pull ' || pull_id) || coalesce(': ' || reason, ''), null from steering
where action = 'run-once' or at < coalesce((select min(requested_at) from operation), 'infinity')
union all
select at, by, null, 'rerun', 'pull ' || pull_id || ' from the ' || from_stage || ' on', null from pull_rerun
where at < coalesce((select min(requested_at) from operation), 'infinity')
union all
select at, by, null, event, 'dead letter ' || letter_id, null from dead_letter_event where event in ('edited', 'imported')
union all
select at, by, null, 'note', 'group ' || fingerprint, null from dead_letter_note;

-- The rights of before, and those for what is new.
alter function grant_roles() rename to grant_roles_before_0023;
create function grant_roles() returns void language plpgsql set search_path from current as $$
begin
    perform grant_roles_before_0023();
    -- Where one of the roles is not there, a warning was given just now.
    if exists (select from unnest(array['extractor', 'operator', 'console', 'reader']) program
               where to_regrole('twitch_' || program) is null) then
        return;
    end if;
    -- The extractor, which looks after the dead letters' queues anyway, carries out what is ordered.
    grant select on operation, operation_step to twitch_extractor, twitch_operator, twitch_console, twitch_reader;
    grant update (state, carried_by, carried_until, carrier, started_at, ended_at, outcome) on operation
        to twitch_extractor, twitch_operator;
    grant insert on operation_step to twitch_extractor, twitch_operator;
    grant insert on replay, replay_letter to twitch_extractor;
    grant select on dead_letter_note to twitch_extractor;
    grant select, insert, update, delete on stage_pause to twitch_extractor;
    grant insert on steering to twitch_extractor;
    grant update (cancelled_at) on pull to twitch_extractor;
    grant select, insert on pull_rerun to twitch_extractor;
    grant update (games_added, games_missing, channels_filled, channels_missing, rescues, rescued_at) on pull to twitch_extractor;
    grant update (games_at, games_missing, channels_at, channels_filled, channels_missing, merged_at, failed_stage, failed_at,
        failure) on pull_chunk to twitch_extractor;

    -- A person orders at a terminal or in a browser, and stops what runs.
    grant insert (kind, arguments, command, requested_by, requested_from, requested_at, counted, state, carried_by, carried_until,
        carrier, started_at) on operation to twitch_operator;
    grant insert (kind, arguments, command, requested_by, requested_from, requested_at, counted) on operation to twitch_console;
    grant update (stop_by, stop_at) on operation to twitch_operator, twitch_console;

    -- What the console shows beside that.
    grant select on audit to twitch_operator, twitch_console;
    grant select on replay, replay_letter, event, provenance, pull_history, twitch_game, twitch_channel, missing_game,
        missing_channel to twitch_console;
end $$;

-- It acts with its caller's rights alone, and whoever may call the function above has to get this far.
grant execute on function grant_roles_before_0023() to public;
revoke execute on function grant_roles() from public;

do $$
begin
    execute format('alter function grant_roles() set search_path = %I, pg_temp', current_schema());
end $$;

select grant_roles();

-- Builds of the schema before know no operations, and go on working beside them.
insert into schema_promise values (23, 22);
