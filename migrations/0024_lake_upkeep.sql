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
    -- How long the snapshots are kept.
    if to_regrole('twitch_lake') is not null then
        grant select on retention to twitch_lake;
    end if;
    -- Whoever reads the lake has no use for what is asked of the exporter.
    if to_regrole('twitch_reader') is not null then
        revoke select on lake.request from twitch_reader;
    end if;
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
