-- Ways to look at pulls.

-- Every stored stream with its PullData document: the merged one, or until then the stream's own fields.
create view pull_document as
select d.pull_id, d.pulled_at, d.chunk, d.stream_id, coalesce(d.data, page.record) as data, d.data is not null as merged
from pull_data d
left join lateral (
    select record
    from pull_chunk c, jsonb_array_elements(c.page) record
    where d.data is null and c.pull_id = d.pull_id and c.pulled_at = d.pulled_at and c.chunk = d.chunk
      and record->>'id' = d.stream_id
) page on true;

-- Every rejected record: which rule, what was wrong, where it stood, and the record as Twitch sent it.
create view rejected_record as
select c.pull_id, c.pulled_at, c.chunk, (reject->>'place')::int as place, reject->>'rule' as rule,
       reject->>'detail' as detail, reject->'raw' as raw
from pull_chunk c, json_array_elements(c.rejects::json) reject
where c.rejects is not null;

-- Rejected records of a pull by rule.
create view rejected_by_rule as
select pull_id, pulled_at, rule, sum(n::int)::int as records
from pull_chunk, jsonb_each_text(rejected_by_rule) as counted (rule, n)
group by pull_id, pulled_at, rule;

-- For those who come from the NiFi flow: one row a chunk, `data` as the old flow wrote it, ids as numbers. What is not
-- filled yet is null; `box_art_url` is not there at all until then.
create view legacy_pull_data as
select c.pull_id, c.chunk, c.pulled_at,
       json_build_object('_total', c.stored, 'streams', coalesce(streams.list, '[]'::json)) as data
from pull_chunk c
left join lateral (
    select json_agg(stream order by place) as list
    from (
        select place, (
            jsonb_build_object(
                '_id', (r->>'id')::numeric,
                'game_id', nullif(r->>'game_id', '')::numeric,
                'game', game->>'name',
                'delay', 0,
                'viewers', (r->>'viewer_count')::int,
                'created_at', r->>'started_at',
                'stream_type', r->>'type',
                'broadcast_platform', r->>'type',
                'channel', jsonb_build_object(
                    '_id', (r->>'user_id')::numeric,
                    'status', r->>'title',
                    'language', r->>'language',
                    'broadcaster_language', r->>'language',
                    'name', channel->>'login',
                    'display_name', channel->>'display_name',
                    'url', 'https://www.twitch.tv/' || (channel->>'login'),
                    'logo', channel->>'profile_image_url',
                    'video_banner', channel->>'offline_image_url',
                    'views', (channel->>'view_count')::bigint,
                    'broadcaster_type', coalesce(channel->>'broadcaster_type', ''),
                    'partner', channel->>'broadcaster_type' = 'partner',
                    'description', channel->>'description',
                    'game', game->>'name',
                    'mature', (r->>'is_mature')::boolean,
                    'created_at', channel->>'created_at',
                    'updated_at', to_char(coalesce(c.merged_at, c.stored_at) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
                    'followers', null,
                    'profile_banner', null,
                    'private_video', false,
                    'privacy_options_enabled', 'false',
                    'broadcaster_software', ''))
            || case when game is null then '{}'::jsonb else jsonb_build_object('box_art_url', game->>'box_art_url') end
        ) as stream
        from jsonb_array_elements(c.page) with ordinality as page (r, place)
        left join pull_data d on d.pull_id = c.pull_id and d.pulled_at = c.pulled_at and d.stream_id = r->>'id'
        cross join lateral (select nullif(d.data->'game', 'null') as game, nullif(d.data->'channel', 'null') as channel) filled
    ) filled_page
) streams on true;
