-- psql, as the owner, after every migration: a user for each program and one for people who only read, each a member of its
-- role (migrations/0009_roles.sql) and of no other. The variable PASSWORDS names the folder of their passwords, which users.sh,
-- beside this file, has made up.
\set QUIET on
\set ON_ERROR_STOP on
\set extractor `cat "$PASSWORDS/extractor"`
\set game_enricher `cat "$PASSWORDS/game-enricher"`
\set channel_enricher `cat "$PASSWORDS/channel-enricher"`
\set finalizer `cat "$PASSWORDS/finalizer"`
\set exporter `cat "$PASSWORDS/exporter"`
\set operator `cat "$PASSWORDS/operator"`
\set console `cat "$PASSWORDS/console"`
\set reader `cat "$PASSWORDS/reader"`

-- A statement that fails must not take a password into the server's log.
set log_min_error_statement = panic;

-- A file that cannot be read gives an empty password here.
create temporary table account (name text, password text check (password <> ''));
insert into account values
    ('extractor', :'extractor'),
    ('game-enricher', :'game_enricher'),
    ('channel-enricher', :'channel_enricher'),
    ('finalizer', :'finalizer'),
    ('exporter', :'exporter'),
    ('operator', :'operator'),
    ('console', :'console'),
    ('reader', :'reader');

-- The exporter's role is named for what it writes.
select format('create role %I login in role %I', name,
              case name when 'exporter' then 'twitch_lake' else 'twitch_' || replace(name, '-', '_') end)
from account where to_regrole(quote_ident(name)) is null
\gexec
select format('alter role %I password %L', name, password) from account
\gexec
