-- How long data is kept, what was removed, and which channels' data were erased.
--
-- The classes of data and their defaults are in the programs (shared/src/store/retention/class.rs): a later build brings classes
-- of its own. Here is only what somebody has set otherwise, so that every program goes by the same values.

create table retention (
    class       text primary key,
    -- Rows of the class that are older may go; 0 keeps them for ever.
    ttl_seconds bigint not null check (ttl_seconds >= 0),
    by          text not null,
    at          timestamptz not null
);
comment on table retention is 'times to live that were set with `operator retention set`; classes without a row have their default';

-- One row per run, whether a finalizer made it or a person.
create table retention_run (
    id         bigint generated always as identity primary key,
    by         text not null,
    started_at timestamptz not null,
    -- Null while it is under way, and for ever where it was cut short: the next run goes on with what is left.
    ended_at   timestamptz,
    -- One entry per class: what was removed, and what was kept back and why.
    removed    jsonb not null default '[]'
);
create index retention_run_ended on retention_run (ended_at);

-- That a channel was erased, and how much of it there was. It does not say which: that would be what was to be erased.
create table erasure (
    id         bigint generated always as identity primary key,
    by         text not null,
    started_at timestamptz not null,
    ended_at   timestamptz,
    -- Rows and messages that named the channel, by table or queue.
    counts     jsonb not null,
    -- Where the search afterwards still found it; empty when it was found nowhere.
    found      jsonb
);
comment on table erasure is 'one row per erasure of a channel: who, when and how much, never whom';

-- The operator's user sets and shows retention, and sees erasures; both are carried out with the owner's rights, because
-- only the owner may detach a partition.
create function grant_retention() returns void language plpgsql set search_path from current as $$
begin
    if to_regrole('twitch_operator') is not null then
        grant select, insert, update on retention to twitch_operator;
        grant select on retention_run, erasure to twitch_operator;
    end if;
end $$;

do $$
begin
    execute format('alter function grant_retention() set search_path = %I, pg_temp', current_schema());
end $$;
revoke execute on function grant_retention() from public;
select grant_retention();

-- Builds of the schemas before know nothing of these tables, and go on working beside them.
insert into schema_promise values (19, 16);
