-- A past pull, made again from its stored pages: by whom, from where on, and what it was before.

-- The build that brought the pull to its success last.
alter table pull add column build text;

create table pull_rerun (
    pull_id        bigint not null references pull (id),
    at             timestamptz not null,
    by             text not null,
    from_stage     text not null check (from_stage in ('game-enricher', 'channel-enricher', 'finalizer')),
    build          text not null,
    -- What the pull was when it was asked to run again.
    was_status     text not null,
    was_completed_at timestamptz,
    was_build      text,
    primary key (pull_id, at)
);
