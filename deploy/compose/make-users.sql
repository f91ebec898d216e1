-- psql, as the owner, after every migration: a user for each program and one for people who only read, each a member of its
-- role (migrations/0009_roles.sql) and of no other, with the passwords that `make-credentials` has made up.
\set QUIET on
\set ON_ERROR_STOP on
\set extractor `cat /run/credentials/users/extractor`
\set game_enricher `cat /run/credentials/users/game-enricher`
\set channel_enricher `cat /run/credentials/users/channel-enricher`
\set finalizer `cat /run/credentials/users/finalizer`
\set operator `cat /run/credentials/users/operator`
\set reader `cat /run/credentials/users/reader`

-- A statement that fails must not take a password into the server's log.
set log_min_error_statement = panic;

-- A file that cannot be read gives an empty password here.
create temporary table account (name text, password text check (password <> ''));
insert into account values
    ('extractor', :'extractor'),
    ('game-enricher', :'game_enricher'),
    ('channel-enricher', :'channel_enricher'),
    ('finalizer', :'finalizer'),
    ('operator', :'operator'),
    ('reader', :'reader');

select format('create role %I login in role %I', name, 'twitch_' || replace(name, '-', '_'))
from account where to_regrole(quote_ident(name)) is null
\gexec
select format('alter role %I password %L', name, password) from account
\gexec
