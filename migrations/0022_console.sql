-- The console looks, and changes nothing: a role of its own, and an index for one of its questions.

-- Groups of dead letters are counted without reading the rows, however large their bodies are.
create index dead_letter_cause on dead_letter (fingerprint, id) include (state, first_failed_at, last_failed_at)
    where state in ('dead', 'held', 'replaying');

-- All grants are still made by one function. What it did so far is done by the other one, so that this migration need not
-- repeat it.
alter function grant_roles() rename to grant_flow_roles;

create function grant_roles() returns void language plpgsql set search_path from current as $$
begin
    perform grant_flow_roles();
    if to_regrole('twitch_reader') is null then
        -- The warning is out.
        return;
    end if;
    if to_regrole('twitch_console') is null then
        begin
            create role twitch_console;
        exception
            -- Somebody who migrates another database of the cluster was faster.
            when duplicate_object or unique_violation then null;
            when insufficient_privilege then
                raise warning 'no rights are granted to the console: % may not create the role twitch_console; create it as '
                    'somebody who may, then "select grant_roles()" as the owner of the tables', current_user;
                return;
        end;
    end if;
    execute format('grant usage on schema %I to twitch_console', current_schema());
    grant select on _sqlx_migrations, pull, missed_slot, pull_rerun, pull_chunk, pull_data, pull_stream, rejected_record,
        rejected_by_rule, worker_state, stage_retry, stage_pause, dead_letter, dead_letter_event, dead_letter_note,
        dead_letter_depth, alarm
        to twitch_console;
end $$;

-- It acts with its caller's rights alone, and whoever may call the function above has to get this far.
grant execute on function grant_flow_roles() to public;
revoke execute on function grant_roles() from public;

do $$
begin
    execute format('alter function grant_roles() set search_path = %I, pg_temp', current_schema());
end $$;

select grant_roles();

-- A build of before 0021 would not obey a pause: no promise to any of those.
