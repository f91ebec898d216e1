//! The words of a world: what people call themselves, their streams and their games.

/// A language, how often it is streamed in (of 1,000), phrases for titles and tags.
pub(crate) struct Tongue {
    pub(crate) code: &'static str,
    pub(crate) weight: usize,
    pub(crate) phrases: &'static [&'static str],
    pub(crate) tags: &'static [&'static str],
}

const fn tongue(
    code: &'static str,
    weight: usize,
    phrases: &'static [&'static str],
    tags: &'static [&'static str],
) -> Tongue {
    Tongue { code, weight, phrases, tags }
}

pub(crate) const TONGUES: &[Tongue] = &[
    tongue(
        "en",
        400,
        &[
            "chill stream",
            "ranked grind to the top",
            "first playthrough, no spoilers",
            "24h marathon",
            "morning coffee",
        ],
        &["English", "Chill", "Backseating", "NoSpoilers", "AMA", "LGBTQIAPlus", "Drops"],
    ),
    tongue(
        "es",
        110,
        &["¡buenas noches, gente!", "jugando con amigos", "hoy sí que sí"],
        &["Español", "España"],
    ),
    tongue(
        "pt",
        90,
        &["boa noite, família", "subindo de elo, não é fácil", "só mais uma"],
        &["Português", "Brasil"],
    ),
    tongue(
        "ru",
        85,
        &["добрый вечер, друзья", "идём в рейтинг", "ночной стрим — без мата"],
        &["Русский", "общение"],
    ),
    tongue(
        "de",
        60,
        &["gemütlicher Abend", "größer, schneller, weiter", "wir üben Kür"],
        &["Deutsch", "Gemütlich"],
    ),
    tongue(
        "fr",
        55,
        &["soirée détente", "on découvre le jeu à l'aveugle", "ça va être ÉPIQUE"],
        &["Français", "Détente"],
    ),
    tongue("ja", 50, &["初見プレイ", "雑談しながらランク", "朝活ゲーム配信"], &["日本語", "初見さん歓迎"]),
    tongue("ko", 45, &["같이 게임해요", "오늘도 열심히", "새벽 방송"], &["한국어", "소통"]),
    tongue("zh", 22, &["晚上好，一起玩", "新手上路"], &["中文", "聊天"]),
    tongue("zh-hk", 8, &["今晚打機", "同大家傾計"], &["廣東話"]),
    tongue("ar", 20, &["مساء الخير يا شباب", "لعب جماعي مع المتابعين"], &["العربية"]),
    tongue("he", 3, &["ערב טוב לכולם"], &["עברית"]),
    tongue("it", 15, &["buonasera a tutti", "perché no?"], &["Italiano"]),
    tongue("tr", 12, &["iyi akşamlar", "dereceli oynuyoruz, şans dileyin"], &["Türkçe"]),
    tongue("pl", 11, &["dobry wieczór, gramy dalej", "źdźbło szczęścia"], &["Polski"]),
    tongue("uk", 5, &["добрий вечір, Україно"], &["Українська"]),
    tongue("th", 4, &["สวัสดีครับทุกคน"], &["ไทย"]),
    tongue("other", 5, &["~ stream ~", "hello wereld"], &[]),
];

/// Small things people end their titles with.
pub(crate) const FLOURISHES: &[&str] = &[
    "",
    "",
    "",
    "",
    " !discord",
    " | !socials",
    " 🔥",
    " ✨🎮",
    " 👨‍👩‍👧‍👦",
    " [PC]",
    " - day 12",
    " (ಠ_ಠ)",
    " ❤️‍🔥 !drops",
];

/// Titles that break whoever splits text at commas, quotes or line ends.
pub(crate) const TRAPS: &[&str] = &[
    "hi, user_id=12345, viewer_count=9, title=gotcha",
    "\"user_id\":\"1\",\"id\":\"2\"",
    "{\"data\":[],\"pagination\":{\"cursor\":\"x\"}}",
    "'; drop table streams; -- \"quoted\" and 'single'",
    "a,b,,c;\"d\"\"e\"",
    "two\nlines of title",
    "tab\there and\tthere",
    "back\\slash \\n \\u0041 and /slash/",
    "${jndi} %s %n {0} <b>bold</b> &amp;",
    " leading and trailing ",
    "\u{202e}txt.exe turned around\u{202c}",
    "zero\u{200b}width and e\u{301} combining",
    "game_id=, user_login=admin, language=xx",
];

/// First halves of logins.
pub(crate) const FIRST: &[&str] = &[
    "silver", "night", "turbo", "lazy", "pixel", "royal", "frost", "lucky", "ghost", "neon", "rapid",
    "sunny", "cosmic", "iron", "velvet", "mad", "tiny", "grand", "quiet", "salty", "wild", "arcane", "blue",
    "retro", "solar", "brave", "misty", "hyper", "jolly", "stone",
];

/// Second halves of logins.
pub(crate) const SECOND: &[&str] = &[
    "fox", "wolf", "panda", "gamer", "otter", "knight", "wizard", "badger", "raven", "tiger", "moth", "bear",
    "hawk", "mage", "toast", "queen", "king", "rider", "hunter", "smith", "cat", "duck", "golem", "viper",
    "lynx", "crow", "monk", "baron", "squid", "yeti",
];

/// Display names that are not their login in other dead letters' case.
pub(crate) const OTHER_SCRIPTS: &[&str] = &[
    "さくら配信",
    "夜更かし猫",
    "게임하는곰",
    "달빛토끼",
    "小明直播",
    "夜貓子",
    "Ночной Кот",
    "ゲーム王",
    "ملك_الألعاب",
    "ลุงหมี",
];

/// Games by their real id and name, the most watched first.
pub(crate) const GAMES: &[(u64, &str)] = &[
    (509_658, "Just Chatting"),
    (32_982, "Grand Theft Auto V"),
    (21_779, "League of Legends"),
    (516_575, "VALORANT"),
    (32_399, "Counter-Strike"),
    (29_595, "Dota 2"),
    (27_471, "Minecraft"),
    (33_214, "Fortnite"),
    (511_224, "Apex Legends"),
    (18_122, "World of Warcraft"),
    (498_566, "Slots"),
    (116_747_788, "Pools, Hot Tubs, and Beaches"),
    (509_659, "ASMR"),
    (26_936, "Music"),
    (509_660, "Art"),
    (743, "Chess"),
    (30_921, "Rocket League"),
    (513_143, "Teamfight Tactics"),
    (138_585, "Hearthstone"),
    (263_490, "Rust"),
    (491_487, "Dead by Daylight"),
    (459_931, "Old School RuneScape"),
    (1_469_308_723, "Software and Game Development"),
    (460_630, "Tom Clancy's Rainbow Six Siege"),
];

/// Halves of the names of the games nobody has heard of.
pub(crate) const GAME_FIRST: &[&str] = &[
    "Dragon", "Star", "Pokémon", "Metal", "Shadow", "Final", "Super", "Ghost of", "Age of", "Café", "東方",
    "Tales of",
];

/// See [`GAME_FIRST`].
pub(crate) const GAME_SECOND: &[&str] = &[
    "Quest",
    "Legends",
    "Racing",
    "Souls",
    "Simulator",
    "Tycoon",
    "Arena",
    "Kingdom",
    "Rhythm",
    "Farm: \"Deluxe\"",
];
