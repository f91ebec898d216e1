-- Whom a schema serves. A worker that finds a newer schema than it knows goes on where that schema's migration promises so
-- here, and refuses otherwise: then a migration can come first, and the workers after it one by one. A migration that leaves
-- the statements of older builds able to work says so, and names the oldest of them by the schema it knows:
--
--   insert into schema_promise values (11, 10);
create table schema_promise (
    version bigint primary key,
    oldest_build bigint not null check (oldest_build between 1 and version)
);

comment on table schema_promise is
    'the oldest build, by the schema it knows, that can work with a version of the schema; without a row only that version''s own';

-- Everybody who works here has to look.
grant select on schema_promise to public;
