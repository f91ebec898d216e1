-- What an erasure needs to be gone on with where it was cut short: the channel's id, the names that may be erased already, and the key
-- of its pseudonyms. The row is there from before the first change, and leaves in the transaction that ends the erasure.
create table erasure_subject (
    erasure  bigint primary key references erasure on delete cascade,
    channel  text not null unique,
    scrubber jsonb not null
);
comment on table erasure_subject is 'whose data the erasures that have not ended are about; empty otherwise';

-- Where the channel's bytes were found afterwards and are something else, by reason and place.
alter table erasure add column explained jsonb;

-- Whoever sees the data may see which erasure has not ended. The key of the pseudonyms is the owner's alone.
create or replace function grant_retention() returns void language plpgsql set search_path from current as $$
begin
    if to_regrole('twitch_operator') is not null then
        grant select, insert, update on retention to twitch_operator;
        grant select on retention_run, erasure to twitch_operator;
        grant select (erasure, channel) on erasure_subject to twitch_operator;
    end if;
    if to_regrole('twitch_console') is not null then
        grant select (id, by, started_at) on erasure to twitch_console;
        grant select (erasure, channel) on erasure_subject to twitch_console;
    end if;
end $$;

do $$
begin
    execute format('alter function grant_retention() set search_path = %I, pg_temp', current_schema());
end $$;
select grant_retention();

-- Builds of before know nothing of it, and go on as they did.
insert into schema_promise values (30, 22);
