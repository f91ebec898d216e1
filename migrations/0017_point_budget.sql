-- The point budget belongs to the client id, not to a process: all that call Twitch under it draw their points from the one
-- bucket that is reckoned here. It is in the row of the app token, which those processes share and may write already; a row
-- of generation 0 holds a bucket and no token yet.
alter table helix_token
    add column points         double precision,
    add column points_at      timestamptz,
    add column points_limit   integer,
    add column points_missing double precision not null default 0,
    add column closed_until   timestamptz,
    add column draws          bigint not null default 0;

comment on column helix_token.points is
    'points that were neither spent nor leased at points_at; negative where calls were given points to come; null before the first call';
comment on column helix_token.points_limit is 'points of a full bucket, which flow back in a minute; null until Twitch has told';
comment on column helix_token.points_missing is
    'points that Twitch''s answers have found missing of late: others draw from the bucket too, or it fills up more slowly';
comment on column helix_token.closed_until is 'until when Twitch refuses calls (429)';
comment on column helix_token.draws is 'how often the bucket was changed: who changes it says which state it has seen';

-- Rewritten with every lease: its page keeps room, so that no index entry is made.
alter table helix_token set (fillfactor = 20);

-- As for channels before: of the time that a new game took, seven eighths went into locking the one row of the pull under way.
alter table twitch_game drop constraint twitch_game_first_pull_id_fkey;

-- Builds before this one read and write the token alone.
insert into schema_promise values (17, 16);
