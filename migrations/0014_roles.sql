-- What the programs' roles may do with what came since the roles: how workers are doing, partitions made ahead, a name that
-- Twitch left empty. `select grant_roles()` grants all of it, as before.

alter function grant_roles() rename to grant_roles_of_schema_9;

create function grant_roles() returns void language plpgsql set search_path from current as $$
begin
    perform grant_roles_of_schema_9();
    if to_regrole('twitch_operator') is null then
        -- Somebody was warned, and will come back.
        return;
    end if;

    -- Every worker tells how it is doing, and people read it; the finalizer's watch fails no pull that waits for a paused stage.
    grant select, insert, update, delete on worker_state, stage_retry
        to twitch_extractor, twitch_game_enricher, twitch_channel_enricher, twitch_finalizer;
    grant select on worker_state, stage_retry to twitch_reader, twitch_operator;

    -- The view was made anew.
    grant select on rejected_record to twitch_reader, twitch_operator;

    -- The finalizer makes partitions ahead too, locks the claims that it sweeps out, and fills a name that Twitch left empty.
    grant execute on function ensure_partitions(timestamptz) to twitch_finalizer;
    grant update (expires_at) on helix_claim to twitch_finalizer;
    grant update (channel_login, channel_name) on pull_data to twitch_finalizer;
end $$;

do $$
begin
    execute format('alter function grant_roles() set search_path = %I, pg_temp', current_schema());
end $$;

revoke execute on function grant_roles() from public;
select grant_roles();

-- Builds of the schemas before go on working.
insert into schema_promise values (14, 10);
