# ruff: noqa: E501 (tables of examples read better unbroken)
"""The planted set: synthetic texts with labelled personal data, and texts that only look as if they had any.

Every sentence and every value is made up. Card numbers are issuers' test numbers, telephone numbers come from ranges
kept for fiction or from made-up subscribers, domains and IP addresses from documentation ranges where the kind
allows it.
"""

from __future__ import annotations

from typing import NamedTuple


class Planted(NamedTuple):
    """A text with what must be found in it.

    :param spans: ``(start, end, type)`` of each planted value; empty for a hard negative.
    :param known: names its raw record would give away.
    """

    text: str
    spans: tuple[tuple[int, int, str], ...]
    known: tuple[str, ...] = ()


VALUES: dict[str, list[str]] = {
    "EMAIL": [
        "mira.tolland@example.org", "jo_quill92@example.com", "BIGDAVE@EXAMPLE.NET", "k.o'brady@mail.example.co.uk",
        "sanne+list@example.nl", "zed-99@sub.example.io", "post@müller-beispiel.de", "user@host", "root@localhost",
        "annie.w@gmail.com", "harlow.fenn at gmail dot com", "tessa [at] example [dot] org", "r.pine (at) example (dot) com",
        "devon@example.edu", "x7@example.info", "lou.marsh@yahoo.co.uk", "first.last@very-long-name.example.com",
        "orla@example.ie", "nightowl_3@hotmail.com", "team.lead@10.0.0.12",
    ],
    "PHONE": [
        "212-555-0187", "(415) 555-0142", "+1 303 555 0119", "646.555.0173", "+44 7700 900461", "07700 900 982",
        "020 7946 0321", "+49 30 901820 113", "+33 6 12 34 56 78", "(0161) 496 0229", "718 555 0166", "3125550148",
        "1-510-555-0121", "+353 85 012 3456", "+61 491 570 156", "555-0133", "07911 123456", "+91 98765 43210",
        "404.555.0155", "(206)555-0199",
    ],
    "IP": [
        "203.0.113.77", "198.51.100.4", "192.168.1.23", "10.20.30.40", "172.16.254.1", "8.26.56.26", "93.184.216.34",
        "2001:db8::8a2e:370:7334", "2001:0db8:85a3:0000:0000:8a2e:0370:7334", "fe80::1ff:fe23:4567:890a", "85.214.132.117",
        "2a02:26f0:fc::17c8", "100.64.8.9", "45.33.32.156", "151.101.1.69",
    ],
    "PROFILE": [
        "https://www.reddit.com/user/quiet_heron_41", "reddit.com/u/moss-and-rain", "https://twitter.com/fennharlow",
        "https://x.com/tollandmira/status/1120034455667788990", "www.instagram.com/jo.quill/", "https://facebook.com/mira.tolland.9",
        "https://www.linkedin.com/in/mira-tolland-5a1b2c", "https://github.com/fennharlow", "https://www.tiktok.com/@moss.and.rain",
        "https://medium.com/@joquill", "https://t.me/fennharlow", "https://m.facebook.com/profile.php?id=100004455667788",
        "https://www.youtube.com/@quietheron", "twitch.tv/quietheron41", "https://old.reddit.com/u/brackenfoot",
        "https://brackenfoot.tumblr.com/post/123", "https://mastodon.social/@heron", "paypal.me/fennharlow", "linktr.ee/mossrain",
        "https://bsky.app/profile/heron.example.com", "https://open.spotify.com/user/mossrain30/playlist/6nIk0jHuj",
        "http://books.example.com/profile/view/tollandmira", "https://www.cs.example.edu/~fennharlow/", "https://forum.example.org/u/heron",
        "https://www.google.com/maps/contrib/102741303111472369986",
    ],
    "CARD": [
        "4111 1111 1111 1111", "4012888888881881", "5555-5555-5555-4444", "5105 1051 0510 5100", "378282246310005",
        "3714 496353 98431", "6011 1111 1111 1117", "3530 1113 3330 0000", "30569309025904", "4222222222222",
        "2223 0031 2200 3222", "6011000990139424",
    ],
    "ID": [
        "536-90-4399", "219-09-9998", "AB 12 34 56 C", "JG103759A", "GB82 WEST 1234 5698 7654 32", "DE89370400440532013000",
        "FR14 2004 1010 0505 0001 3M02 606", "12345678Z", "X1234567L", "RSSMRA85T10A562S", "390.533.447-05",
        "11010519491231002X", "NL91 ABNA 0417 1643 00", "530-17-8823",
    ],
    "USER": [
        "@quiet_heron", "u/moss_and_rain", "/u/Brackenfoot-7", "@fennharlow", "@jo.quill", "@_tolland_", "u/throwra_heron41",
        "@MossRain99", "/u/lantern", "@x_heron_x", "@heron@fosstodon.example", "u/anon-4471", "@50heron", "@100200300", "@Tolland1988",
        "@devonquill", "u/ok_lantern",
    ],
    "ADDRESS": [
        "123 Maple Street, Springfield, IL 62704", "4471 North Lantern Avenue", "18 Heron Road", "77B Bracken Lane",
        "2210 W. Fenn Blvd, Apt 5", "9 Quill Drive, Portland, OR 97201", "Flat 3, 52 Tolland Road, London SW1A 1AA",
        "P.O. Box 4417", "PO Box 88, Boulder, CO 80302", "1450 Mossy Creek Rd", "640 E 9th Street", "31 Lantern Court, Austin, TX 78701",
        "5 Heron Close, Bristol BS1 4DJ", "812 Old Mill Parkway", "26 Rainford Crescent", "3300 Pine Ridge Terrace",
    ],
    # in two pieces, so that no scanner takes this file for a leak
    "SECRET": [
        "ghp" + "_" + "a1B2c3D4" * 4 + "x7Yz", "AKIA" + "Q7PLANTED2KEY34X", "sk" + "-9fT3heron8quill2fenn6moss1rain5lamp",
        "hf" + "_8Kd2LanternsBracken31TollandQuill",
        # chance leaves one key in many without a digit
        "ghp" + "_" + "LanternsMossHeronQuillFennBrackenRai", "AKIA" + "QWLANTERNPLANTED", "glpat" + "-LanternsBrackenQuill",
        "hf" + "_LanternsBrackenTollandQuillMossHe", "eyJ" + "LanternsBracken.eyJ" + "TollandHarlowQuill.PlantedSignatureMoss",
        "sk" + "-proj-Lanterns_Bracken-Tolland-Quill_Moss-Heron_Fenn-Rain-Lamp", "xox" + "b-LanternsQuill-BrackenTolland",
        "xox" + "p-2345678901-2345678901-2345678901-a1b2c3", "sk" + "-LantBRAC_ijklMNOP_qrstUVWX_yz012345678",
        "sk" + "-or-v1-" + "0a1b2c3d4e5f6789" * 4, "glpat" + "-LanternsBrackenQuillMoss.01.Heron12",
    ],
    "NAME": ["Mira Tolland", "Fenn Harlow", "Sanne de Quill", "Jo Bracken", "Tolland", "Devon Lantern", "Harlow", "Orla Pine"],
}  # fmt: skip

