-- The console, and the operator while it carries out work, write down what they warn of, as the workers do. And the finalizer
-- tells for how long the exporter's work waits, also where no exporter runs.

alter function grant_roles() rename to grant_roles_before_0026;
create function grant_roles() returns void language plpgsql set search_path from current as $$
begin
    perform grant_roles_before_0026();
    -- Where one of the roles is not there, a warning was given just now.
    if exists (select from unnest(array['operator', 'console', 'reader']) program
               where to_regrole('twitch_' || program) is null) then
        return;
    end if;
    grant select, insert, update on event to twitch_operator, twitch_console;
end $$;

-- It acts with its caller's rights alone, and whoever may call the function above has to get this far.
grant execute on function grant_roles_before_0026() to public;
revoke execute on function grant_roles() from public;

do $$
begin
    execute format('alter function grant_roles() set search_path = %I, pg_temp', current_schema());
end $$;

select grant_roles();

-- Which pull is in the lake, and nothing else of it.
alter function grant_lake_roles() rename to grant_lake_roles_before_0026;
create function grant_lake_roles() returns void language plpgsql set search_path from current as $$
begin
    perform grant_lake_roles_before_0026();
    -- As above.
    if exists (select from unnest(array['finalizer', 'lake', 'reader']) program
               where to_regrole('twitch_' || program) is null) then
        return;
    end if;
    grant usage on schema lake to twitch_finalizer;
    grant select on lake.export to twitch_finalizer;
end $$;

do $$
begin
    execute format('alter function grant_lake_roles() set search_path = %I, pg_temp', current_schema());
end $$;

grant execute on function grant_lake_roles(), grant_lake_roles_before_0026() to public;
select grant_lake_roles();

-- Builds of before write down no more than they did.
insert into schema_promise values (26, 22);
