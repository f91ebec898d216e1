-- What Twitch's odder answers need: a channel whose age nobody tells, a pull that says whether its list is whole, and
-- rejected records that can be read whatever made them bad.

-- Twitch leaves it out, or writes "", for some channels.
alter table twitch_channel alter column created_at drop not null;

-- Derived, so that it holds for pulls of every build. It is about the list: records of it may have been rejected.
alter table pull add column whole boolean generated always as (
    case when stop_reason in ('end', 'min_viewers') then true when stop_reason is not null then false end) stored;
comment on column pull.whole is
    'whether the list was read to its end, or to MIN_VIEWERS; false when it was cut short, null until fetching has ended';

-- The JSON in a text, made fit for the operators of PostgreSQL: U+0000 and halves of surrogate pairs, which its text cannot
-- hold, become U+FFFD. An escaped backslash is written as \u005c first: then each backslash left begins another escape.
-- What is no JSON at all becomes a JSON string.
create function readable_json(raw text) returns json language plpgsql immutable as $$
begin
    if raw ~ '\\u(0000|[dD][89a-fA-F])' then
        raw := replace(raw, '\\', '\u005c');
        raw := replace(raw, '\u0000', '\ufffd');
        raw := regexp_replace(raw, '\\u[dD][89abAB][[:xdigit:]]{2}(?!\\u[dD][c-fC-F][[:xdigit:]]{2})', '\\ufffd', 'g');
        raw := regexp_replace(raw, '(?<!\\u[dD][89abAB][[:xdigit:]]{2})\\u[dD][c-fC-F][[:xdigit:]]{2}', '\\ufffd', 'g');
    end if;
    return raw::json;
exception when data_exception or program_limit_exceeded then
    return to_json(raw);
end $$;

-- Every rejected record: which rule, what was wrong, where it stood, and the record as Twitch sent it, as JSON that can
-- always be looked into, and byte for byte. The oldest entries hold the record itself instead of its text, so they are made
-- readable before anything is taken out of them.
drop view rejected_record;
create view rejected_record as
select c.pull_id, c.pulled_at, c.chunk, (reject->>'place')::int as place, reject->>'rule' as rule,
       reject->>'detail' as detail, readable_json(reject->>'raw') as raw, reject->>'raw' as raw_text
from pull_chunk c, json_array_elements(c.rejects::json) entry, readable_json(entry::text) reject
where c.rejects is not null;

-- Builds before this one read neither, and write nothing that this changes.
insert into schema_promise values (13, 10);