TEMPLATES: dict[str, list[str]] = {
    "EMAIL": [
        "If you ever want to talk, write me at {}.", "my email is {} pls dont share it", "Contact: {}",
        "She sent it to {} by mistake and now everybody at work knows.", "From: {}\nSubject: about last night", "({})",
        "I made a new account, {}, so he cannot find me.", "e-mail {} and I'll send the worksheet!", "Reply-To: <{}>",
        "Honestly? {} is where I read everything.",
    ],
    "PHONE": [
        "Call me on {} if it gets bad tonight.", "my number is {} text anytime", "Tel: {}", "He keeps ringing from {}, and I block it.",
        "phone {} after six please", "You can reach me at {}, I mean it.", "Her cell ({}) goes straight to voicemail.",
        "whatsapp {} thats my sister", "I wrote my number {} on the board.", "SMS or call: {}.",
    ],
    "IP": [
        "The login came from {} at three in the morning.", "my ip is {} and he found out", "blocked {} again",
        "Someone at {} edited the page about her.", "server {} is down", "It says my address is {}.", "ping {} works, but nothing else",
        "Host: {}",
    ],
    "PROFILE": [
        "You can see it on my page: {}", "this is him {} please report", "She posted everything at {}, with photos.",
        "[my story]({})", "Follow {} for more.", "i only found out through {}", "Source: {}\nThat is all.", "look: {} !!",
    ],
    "CARD": [
        "He memorised my card, {}, and spent it all.", "card number {} exp next year", "They asked me to type {} into the chat.",
        "I paid with {}.", "Visa: {}", "and then I read out {} like a fool", "the receipt shows {} in full",
    ],
    "ID": [
        "He knows my number, {}, and opened a loan with it.", "ID: {}", "It was printed as {} on the letter.",
        "my number is {} and it is on every form", "They wrote {} on the envelope for all to see.", "Please quote {}.",
    ],
    "USER": [
        "Thanks {}, that helped more than you know.", "{} said it better than I could.", "as {} wrote yesterday, one day at a time",
        "RT {}: breathe", ".{} look at this", "加 {} 聊", "hey {} are you ok", "I asked ({}) and got no answer.", "Shout-out to {}!", "this one is for {} 💛",
        "ping {}\nplease read",
    ],
    "ADDRESS": [
        "I live at {} and I am scared to go home.", "The meeting is at {}.", "My address is {}.", "She moved to {} last spring.",
        "Please send it to {}", "We used to live at {}, above the bakery.", "Come to {} at noon.",
    ],
    "SECRET": ["The key is {} and it still works.", "token: {}", "he posted {} in the chat", "export KEY={}", "`{}`"],
    "NAME": [
        "Thank you {}, this answer changed my week.", "I think {} is right.", "Dear {},\nI read your reply twice.",
        "It was {} who told me to rest.", "- {}", "What {} wrote is what my sister says too.",
    ],
}  # fmt: skip

