-- There is a lake once an exporter was started, not only once something was exported: an exporter that its storage has refused since
-- the first day has exported nothing, and retention must keep for it what it could not write. Where the files go is noted
-- before the first of them is written, and retention looks for that.
alter function grant_lake_roles() rename to grant_lake_roles_before_0029;
create function grant_lake_roles() returns void language plpgsql set search_path from current as $$
begin
    perform grant_lake_roles_before_0029();
    -- Where one of the roles is not there, a warning was given just now.
    if exists (select from unnest(array['finalizer', 'lake', 'reader']) program
               where to_regrole('twitch_' || program) is null) then
        return;
    end if;
    grant select on lake.ducklake_metadata to twitch_finalizer;
end $$;

do $$
begin
    execute format('alter function grant_lake_roles() set search_path = %I, pg_temp', current_schema());
end $$;

grant execute on function grant_lake_roles(), grant_lake_roles_before_0029() to public;
select grant_lake_roles();

-- Builds of before go by what was exported, as they did.
insert into schema_promise values (29, 22);
