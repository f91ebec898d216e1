-- What the replay of dead letters and of rejected records needs beyond the ledger itself, and the alarms.

-- Two lines of a history may have the same time; they were written in an order all the same.
alter table dead_letter_event add column seq bigint generated always as identity;

-- Raised when somebody else takes an interrupted replay over: who began it finds out, and leaves it alone.
alter table replay add column keeper integer not null default 0;

-- Whether the letter was held when it was chosen: one that is not sent after all is held again.
alter table replay_letter add column was_held boolean not null default false;
-- What is sent instead of the letter's own body, where a person edited it. Here, so that whoever finishes the replay
-- after a crash sends the same.
alter table replay_letter add column body bytea;

-- From a letter to what came back of it.
create index dead_letter_replay_of on dead_letter (replay_of) where replay_of is not null;

-- Rejected records may enter a pull that is past filling games, even one that succeeded: its chunk goes through the
-- stages once more, and the pull with it.
create or replace function pull_status_moves_forward() returns trigger language plpgsql as $$
begin
    if (old.status, new.status) not in (
        ('pending', 'filling-games'), ('filling-games', 'filling-channels'), ('filling-channels', 'success'),
        ('pending', 'failed'), ('filling-games', 'failed'), ('filling-channels', 'failed'),
        ('failed', 'pending'), ('failed', 'filling-games'), ('failed', 'filling-channels'),
        ('filling-channels', 'filling-games'), ('success', 'filling-games'))
    then
        raise exception 'pull % cannot go from % to %', old.id, old.status, new.status
            using errcode = 'check_violation', constraint = 'pull_status_moves_forward';
    end if;
    return new;
end $$;

-- Something about dead letters that somebody should know.
create table alarm (
    id     bigint generated always as identity primary key,
    at     timestamptz not null,
    queue  text not null,
    -- first: letters where there were none. age: the oldest lies there for too long. growth: many in a short time.
    kind   text not null check (kind in ('first', 'age', 'growth')),
    detail text not null
);
create index alarm_at on alarm (at);

-- What was last seen of each queue, so that however many finalizers look, each alarm is raised once.
create table alarm_watch (
    queue        text primary key,
    letters      bigint not null default 0,
    -- Whether the age of the oldest was told; untold again once the oldest is young.
    age_told     boolean not null default false,
    -- Growth is counted from here.
    grown_from   bigint not null default 0,
    grown_since  timestamptz not null default '-infinity'
);
