-- A rejected record is readable whatever made it bad.
--
-- To look up one member of a JSON object PostgreSQL reads all of it, and refuses half a surrogate pair or an escaped
-- U+0000 wherever they stand: one such record made the view fail for everybody. So `pull_chunk.rejects` now holds each
-- record's JSON as a text in its entry's `raw`, where nobody looks into it; the cast back only checks its syntax. Entries
-- written before hold the record itself, which the same expressions read.
create or replace view rejected_record as
select c.pull_id, c.pulled_at, c.chunk, (reject->>'place')::int as place, reject->>'rule' as rule,
       reject->>'detail' as detail, (reject->>'raw')::json as raw
from pull_chunk c, json_array_elements(c.rejects::json) reject
where c.rejects is not null;
