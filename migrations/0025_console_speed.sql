-- The console and `operator status` answer as soon with 100,000 dead letters and 200,000 events as with none: each of their
-- questions that read a whole table, or counted all of it, has an index that leads to what it shows.

-- Groups of dead letters, in every state: from cause to cause without what lies between, and counted without reading the rows.
drop index dead_letter_cause;
create index dead_letter_cause on dead_letter (state, fingerprint, id) include (first_failed_at, last_failed_at);
-- What has left its queue by itself lately.
create index dead_letter_vanished on dead_letter (state_at) include (stage) where state = 'vanished';

-- The latest events, of all kinds, errors alone, and of a pull.
create index event_last on event (last_at);
create index event_error on event (last_at) where level = 'ERROR';
create index event_pull on event (pull_id, last_at) where pull_id is not null;

-- Pulls by how they stand, those that people asked for, and the one that ended last.
create index pull_status on pull (status, id);
create index pull_requested on pull (id) where slot is null;
create index pull_completed on pull (completed_at) where completed_at is not null;

-- That a paused stage handles one message can be ordered from a page as well: it is an operation like the others.
alter table operation drop constraint operation_kind_check, add constraint operation_kind_check check (kind in
    ('replay', 'discard', 'restore', 'hold', 'release', 'rerun', 'pause', 'resume', 'run-once', 'cancel'));
-- Whoever goes on with an operation finds the request that was made for it, and makes no second one.
alter table run_once add column operation_id bigint unique references operation (id) on delete set null;
-- An order that is an operation, too, is told of once.
alter table steering add column operation_id bigint;
create or replace view audit as
select requested_at as at, requested_by as by, requested_from as place, kind as action, command as detail, id as operation_id
from operation
union all
select stop_at, stop_by, null, 'stop', 'operations stop ' || id, id from operation where stop_at is not null
union all
select at, by, null, action, coalesce(stage, 'pull ' || pull_id) || coalesce(': ' || reason, ''), null from steering
where action = 'run-once' and operation_id is null
   -- A command may note its order a moment before its operation.
   or at < coalesce((select min(requested_at) - interval '10 s' from operation), 'infinity')
union all
select at, by, null, 'rerun', 'pull ' || pull_id || ' from the ' || from_stage || ' on', null from pull_rerun
where at < coalesce((select min(requested_at) from operation), 'infinity')
union all
select at, by, null, event, 'dead letter ' || letter_id, null from dead_letter_event where event in ('edited', 'imported')
union all
select at, by, null, 'note', 'group ' || fingerprint, null from dead_letter_note;

-- The rights of before, and those for this.
alter function grant_roles() rename to grant_roles_before_0025;
create function grant_roles() returns void language plpgsql set search_path from current as $$
begin
    perform grant_roles_before_0025();
    -- Where one of the roles is not there, a warning was given just now.
    if exists (select from unnest(array['extractor', 'operator', 'console', 'reader']) program
               where to_regrole('twitch_' || program) is null) then
        return;
    end if;
    -- The extractor carries out what is ordered from a page.
    grant insert on run_once to twitch_extractor;
    -- Many dead letters are not counted by everybody who looks: the finalizers do it anyway.
    grant select on alarm_watch to twitch_operator, twitch_console;
end $$;
-- It acts with its caller's rights alone, and whoever may call the function above has to get this far.
grant execute on function grant_roles_before_0025() to public;
revoke execute on function grant_roles() from public;
do $$
begin
    execute format('alter function grant_roles() set search_path = %I, pg_temp', current_schema());
end $$;
select grant_roles();

-- Builds of the schemas before ask the same questions, and find the answers.
insert into schema_promise values (25, 22);
