-- An erasure reaches the lake's files, and how long the lake's snapshots are kept is set where everything else is.

-- The operator asks the exporter, which alone has the storage's credentials. While such a request waits, it names the channel;
-- once it is carried out, it does so no longer.
alter table lake.request drop constraint request_action_check,
    add constraint request_action_check check (action in ('export', 'compact', 'verify', 'expire', 'erase'));

-- The rights for this come on top of those before.
alter function grant_lake_roles() rename to grant_lake_roles_before_0024;
create function grant_lake_roles() returns void language plpgsql set search_path from current as $$
begin
    perform grant_lake_roles_before_0024();
    -- Where one of the roles is not there, a warning was given just now.
    if to_regrole('twitch_lake') is null or to_regrole('twitch_reader') is null or to_regrole('twitch_operator') is null then
        return;
    end if;
    -- How long the snapshots are kept.
    grant select on retention to twitch_lake;
    -- Whoever reads the lake has no use for what is asked of the exporter.
    revoke select on lake.request from twitch_reader;
end $$;

do $$
begin
    execute format('alter function grant_lake_roles() set search_path = %I, pg_temp', current_schema());
end $$;

-- They act with their caller's rights alone.
grant execute on function grant_lake_roles(), grant_lake_roles_before_0024() to public;
select grant_lake_roles();

-- Builds of before go on working: an exporter of theirs keeps snapshots for as long as its own setting says.
insert into schema_promise values (24, 22);
