create schema if not exists "twitch";

create table if not exists "twitch"."pull" (
    "pull_id" bigint not null,
    "pulled_at" timestamptz not null,
    "slot" timestamptz,
    "requested_by" varchar(65535) not null,
    "extracted_at" timestamptz,
    "completed_at" timestamptz not null,
    "stop_reason" varchar(64),
    "whole" boolean,
    "pages" integer not null,
    "fetched" integer not null,
    "stored" integer not null,
    "rejected" integer not null,
    "duplicates" integer not null,
    "games_added" integer,
    "games_missing" integer,
    "channels_filled" integer,
    "channels_missing" integer,
    "helix_calls" integer not null
)
diststyle key
distkey ("pull_id")
sortkey ("pulled_at");
comment on table "twitch"."pull" is 'one row per completed pull: a snapshot of everything live with an audience';
comment on column "twitch"."pull"."pull_id" is 'the pull';
comment on column "twitch"."pull"."pulled_at" is 'when the pull was started, UTC';
comment on column "twitch"."pull"."slot" is 'the scheduled time; null when a person asked for it';
comment on column "twitch"."pull"."requested_by" is 'who asked for it';
comment on column "twitch"."pull"."extracted_at" is 'when its last page was stored';
comment on column "twitch"."pull"."completed_at" is 'when it was complete';
comment on column "twitch"."pull"."stop_reason" is 'why it stopped fetching pages';
comment on column "twitch"."pull"."whole" is 'whether the list was read to its end, or to the least viewers wanted';
comment on column "twitch"."pull"."pages" is 'pages fetched';
comment on column "twitch"."pull"."fetched" is 'records received: stored + rejected + duplicates';
comment on column "twitch"."pull"."stored" is 'streams stored: rows of stream_peek';
comment on column "twitch"."pull"."rejected" is 'records that failed validation';
comment on column "twitch"."pull"."duplicates" is 'records whose stream the pull already had';
comment on column "twitch"."pull"."games_added" is 'games learned through this pull';
comment on column "twitch"."pull"."games_missing" is 'games of this pull that Twitch does not know';
comment on column "twitch"."pull"."channels_filled" is 'streams stored with their channel';
comment on column "twitch"."pull"."channels_missing" is 'streams whose channel Twitch does not know';
comment on column "twitch"."pull"."helix_calls" is 'calls made to Helix';

create table if not exists "twitch"."stream_peek" (
    "pull_id" bigint not null,
    "pulled_at" timestamptz not null,
    "chunk" integer not null,
    "stream_id" varchar(20) not null,
    "channel_id" varchar(20) not null,
    "channel_login" varchar(256) not null,
    "channel_name" varchar(1024) not null,
    "game_id" varchar(20),
    "game_name" varchar(1024) not null,
    "viewer_count" integer not null,
    "language" varchar(64) not null,
    "started_at" timestamptz not null,
    "type" varchar(64) not null,
    "title" varchar(65535) not null,
    "tags" super not null,
    "is_mature" boolean not null,
    "thumbnail_url" varchar(4096)
)
diststyle key
distkey ("channel_id")
sortkey ("pulled_at");
comment on table "twitch"."stream_peek" is 'one row per stream of a pull: what was live, with how many viewers';
comment on column "twitch"."stream_peek"."pull_id" is 'the pull';
comment on column "twitch"."stream_peek"."pulled_at" is 'when the pull was started, UTC';
comment on column "twitch"."stream_peek"."chunk" is 'the page of the pull that held it, from 1';
comment on column "twitch"."stream_peek"."stream_id" is 'the broadcast';
comment on column "twitch"."stream_peek"."channel_id" is 'the channel';
comment on column "twitch"."stream_peek"."channel_login" is 'the channel''s login name';
comment on column "twitch"."stream_peek"."channel_name" is 'the channel''s display name, in any script';
comment on column "twitch"."stream_peek"."game_id" is 'the game; null for a stream without category';
comment on column "twitch"."stream_peek"."game_name" is 'the game''s name as the stream had it';
comment on column "twitch"."stream_peek"."viewer_count" is 'viewers at the time';
comment on column "twitch"."stream_peek"."language" is 'ISO 639-1, other, or a regional form such as zh-hk';
comment on column "twitch"."stream_peek"."started_at" is 'when the broadcast began';
comment on column "twitch"."stream_peek"."type" is 'live, or empty where Twitch had an error';
comment on column "twitch"."stream_peek"."title" is 'the title';
comment on column "twitch"."stream_peek"."tags" is 'the tags, in the order of Twitch';
comment on column "twitch"."stream_peek"."is_mature" is 'deprecated by Twitch: false since about January 2026';
comment on column "twitch"."stream_peek"."thumbnail_url" is 'a template with {width}x{height}';

create table if not exists "twitch"."game" (
    "pull_id" bigint not null,
    "pulled_at" timestamptz not null,
    "game_id" varchar(20) not null,
    "name" varchar(1024) not null,
    "box_art_url" varchar(4096) not null,
    "igdb_id" varchar(64) not null
)
diststyle key
distkey ("game_id")
sortkey ("pulled_at");
comment on table "twitch"."game" is 'one row per game of a pull, as it was known then';
comment on column "twitch"."game"."pull_id" is 'the pull';
comment on column "twitch"."game"."pulled_at" is 'when the pull was started, UTC';
comment on column "twitch"."game"."game_id" is 'the game';
comment on column "twitch"."game"."name" is 'its name; not unique';
comment on column "twitch"."game"."box_art_url" is 'a template with {width}x{height}';
comment on column "twitch"."game"."igdb_id" is 'its id at IGDB; empty where Twitch does not know it';

create table if not exists "twitch"."channel" (
    "pull_id" bigint not null,
    "pulled_at" timestamptz not null,
    "channel_id" varchar(20) not null,
    "login" varchar(256) not null,
    "display_name" varchar(1024) not null,
    "broadcaster_type" varchar(64) not null,
    "description" varchar(65535) not null,
    "profile_image_url" varchar(4096) not null,
    "offline_image_url" varchar(4096) not null,
    "view_count" bigint not null,
    "created_at" timestamptz
)
diststyle key
distkey ("channel_id")
sortkey ("pulled_at");
comment on table "twitch"."channel" is 'one row per channel of a pull, as it was known then';
comment on column "twitch"."channel"."pull_id" is 'the pull';
comment on column "twitch"."channel"."pulled_at" is 'when the pull was started, UTC';
comment on column "twitch"."channel"."channel_id" is 'the channel';
comment on column "twitch"."channel"."login" is 'the login name, lower case';
comment on column "twitch"."channel"."display_name" is 'the display name, in any script';
comment on column "twitch"."channel"."broadcaster_type" is 'partner, affiliate or empty';
comment on column "twitch"."channel"."description" is 'what the channel says of itself';
comment on column "twitch"."channel"."profile_image_url" is 'the profile picture';
comment on column "twitch"."channel"."offline_image_url" is 'the picture shown while offline; often empty';
comment on column "twitch"."channel"."view_count" is 'deprecated by Twitch: no longer a valid number';
comment on column "twitch"."channel"."created_at" is 'when the account was made; null where Twitch does not tell';