_HELPLINES = (
    "988", "1-800-273-8255", "1-800-273-TALK", "116 123", "741741", "1-866-488-7386", "0800 1111", "13 11 14", "08457 90 90 90",
    "1-800-799-7233", "1-800-656-4673", "85258", "1300 22 4636", "0800 58 58 58", "1-877-565-8860", "1800 55 1800",
    "0300 123 3393", "(800) 273-8255", "1800 650 890", "0808 808 4994",
)  # fmt: skip
_HELP_SENTENCES = (
    "If you are in danger please call {} now.", "You can text or phone {} at any hour.", "Lifeline: {}",
    "i rang {} last night and they stayed on the line",
)  # fmt: skip

NEGATIVES: tuple[str, ...] = (
    *(sentence.format(number) for number in _HELPLINES for sentence in _HELP_SENTENCES),
    "I was @ home all weekend.", "see you @home at 5", "we are @ work until 6pm", "lets meet @5pm or @ 5:30", "eggs @ $3 each",
    "It happened on 5/5/2020 and again on 12-06-2021.", "Between 2010-2015 I slept badly.", "The years 1914-1918 and 1939 - 1945.",
    "2018-09-14 23:56 was when it began.", "from 1998 to 2004, then 2006–2009", "born 1/2/1987, diagnosed 03/04/2011",
    "It cost $1,250.00 and then 3,400.50 more.", "We won 21-14, 35-7 and 102-99.", "The score was 6-4 6-7 7-5.",
    "ISBN 978-3-16-148410-0 is the one I mean.", "ISBN-10: 0-306-40615-2", "isbn 9780306406157",
    "Read Psalm 23:4 and Matthew 5:3-12.", "John 3:16-18; Romans 8:28", "The bus leaves at 12:30:45 sharp.", "Alarm at 06:15, 06:25, 06:35.",
    "See 42 U.S.C. 1983 and section 504.", "Under 29 CFR 1630.2 they must.", "§ 1983 was cited in case 05-1120.",
    "doi:10.1037/0003-066X.55.1.68 is the paper.", "https://doi.org/10.1111/j.1467-6494.2005.00326.x", "PMID 12345678 says otherwise.",
    "Take 500 mg at 8 and 250 mg at 20.", "It is 1500 x 2000 x 300 mm.", "5'11\" and 180 lbs, down from 220", "I ran 10 000 steps on day 100.",
    "@property\ndef mood(self):\n    return 3", "@pytest.fixture\ndef texts():\n    return []", "@app.route('/user/<name>')\ndef show(): ...",
    "Use `@dataclass` for that.", "@media (max-width: 600px) { body { margin: 0 } }", "@Override\npublic void run() {}",
    "@functools.lru_cache\ndef slow(): ...", "npm install react@18.2.0 lodash@4.17.21", "@import url('x.css');",
    "That is sh@t and you know it, b@stard.", "what the f@ck", "I gave it 10/10.", "either/or, and/or, u/s", "r/depression helped me",
    "See r/stopdrinking and /r/cptsd.", "https://www.reddit.com/r/offmychest/comments/abc123/a_title/", "https://www.who.int/health-topics",
    "https://github.com/example/project/issues/12", "https://twitter.com/search?q=calm", "https://www.facebook.com/groups/12345",
    "https://www.youtube.com/watch?v=abcdefghijk", "www.example.org/page/2020/05/05", "https://en.wikipedia.org/wiki/Sleep",
    "https://www.instagram.com/p/Cabc123/", "https://example.org/users/sign_in", "https://www.example.org/user/absolute.html",
    "https://docs.example.com/user/project", "https://example.org/profile/edit", "digits:\n4986754322\n345112", "1023456789\n", "Version 1.2.3.4 is out.", "v10.0.1.2 broke it", "python 3.11.7 and numpy 1.26.4",
    "Bind to 127.0.0.1 or 0.0.0.0.", "std::vector<int> a; ns::f::g();", "x[::2] and y[1::3]", "netmask 255.255.255.0",
    "I walked 3 miles down the road.", "5 years on the way to nowhere", "They live 4 hours up the street from us.", "2 Best Ways to rest",
    "10 Downing Street said nothing.", "No. 19 Ohio St. beat No. 3 Michigan St.", "3 Wall Street fears", "1 day at a time, 2 steps back",
    "Room 101 was empty.", "Chapter 12, verse 7, page 345", "Highway 61 revisited", "Route 66 was closed.", "about 1600 people came",
    "my bed is 6 feet from the wall", "Take 2 and call it a day.", "In 2019 Main Street was quiet.", "We are 1 in 10000000.",
    "1234567 people signed.", "Order no. 4455667788 is late.", "tracking number 9400110200881234567890", "serial 0012345678",
    "12345678901234567890", "4111 1111 1111 1112 is not a card", "3.14159265358979", "0.000012345678", "1e-10 1234.5678",
    "[NAME] told [NAME_2] about it.", "@USER you are right", "<user> hello", "@user @user nice", "[EMAIL_1] was here", "[PHONE] please",
    "The 1-in-100 year flood of 1953.", "IQ 100-115, n = 1024, p < .001", "F(2, 117) = 4.31", "t(1023) = 2.11, 95% CI 0.12-0.44",
    "HIV-1, COVID-19, B12 and H1N1", "SW19 was busy", "B-52s and F-16s", "WW2 1939-45", "MP3, MP4, H264", "AB12 is my seat", "ICD-10 F32.1",
    "DSM-5 300.02 (F41.1)", "GPS 51.5074, -0.1278", "RGB(120, 200, 255)", "#1234567", "#MeToo #2020goals", "hash 5f4dcc3b5aa765d61d8327deb882cf99",
    "key=12345678 mode=3", "10,000,000 views in 24 hours", "£1,000,000 or €999.99", "The 80s, the 90s, 1990s", "5-10-15-20 breathing",
    "4-7-8 breathing and 5-4-3-2-1 grounding", "Everyone @everyone come here", "look at amazon.com for it", "meet at example.com",
    "jo@samaritans.org answers by mail", "See [@maple2019] and [@oak1999; @pine2005].", "I'd rate it @ about 7.", "50 @ 3 for 10",
    "The White House is a big house.", "12 Angry Men is on at 9.", "7 Habits, 12 Rules, 4 Agreements", "She is 5 ft 2 in",
    "insta-ready meals and snap decisions", "the instagram is: boring", "my snap: broke", "twitter is down again",
)  # fmt: skip


def planted(per_type: int = 40) -> list[Planted]:
    """Labelled texts: each value in several sentences, each sentence with several values.

    :param per_type: texts of each kind of personal data.
    """
    made = []
    for kind, values in VALUES.items():
        for index in range(per_type):
            value = values[index % len(values)]
            # The stride keeps value and sentence from meeting in the same pairs over and over.
            template = TEMPLATES[kind][(index * 7 + index // len(values)) % len(TEMPLATES[kind])]
            start = template.index("{}")
            text = template.replace("{}", value)
            lead = "Sorry for the long text. " if index % 3 == 1 else ""
            tail = " Anyway, thank you all for listening." if index % 4 == 2 else ""
            span = (len(lead) + start, len(lead) + start + len(value), kind)
            made.append(Planted(lead + text + tail, (span,), (value,) if kind == "NAME" else ()))
    return made


def negatives() -> list[Planted]:
    """Texts in which nothing may be replaced."""
    return [Planted(text, ()) for text in NEGATIVES]
