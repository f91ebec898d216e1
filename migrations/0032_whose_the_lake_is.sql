-- Whose the catalogue is: one database's. A copy of a database (restored from a dump for staging, say) has the same catalogue under the same
-- id, and would take its original's storage for its own, add to it what the original does not know, and remove what the copy
-- does not know.

-- What tells this database from its copies: the cluster's identifier and the database's number in it. A standby that is promoted
-- has both of its primary; a database that is restored or upgraded elsewhere has others.
create function lake.this_database() returns text stable language plpgsql as $$
declare
    number text := (select oid::text from pg_database where datname = current_database());
begin
    return (select system_identifier from pg_control_system()) || '/' || number;
exception
    -- Where that is kept from users, the number alone has to do.
    when insufficient_privilege then return number;
end $$;
comment on function lake.this_database() is 'what tells this database from its copies';

create table lake.home (
    only_row boolean primary key default true check (only_row),
    -- As lake.this_database() said where the catalogue's files come from.
    database text not null,
    -- Ids that the catalogue had before another database adopted it: one of them may still be on the storage.
    former   text[] not null default '{}'
);
comment on table lake.home is 'the database whose exporters write the lake; a copy of it may not';

-- A catalogue that was never used belongs to whoever uses it first.
insert into lake.home (database)
select lake.this_database() where exists (select from lake.ducklake_metadata where key = 'data_path');

-- The rights on the schema's tables are granted once more, so that they are on this one too.
select grant_lake_roles();

-- Builds of before go by the id alone.
insert into schema_promise values (32, 22);
